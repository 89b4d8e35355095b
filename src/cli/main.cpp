#include <CLI/CLI.hpp>

#include "app/start_failure.hpp"
#include "cli/commands.hpp"

int main(int argument_count, char** arguments) {
  using namespace safawinet;
  CLI::App app("Accounts and sessions, and the operations desk for them.", "safawinet");
  app.require_subcommand(1);
  app.get_formatter()->column_width(28);
  int exit_code = 0;
  cli::add_serve(app, exit_code);
  cli::add_migrate(app, exit_code);
  cli::add_config(app, exit_code);
  cli::add_routes(app, exit_code);
  cli::add_version(app, exit_code);
  try {
    app.parse(argument_count, arguments);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : app::kExitUsage;
  }
  return exit_code;
}
