#include <CLI/CLI.hpp>

#include <algorithm>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "app/start_failure.hpp"
#include "cli/commands.hpp"
#include "cli/text.hpp"
#include "cli/usage.hpp"

namespace {

int refuse(std::string_view what, std::string_view next) {
  std::cerr << "safawinet: " << safawinet::cli::inert(what) << "\n  try: " << safawinet::cli::inert(next) << '\n';
  return safawinet::app::kExitUsage;
}

}  // namespace

int main(int argument_count, char** arguments) {
  std::vector<std::string> words(arguments + std::min(1, argument_count), arguments + argument_count);
  if (std::ranges::any_of(words, safawinet::cli::looks_like_token)) {
    return refuse("an argument looks like a token, and arguments are seen by everybody on this machine",
                  "safawinet session find, which reads it from stdin or --file; it should not be used any more");
  }
  // "help user list" is "user list --help".
  if (!words.empty() && words.front() == "help") {
    words.erase(words.begin());
    words.emplace_back("--help");
  }
  CLI::App app("Accounts and sessions, and the operations desk for them.", "safawinet");
  int exit_code = 0;
  safawinet::cli::add_commands(app, exit_code);
  if (const auto mistake = safawinet::cli::mistake_in(app, words)) return refuse(mistake->what, mistake->next);
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // it takes them from the back
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // help, or the version
    return refuse(error.what(), safawinet::cli::command_in(app, words) + " --help");
  }
  return exit_code;
}
