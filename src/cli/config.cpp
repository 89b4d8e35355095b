#include "config/config.hpp"

#include <CLI/CLI.hpp>

#include <iostream>

#include "app/start_failure.hpp"
#include "cli/commands.hpp"
#include "cli/desk.hpp"
#include "cli/settings_option.hpp"

namespace safawinet::cli {
namespace {

int check(const std::string& file, bool is_json) {
  const auto settings = load_settings(file);
  if (!settings) return app::kExitUsage;
  const auto from = settings->file ? settings->file->string() : std::string();
  if (is_json) {
    std::cout << "{\"ok\":true}\n";
  } else {
    std::cout << "The settings are fine" << (from.empty() ? " (no file; defaults and environment)" : " (" + from + ")")
              << ".\n";
  }
  return 0;
}

int show(const std::string& file, bool is_json) {
  const auto settings = load_settings(file);
  if (!settings) return app::kExitUsage;
  std::cout << (is_json ? config::show_json(*settings) : config::show_text(*settings));
  return 0;
}

}  // namespace

void add_config(CLI::App& app, int& exit_code) {
  auto* group = app.add_subcommand("config", "Check, show or write settings");
  group->require_subcommand(1);
  const auto file = add_settings_option(*group);
  const auto is_json = std::make_shared<bool>(false);

  auto* check_command =
      group->add_subcommand("check", "Say whether the settings can be used, and what is wrong if not");
  check_command->add_flag("--json", *is_json, "Print JSON");
  check_command->callback([file, is_json, &exit_code] { exit_code = check(*file, *is_json); });

  auto* show_command =
      group->add_subcommand("show", "Print every setting in effect and where it came from; secrets are hidden");
  show_command->add_flag("--json", *is_json, "Print JSON");
  show_command->callback([file, is_json, &exit_code] { exit_code = show(*file, *is_json); });

  auto* example_command = group->add_subcommand("example", "Print a settings file with every key, commented");
  example_command->callback([&exit_code] {
    std::cout << config::example_text();
    exit_code = 0;
  });
  group->footer(example_footer("safawinet config show"));
  check_command->footer(example_footer("safawinet config check --config /etc/safawinet/safawinet.toml"));
  show_command->footer(example_footer("safawinet config show --json"));
  example_command->footer(example_footer("safawinet config example > safawinet.toml"));
  for (auto* command : {check_command, show_command, example_command}) command->fallthrough();
}

}  // namespace safawinet::cli
