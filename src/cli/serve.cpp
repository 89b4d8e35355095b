#include <CLI/CLI.hpp>

#include <iostream>

#include "app/application.hpp"
#include "app/start_failure.hpp"
#include "cli/commands.hpp"
#include "cli/desk.hpp"
#include "cli/settings_option.hpp"

namespace safawinet::cli {
namespace {

int serve(const std::string& file) {
  const auto settings = load_settings(file);
  if (!settings) return app::kExitUsage;
  app::block_signals();
  try {
    app::Application application(*settings);
    application.run();
    return 0;
  } catch (const app::StartFailure& failure) {
    std::cerr << "safawinet: " << failure.what() << '\n';
    return failure.exit_code();
  } catch (const std::exception& failure) {
    std::cerr << "safawinet: cannot start: " << failure.what() << '\n';
    return app::kExitFailed;
  }
}

}  // namespace

void add_serve(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("serve", "Start the server");
  command->footer("Serves until SIGINT or SIGTERM. Logs are JSON lines on stderr.\n\n" +
                  example_footer("safawinet serve --config /etc/safawinet/safawinet.toml"));
  const auto file = add_settings_option(*command);
  command->callback([file, &exit_code] { exit_code = serve(*file); });
}

}  // namespace safawinet::cli
