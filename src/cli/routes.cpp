#include "api/routes.hpp"

#include <CLI/CLI.hpp>

#include <iostream>

#include "api/openapi.hpp"
#include "cli/commands.hpp"
#include "cli/desk.hpp"

namespace safawinet::cli {

void add_routes(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("routes", "List every route: method, path, who may call it, rate class, step-up");
  command->footer(example_footer("safawinet routes --json"));
  const auto is_json = std::make_shared<bool>(false);
  command->add_flag("--json", *is_json, "Print JSON");
  command->callback([is_json, &exit_code] {
    auto all = api::routes(api::Apis{});
    for (auto& route : api::operations_routes(nullptr)) all.push_back(std::move(route));
    std::cout << (*is_json ? api::routes_json(all) + "\n" : api::routes_text(all));
    exit_code = 0;
  });
}

}  // namespace safawinet::cli
