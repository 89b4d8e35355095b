// The commands. Each adds itself to the command line, and sets the exit code when it has run: 0 done, 1 refused or
// failed, 2 wrong usage.
#pragma once

#include <string>

namespace CLI {  // NOLINT: the library's own name
class App;
}

namespace safawinet::cli {

// The whole command line. `exit_code` outlives the application.
void add_commands(CLI::App& app, int& exit_code);

// The server and its machine
void add_serve(CLI::App& app, int& exit_code);
void add_migrate(CLI::App& app, int& exit_code);
void add_config(CLI::App& app, int& exit_code);
void add_routes(CLI::App& app, int& exit_code);
void add_version(CLI::App& app, int& exit_code);
// What is done through the API
void add_context(CLI::App& app, int& exit_code);
void add_user(CLI::App& app, int& exit_code);
void add_factor(CLI::App& app, int& exit_code);
void add_session(CLI::App& app, int& exit_code);
void add_logout(CLI::App& app, int& exit_code);
void add_mode(CLI::App& app, int& exit_code);
void add_api_key(CLI::App& app, int& exit_code);
void add_keys(CLI::App& app, int& exit_code);
void add_audit(CLI::App& app, int& exit_code);
void add_attack(CLI::App& app, int& exit_code);
void add_mail(CLI::App& app, int& exit_code);
void add_bounce(CLI::App& app, int& exit_code);
void add_suppression(CLI::App& app, int& exit_code);
void add_outbox(CLI::App& app, int& exit_code);
// The shell
void add_completion(CLI::App& app, int& exit_code);

// Whether an argument has the form of a token or key. Arguments are seen by everybody on the machine.
bool looks_like_token(const std::string& argument);

}  // namespace safawinet::cli
