#include "cli/usage.hpp"

#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"

namespace safawinet::cli {
namespace {

class UsageTest : public testing::Test {
 protected:
  UsageTest() : app_("Text", "safawinet") { add_commands(app_, exit_code_); }

  CLI::App app_;
  int exit_code_ = 0;
};

TEST_F(UsageTest, NamesTheCommandThatThereIsNot) {
  const auto unknown = mistake_in(app_, {"frobnicate"});
  ASSERT_TRUE(unknown);
  EXPECT_EQ(unknown->what, "there is no command \"frobnicate\"");
  EXPECT_EQ(unknown->next, "safawinet --help");
  const auto near = mistake_in(app_, {"user", "lst"});
  ASSERT_TRUE(near);
  EXPECT_EQ(near->what, "there is no command \"lst\"");
  EXPECT_EQ(near->next, "safawinet user list, or safawinet user --help");
}

TEST_F(UsageTest, SaysWhereTheOptionsOfVerbsStand) {
  for (const auto* word : {"--context", "--context=ops", "--local"}) {
    const auto mistake = mistake_in(app_, {word, "user", "list"});
    ASSERT_TRUE(mistake);
    EXPECT_NE(mistake->what.find("comes after the verb"), std::string::npos);
  }
}

TEST_F(UsageTest, FindsNothingWrongWithACommandThatThereIs) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"user", "list"}, {"user", "show", "ada"}, {"serve"}, {"--help"}, {"user", "-h"}, {"--version"}}) {
    EXPECT_FALSE(mistake_in(app_, words)) << words.front();
  }
  EXPECT_EQ(command_in(app_, {"user", "list", "--nothing"}), "safawinet user list");
}

TEST_F(UsageTest, ListsWhatMayFollow) {
  const auto mistake = mistake_in(app_, {"session"});
  ASSERT_TRUE(mistake);
  EXPECT_EQ(mistake->what, "a command is missing: list, end, find");
}

}  // namespace
}  // namespace safawinet::cli
