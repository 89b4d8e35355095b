#include "cli/input_file.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "base/testing_folder.hpp"
#include "cli/failure.hpp"

namespace safawinet::cli {
namespace {

class InputFileTest : public ::testing::Test {
 protected:
  void write(const std::string& text) const { std::ofstream(file_) << text; }

  safawinet::testing::TemporaryFolder folder_;
  std::string file_ = folder_.path() / "in.txt";
};

TEST_F(InputFileTest, ATextIsReadUpToItsLimit) {
  write("four");
  EXPECT_EQ(text_of_file(file_, 4), "four");
  EXPECT_THROW(text_of_file(file_, 3), Failure);
}

TEST_F(InputFileTest, LinesAreTakenOneByOneTheLastWithoutItsEndToo) {
  write("one\n\nthree");
  std::vector<std::string> lines;
  for_each_line(file_, {.longest = 5, .limit = 10}, [&](std::string_view line) { lines.emplace_back(line); });
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "", "three"}));
  EXPECT_THROW(for_each_line(file_, {.longest = 4, .limit = 10}, [](std::string_view) {}), Failure);
  EXPECT_THROW(for_each_line(file_, {.longest = 5, .limit = 9}, [](std::string_view) {}), Failure);
}

TEST_F(InputFileTest, ADeviceAFolderAndWhatIsNotThereAreRefused) {
  for (const auto* path : {"/dev/zero", "/", "/nowhere/at/all"}) {
    EXPECT_THROW(text_of_file(path, 10), Failure) << path;
  }
}

}  // namespace
}  // namespace safawinet::cli
