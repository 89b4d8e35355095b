#include "cli/settings_option.hpp"

#include <CLI/CLI.hpp>

#include <iostream>

#include "cli/failure.hpp"
#include "cli/text.hpp"
#include "config/config.hpp"

namespace safawinet::cli {

std::shared_ptr<std::string> add_settings_option(CLI::App& command) {
  auto file = std::make_shared<std::string>();
  command
      .add_option("--config", *file,
                  "Settings file (default: $SAFAWINET_CONFIG, ./safawinet.toml, /etc/safawinet/safawinet.toml)")
      ->type_name("FILE");
  return file;
}

std::optional<config::Settings> load_settings(const std::string& file) {
  const auto path = file.empty() ? std::nullopt : std::optional<std::filesystem::path>(file);
  auto settings = config::load(config::process_environment(), path);
  if (settings) return std::move(*settings);
  for (const auto& problem : settings.error()) std::cerr << "safawinet: " << problem.text() << '\n';
  return std::nullopt;
}

config::Settings get_settings(const std::string& file) {
  auto settings = load_settings(file);
  if (!settings) {
    throw Failure("the settings cannot be used",
                  "safawinet config check" + (file.empty() ? "" : " --config " + shell_word(file)), kUsage);
  }
  return std::move(*settings);
}

}  // namespace safawinet::cli
