// The commands. Each adds itself to the command line, and sets the exit code when it has run: 0 done, 1 refused or
// failed, 2 wrong usage.
#pragma once

namespace CLI {
class App;
}

namespace safawinet::cli {

void add_serve(CLI::App& app, int& exit_code);
void add_migrate(CLI::App& app, int& exit_code);
void add_config(CLI::App& app, int& exit_code);
void add_routes(CLI::App& app, int& exit_code);
void add_version(CLI::App& app, int& exit_code);

}  // namespace safawinet::cli
