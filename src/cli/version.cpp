#include "app/version.hpp"

#include <CLI/CLI.hpp>

#include <iostream>

#include "cli/commands.hpp"
#include "cli/desk.hpp"

namespace safawinet::cli {

void add_version(CLI::App& app, int& exit_code) {
  app.set_version_flag("--version", "safawinet " + std::string(app::kVersion), "Print the version");
  auto* command = app.add_subcommand("version", "Print the version");
  command->footer(example_footer("safawinet version --json"));
  const auto is_json = std::make_shared<bool>(false);
  command->add_flag("--json", *is_json, "Print JSON");
  command->callback([is_json, &exit_code] {
    if (*is_json) {
      std::cout << "{\"version\":\"" << app::kVersion << "\"}\n";
    } else {
      std::cout << "safawinet " << app::kVersion << '\n';
    }
    exit_code = 0;
  });
}

}  // namespace safawinet::cli
