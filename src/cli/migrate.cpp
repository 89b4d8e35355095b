#include <CLI/CLI.hpp>

#include <iostream>

#include "app/data_folder.hpp"
#include "app/start_failure.hpp"
#include "app/storage.hpp"
#include "cli/commands.hpp"
#include "cli/desk.hpp"
#include "cli/settings_option.hpp"

namespace safawinet::cli {
namespace {

int migrate(const std::string& file, bool is_json) {
  const auto settings = load_settings(file);
  if (!settings) return app::kExitUsage;
  try {
    const bool is_embedded = settings->database.url.empty();
    const app::DataFolder folder(settings->storage.data_dir,
                                 is_embedded ? app::DataFolder::Use::alone : app::DataFolder::Use::shared);
    const auto on_wait = [](std::string_view reason) { std::cerr << "safawinet: waiting: " << reason << '\n'; };
    const auto version = app::migrate_schema(*settings, on_wait);
    if (is_json) {
      std::cout << "{\"from\":" << version.before << ",\"to\":" << version.after << "}\n";
    } else if (version.before == version.after) {
      std::cout << "The schema is up to date (version " << version.after << ").\n";
    } else {
      std::cout << "Migrated the schema from version " << version.before << " to " << version.after << ".\n";
    }
    return 0;
  } catch (const app::StartFailure& failure) {
    std::cerr << "safawinet: " << failure.what() << '\n';
    return failure.exit_code();
  } catch (const std::exception& failure) {
    std::cerr << "safawinet: " << failure.what() << '\n';
    return app::kExitFailed;
  }
}

}  // namespace

void add_migrate(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("migrate", "Bring the database to the schema of this binary");
  command->footer(example_footer("safawinet migrate --json"));
  const auto file = add_settings_option(*command);
  const auto is_json = std::make_shared<bool>(false);
  command->add_flag("--json", *is_json, "Print JSON");
  command->callback([file, is_json, &exit_code] { exit_code = migrate(*file, *is_json); });
}

}  // namespace safawinet::cli
