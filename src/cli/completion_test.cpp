#include "cli/completion.hpp"

#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

#include <algorithm>

#include "cli/commands.hpp"

namespace safawinet::cli {
namespace {

class CompletionTest : public testing::Test {
 protected:
  CompletionTest() : app_("Text", "safawinet") {
    add_commands(app_, exit_code_);
    tree_ = command_tree(app_);
  }

  [[nodiscard]] const CommandNode* find(std::string_view path) const {
    const auto found = std::ranges::find(tree_, path, &CommandNode::path);
    return found == tree_.end() ? nullptr : &*found;
  }

  CLI::App app_;
  int exit_code_ = 0;
  std::vector<CommandNode> tree_;
};

TEST_F(CompletionTest, KnowsEveryCommandOfTheTree) {
  for (const auto* path : {"", "serve", "user", "user list", "context login", "logout matching", "completion bash"}) {
    EXPECT_NE(find(path), nullptr) << path;
  }
  const auto& verbs = find("user")->verbs;
  EXPECT_NE(std::ranges::find(verbs, "show"), verbs.end());
}

TEST_F(CompletionTest, KnowsWhatAnOptionTakes) {
  const auto option_of = [&](std::string_view path, std::string_view name) {
    for (const auto& option : find(path)->options) {
      if (std::ranges::find(option.names, name) != option.names.end()) return option;
    }
    return Completed{};
  };
  EXPECT_FALSE(option_of("user list", "--json").takes_value);
  EXPECT_TRUE(option_of("user list", "--query").takes_value);
  EXPECT_TRUE(option_of("context add", "--ca-file").takes_file);
  const std::vector<std::string> roles{"customer", "support", "admin", "superadmin"};
  EXPECT_EQ(option_of("logout matching", "--role").values, roles);
}

TEST_F(CompletionTest, EveryCommandHasADescription) {
  for (const auto& node : tree_) EXPECT_FALSE(node.description.empty()) << node.path;
}

TEST_F(CompletionTest, NamesEveryCommandForEveryShell) {
  for (const auto& script : {bash_completion(app_), zsh_completion(app_), fish_completion(app_)}) {
    for (const auto& node : tree_) {
      if (node.path.empty()) continue;  // no word has been typed yet
      EXPECT_NE(script.find("'" + node.path + "'"), std::string::npos) << node.path;
    }
  }
}

TEST(LooksLikeToken, KnowsOurTokensAndJwtAnywhereInAnArgument) {
  const std::string long_text(49, 'A');
  EXPECT_TRUE(looks_like_token("sf_rt_" + long_text));
  EXPECT_TRUE(looks_like_token("sf_ak_" + long_text));
  EXPECT_TRUE(looks_like_token("--text=sf_pr_" + long_text));
  EXPECT_TRUE(looks_like_token("Authorization: Bearer eyJhbGciOi.eyJzdWIiOi.c2ln"));
  for (const auto* text : {"ada@example.com", "sf_rt_", "sf_config.toml", "my_sf_rt_notes", "eyJ", "a.b.c", "--json"}) {
    EXPECT_FALSE(looks_like_token(text)) << text;
  }
}

}  // namespace
}  // namespace safawinet::cli
