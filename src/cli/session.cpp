#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/desk.hpp"

namespace safawinet::cli {
namespace {

void add_list(CLI::App& noun, int& exit_code) {
  auto user = std::make_shared<std::string>();
  auto limit = std::make_shared<std::shared_ptr<std::size_t>>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "list",
                         .description = "List where a user is signed in, the newest first",
                         .example = "safawinet session list ada@example.com"},
                        [=](Desk& desk) { print_sessions(desk, *user, **limit); });
  verb.add_option("user", *user, "Id or e-mail address")->type_name("USER")->required();
  *limit = add_limit(verb);
}

}  // namespace

void print_sessions(Desk& desk, const std::string& user, std::size_t limit) {
  const auto id = text_at(find_user(desk.api(), user), "id");
  print_list(desk, "/v1/admin/users/" + id + "/sessions", {}, limit,
             {"ID", "DEVICE", "ADDRESS", "BEGAN", "LAST USED", "EXPIRES", "USER AGENT"},
             [](const boost::json::object& session) -> std::vector<std::string> {
               return {text_at(session, "id"),        text_at(session, "deviceName"), text_at(session, "ipAddress"),
                       time_at(session, "createdAt"), time_at(session, "lastUsedAt"), time_at(session, "expiresAt"),
                       text_at(session, "userAgent")};
             });
}

void add_session(CLI::App& app, int& exit_code) {
  auto& noun = add_noun(app, "session", "Signed-in devices", "safawinet session list ada@example.com");
  add_list(noun, exit_code);
}

}  // namespace safawinet::cli
