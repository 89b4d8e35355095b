#include "cli/commands.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>

#include "cli/desk.hpp"
#include "cli/text.hpp"

namespace safawinet::cli {
namespace {

// What goes into JSON has to be UTF-8; a file's name may be anything.
void check_texts(CLI::App& command) {
  for (auto* option : command.get_options()) {
    if (option->get_items_expected_max() == 0 || option->get_type_name().starts_with("FILE")) continue;
    option->check([](const std::string& text) { return is_utf8(text) ? std::string() : "is not UTF-8"; });
  }
  for (auto* below : command.get_subcommands([](CLI::App*) { return true; })) check_texts(*below);
}

}  // namespace

void add_commands(CLI::App& app, int& exit_code) {
  app.require_subcommand(1);
  app.get_formatter()->column_width(28);
  app.footer(
      example_footer("safawinet serve\n"
                     "safawinet context add prod --url https://accounts.example.com\n"
                     "safawinet user show ada@example.com\n"
                     "safawinet user list --local"));
  add_serve(app, exit_code);
  add_migrate(app, exit_code);
  add_config(app, exit_code);
  add_routes(app, exit_code);
  add_version(app, exit_code);
  add_context(app, exit_code);
  add_user(app, exit_code);
  add_factor(app, exit_code);
  add_session(app, exit_code);
  add_logout(app, exit_code);
  add_mode(app, exit_code);
  add_api_key(app, exit_code);
  add_keys(app, exit_code);
  add_audit(app, exit_code);
  add_attack(app, exit_code);
  add_mail(app, exit_code);
  add_bounce(app, exit_code);
  add_suppression(app, exit_code);
  add_outbox(app, exit_code);
  add_completion(app, exit_code);
  check_texts(app);
}

bool looks_like_token(const std::string& argument) {
  // sf_rt_…, sf_ak_…, the tokens of mails; a JWT has a header in base64url, which begins with {" as eyJ.
  const auto own = argument.find("sf_");
  if (own != std::string::npos && argument.size() - own > 20 && argument.find('_', own + 3) == own + 5) return true;
  const auto jwt = argument.find("eyJ");
  return jwt != std::string::npos &&
         std::count(argument.begin() + static_cast<std::ptrdiff_t>(jwt), argument.end(), '.') >= 2;
}

}  // namespace safawinet::cli
