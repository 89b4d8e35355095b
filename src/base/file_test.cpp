#include "base/file.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <set>
#include <system_error>

#include "base/testing_folder.hpp"

namespace safawinet {
namespace {

class File : public ::testing::Test {
 protected:
  [[nodiscard]] std::string content() const {
    std::ifstream in(path_);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  [[nodiscard]] std::set<std::string> names() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) names.insert(entry.path().filename());
    return names;
  }
  // What it throws with.
  [[nodiscard]] std::string failure_of_replacing(const std::string& content) const {
    try {
      replace_file(path_, content);
    } catch (const std::system_error& error) {
      return error.what();
    }
    return "nothing";
  }

  testing::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "file";
};

TEST_F(File, IsReplacedAsAWholeAndIsPrivate) {
  std::ofstream(path_) << "what was there, and was longer";
  ASSERT_EQ(::chmod(path_.c_str(), 0644), 0);
  replace_file(path_, "new");
  EXPECT_EQ(content(), "new");
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  EXPECT_EQ(names(), std::set<std::string>{"file"});
}

TEST_F(File, StaysWhatItWasWhenTheNewContentCannotBeWritten) {
  replace_file(path_, "old");
  struct rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const struct rlimit small{.rlim_cur = 100, .rlim_max = before.rlim_max};
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto failure = failure_of_replacing(std::string(1'000, 'x'));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(failure, "cannot write " + path_.string() + ": File too large");
  EXPECT_EQ(content(), "old");
  EXPECT_EQ(names(), std::set<std::string>{"file"});
}

TEST_F(File, IsNotMadeWhereThereIsNoFolder) {
  path_ = folder_.path() / "missing" / "file";
  EXPECT_EQ(failure_of_replacing("new"), "cannot write " + path_.string() + ": No such file or directory");
}

TEST_F(File, ADescriptorIsClosedOnceAndErrnoStays) {
  int number = -1;
  {
    Descriptor opened(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(opened.is_open());
    number = opened.get();
    Descriptor moved(std::move(opened));
    EXPECT_EQ(moved.get(), number);
    errno = ENOSPC;
  }
  EXPECT_EQ(last_error(), "No space left on device");
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

}  // namespace
}  // namespace safawinet
