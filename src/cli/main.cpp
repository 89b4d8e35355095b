#include <CLI/CLI.hpp>

#include <algorithm>
#include <iostream>
#include <string>

#include "app/start_failure.hpp"
#include "cli/commands.hpp"

int main(int argument_count, char** arguments) {
  if (std::any_of(arguments + 1, arguments + argument_count, safawinet::cli::looks_like_token)) {
    std::cerr << "safawinet: an argument looks like a token, and arguments are seen by everybody on this machine\n"
                 "  try: safawinet session find, which reads it from stdin or --file; it should not be used any more\n";
    return safawinet::app::kExitUsage;
  }
  CLI::App app("Accounts and sessions, and the operations desk for them.", "safawinet");
  int exit_code = 0;
  safawinet::cli::add_commands(app, exit_code);
  try {
    app.parse(argument_count, arguments);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : safawinet::app::kExitUsage;
  }
  return exit_code;
}
