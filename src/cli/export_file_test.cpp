#include "cli/export_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "cli/api.hpp"
#include "cli/failure.hpp"

namespace safawinet::cli {
namespace {

class ExportFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "export-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    file_ = (folder_ / "out.jsonl").string();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string content() const {
    std::ifstream in(file_);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  void write(const std::string& text) const { std::ofstream(file_) << text; }

  std::filesystem::path folder_;
  std::string file_;
  Console console_;
};

TEST_F(ExportFileTest, ANewFileIsForItsOwnerOnlyAndNeverWrittenOver) {
  {
    ExportFile(ExportTarget{.file = file_, .resumes = false}, console_).append("{\"position\":1}\n");
  }
  struct stat status{};
  ASSERT_EQ(::stat(file_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  EXPECT_THROW(ExportFile(ExportTarget{.file = file_, .resumes = false}, console_), Failure);
  EXPECT_EQ(content(), "{\"position\":1}\n");
}

TEST_F(ExportFileTest, ResumingCutsHalfALineOffAndKnowsTheLastWholeOne) {
  write("{\"position\":1}\n{\"position\":2}\n{\"posi");
  ExportFile file(ExportTarget{.file = file_, .resumes = true}, console_);
  ASSERT_TRUE(file.last());
  EXPECT_EQ(number_at(*file.last(), "position"), 2);
  file.append("{\"position\":3}\n");
  EXPECT_EQ(content(), "{\"position\":1}\n{\"position\":2}\n{\"position\":3}\n");
}

TEST_F(ExportFileTest, ResumingAFileWithoutALineBeginsAnew) {
  write("{\"half");
  const ExportFile file(ExportTarget{.file = file_, .resumes = true}, console_);
  EXPECT_FALSE(file.last());
  EXPECT_EQ(content(), "");
}

TEST_F(ExportFileTest, WhatIsNoExportIsNotGoneOnWith) {
  write("a list\nof other things\n");
  EXPECT_THROW(ExportFile(ExportTarget{.file = file_, .resumes = true}, console_), Failure);
  EXPECT_EQ(content(), "a list\nof other things\n");
}

TEST_F(ExportFileTest, AKeptCursorSaysWhereToGoOnAndWhatWasWrittenSinceIsCutOff) {
  {
    ExportFile file(ExportTarget{.file = file_, .resumes = false}, console_);
    file.append("{\"id\":1}\n");
    file.keep_cursor("second page");
    file.append("{\"id\":2}\n");
  }
  bool is_complete = true;
  ExportFile file(ExportTarget{.file = file_, .resumes = true}, console_);
  EXPECT_EQ(file.kept_cursor(is_complete), "second page");
  EXPECT_FALSE(is_complete);
  EXPECT_EQ(content(), "{\"id\":1}\n");
  file.append("{\"id\":2}\n");
  file.complete();
  EXPECT_EQ(ExportFile(ExportTarget{.file = file_, .resumes = true}, console_).kept_cursor(is_complete), std::nullopt);
  EXPECT_TRUE(is_complete);
}

TEST_F(ExportFileTest, AFileThatHasShrunkIsNotGoneOnWith) {
  {
    ExportFile file(ExportTarget{.file = file_, .resumes = false}, console_);
    file.append("{\"id\":1}\n{\"id\":2}\n");
    file.keep_cursor("next");
  }
  write("{\"id\":1}\n");
  bool is_complete = false;
  ExportFile file(ExportTarget{.file = file_, .resumes = true}, console_);
  EXPECT_THROW((void)file.kept_cursor(is_complete), Failure);
}

}  // namespace
}  // namespace safawinet::cli
