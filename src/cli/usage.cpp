#include "cli/usage.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <string_view>
#include <utility>

namespace safawinet::cli {
namespace {

constexpr std::size_t kNear = 2;  // letters that differ
// What every verb that speaks to the API takes, and is often typed before the verb.
constexpr std::array<std::string_view, 4> kOptionsOfVerbs{"--context", "--local", "--config", "--json"};

std::vector<const CLI::App*> shown_below(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
}

const CLI::App* find_below(const CLI::App& app, const std::string& name) {
  const auto found = app.get_subcommands([&](const CLI::App* command) { return command->get_name() == name; });
  return found.empty() ? nullptr : found.front();
}

// By Levenshtein: how many letters are to be put in, taken away or changed.
std::size_t distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), 0U);
  for (std::size_t i = 1; i <= from.size(); ++i) {
    auto diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const auto changed = diagonal + (from[i - 1] == to[j - 1] ? 0U : 1U);
      diagonal = std::exchange(row[j], std::min({changed, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row.back();
}

// The command that was probably meant; empty when there is none.
std::string nearest(const CLI::App& app, const std::string& word) {
  std::string best;
  auto least = std::min(kNear, word.size() - 1) + 1;
  for (const auto* command : shown_below(app)) {
    const auto letters = distance(word, command->get_name());
    if (letters >= least) continue;
    least = letters;
    best = command->get_name();
  }
  return best;
}

std::string names_below(const CLI::App& app) {
  std::string names;
  for (const auto* command : shown_below(app)) names += (names.empty() ? "" : ", ") + command->get_name();
  return names;
}

UsageMistake misplaced(const std::string& option, const std::string& help) {
  return {.what = option + " comes after the verb", .next = "safawinet user list " + option + ", or " + help};
}

UsageMistake unknown(const std::string& word, const CLI::App& among, const std::string& path) {
  const auto help = path + " --help";
  const auto near = word.empty() ? std::string() : nearest(among, word);
  return {.what = "there is no command \"" + word + "\"",
          .next = near.empty() ? help : path + " " + near + ", or " + help};
}

}  // namespace

std::string command_in(const CLI::App& app, const std::vector<std::string>& words) {
  const auto* command = &app;
  std::string path = app.get_name();
  for (const auto& word : words) {
    const auto* below = find_below(*command, word);
    if (below == nullptr) break;
    command = below;
    path += " " + word;
  }
  return path;
}

std::optional<UsageMistake> mistake_in(const CLI::App& app, const std::vector<std::string>& words) {
  const auto* command = &app;
  std::string path = app.get_name();
  for (const auto& word : words) {
    if (shown_below(*command).empty()) return std::nullopt;  // a verb; the rest is its own
    if (word.starts_with('-')) {
      const auto name = word.substr(0, word.find('='));
      if (std::ranges::find(kOptionsOfVerbs, name) == kOptionsOfVerbs.end()) return std::nullopt;
      return misplaced(name, path + " --help");
    }
    const auto* below = find_below(*command, word);
    if (below == nullptr) return unknown(word, *command, path);
    command = below;
    path += " " + word;
  }
  if (shown_below(*command).empty()) return std::nullopt;
  return UsageMistake{.what = "a command is missing: " + names_below(*command), .next = path + " --help"};
}

}  // namespace safawinet::cli
