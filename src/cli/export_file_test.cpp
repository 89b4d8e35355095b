#include "cli/export_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "base/testing_folder.hpp"
#include "cli/api.hpp"
#include "cli/failure.hpp"

namespace safawinet::cli {
namespace {

constexpr ExportKind kKind{"an export of things", "id", "name"};

class ExportFileTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string content() const {
    std::ifstream in(file_);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  void write(const std::string& text) const { std::ofstream(file_) << text; }

  safawinet::testing::TemporaryFolder folder_;
  std::string file_ = folder_.path() / "out.jsonl";
  Console console_;
};

TEST_F(ExportFileTest, ANewFileIsForItsOwnerOnlyAndNeverWrittenOver) {
  {
    ExportFile(ExportTarget{.file = file_, .resumes = false}, kKind, console_).append("{\"id\":1,\"name\":\"1\"}\n");
  }
  struct stat status{};
  ASSERT_EQ(::stat(file_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  EXPECT_THROW(ExportFile(ExportTarget{.file = file_, .resumes = false}, kKind, console_), Failure);
  EXPECT_EQ(content(), "{\"id\":1,\"name\":\"1\"}\n");
}

TEST_F(ExportFileTest, ResumingCutsHalfALineOffAndKnowsTheLastWholeOne) {
  write("{\"id\":1,\"name\":\"1\"}\n{\"id\":2,\"name\":\"2\"}\n{\"i");
  ExportFile file(ExportTarget{.file = file_, .resumes = true}, kKind, console_);
  ASSERT_TRUE(file.last());
  EXPECT_EQ(number_at(*file.last(), "id"), 2);
  file.append("{\"id\":3,\"name\":\"3\"}\n");
  EXPECT_EQ(content(), "{\"id\":1,\"name\":\"1\"}\n{\"id\":2,\"name\":\"2\"}\n{\"id\":3,\"name\":\"3\"}\n");
}

TEST_F(ExportFileTest, ResumingAFileWithoutALineBeginsAnew) {
  write("{\"id\":1,\"na");
  const ExportFile file(ExportTarget{.file = file_, .resumes = true}, kKind, console_);
  EXPECT_FALSE(file.last());
  EXPECT_EQ(content(), "");
}

TEST_F(ExportFileTest, WhatIsNoExportOfThisKindIsNotGoneOnWithAndStaysAsItIs) {
  for (const std::string text :
       {"a list\nof other things\n", "only line, no newline", "a list\nwithout an end", "{\"other\": 1}",
        "{\"other\":1}\n", "{\"id\":1}\n", "{\"id\":1,\"name\":\"1\"}\nand a note",
        "a note\n{\"id\":1,\"name\":\"1\"}\n", "\n"}) {
    write(text);
    ::chmod(file_.c_str(), 0644);
    EXPECT_THROW(ExportFile(ExportTarget{.file = file_, .resumes = true}, kKind, console_), Failure) << text;
    EXPECT_EQ(content(), text);
    EXPECT_EQ(std::filesystem::status(file_).permissions(), std::filesystem::perms{0644}) << text;
  }
}

TEST_F(ExportFileTest, AFileThatOthersMayReadIsTheirsNoMoreWhenItIsGoneOnWith) {
  write("{\"id\":1,\"name\":\"1\"}\n");
  ::chmod(file_.c_str(), 0644);
  const ExportFile file(ExportTarget{.file = file_, .resumes = true}, kKind, console_);
  EXPECT_EQ(std::filesystem::status(file_).permissions(), std::filesystem::perms{0600});
}

TEST_F(ExportFileTest, ALinkIsNotFollowed) {
  write("{\"id\":1,\"name\":\"1\"}\n");
  const auto link = (folder_.path() / "link").string();
  std::filesystem::create_symlink(file_, link);
  EXPECT_THROW(ExportFile(ExportTarget{.file = link, .resumes = true}, kKind, console_), Failure);
}

TEST_F(ExportFileTest, OfALongFileTheLastPartIsLookedAt) {
  std::string text;
  while (text.size() < 3'000'000) text += "{\"id\":1,\"name\":\"" + std::string(1000, 'x') + "\"}\n";
  write(text + "{\"id\":2");
  const ExportFile file(ExportTarget{.file = file_, .resumes = true}, kKind, console_);
  EXPECT_TRUE(file.last());
  EXPECT_EQ(content(), text);
}

TEST_F(ExportFileTest, AKeptCursorSaysWhereToGoOnAndWhatWasWrittenSinceIsCutOff) {
  {
    ExportFile file(ExportTarget{.file = file_, .resumes = false}, kKind, console_);
    file.append("{\"id\":1,\"name\":\"1\"}\n");
    file.keep_cursor("second page");
    file.append("{\"id\":2,\"name\":\"2\"}\n");
  }
  bool is_complete = true;
  ExportFile file(ExportTarget{.file = file_, .resumes = true}, kKind, console_);
  EXPECT_EQ(file.kept_cursor(is_complete), "second page");
  EXPECT_FALSE(is_complete);
  EXPECT_EQ(content(), "{\"id\":1,\"name\":\"1\"}\n");
  file.append("{\"id\":2,\"name\":\"2\"}\n");
  file.complete();
  EXPECT_EQ(ExportFile(ExportTarget{.file = file_, .resumes = true}, kKind, console_).kept_cursor(is_complete),
            std::nullopt);
  EXPECT_TRUE(is_complete);
}

TEST_F(ExportFileTest, AFileThatHasShrunkIsNotGoneOnWith) {
  {
    ExportFile file(ExportTarget{.file = file_, .resumes = false}, kKind, console_);
    file.append("{\"id\":1,\"name\":\"1\"}\n{\"id\":2,\"name\":\"2\"}\n");
    file.keep_cursor("next");
  }
  write("{\"id\":1,\"name\":\"1\"}\n");
  bool is_complete = false;
  ExportFile file(ExportTarget{.file = file_, .resumes = true}, kKind, console_);
  EXPECT_THROW((void)file.kept_cursor(is_complete), Failure);
}

}  // namespace
}  // namespace safawinet::cli
