#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/desk.hpp"

namespace safawinet::cli {
namespace {

std::vector<std::string> row_of(const boost::json::object& user) {
  return {text_at(user, "id"),          text_at(user, "email"),
          text_at(user, "role"),        is_set(user, "isActive") ? "yes" : "no",
          time_at(user, "lastLoginAt"), text_at(user, "name")};
}

void print_user(Desk& desk, const boost::json::object& user) {
  if (desk.is_json()) {
    desk.print_json(user);
    return;
  }
  desk.print_record({{"Id", text_at(user, "id")},
                     {"E-mail", text_at(user, "email")},
                     {"Verified", is_set(user, "emailVerified") ? "yes" : "no"},
                     {"Mail", text_at(user, "emailStatus")},
                     {"Name", text_at(user, "name")},
                     {"Locale", text_at(user, "locale")},
                     {"Role", text_at(user, "role")},
                     {"Active", is_set(user, "isActive") ? "yes" : "no"},
                     {"Disabled because", text_at(user, "disabledReason")},
                     {"Disabled at", time_at(user, "disabledAt")},
                     {"Created", time_at(user, "createdAt")},
                     {"Last login", time_at(user, "lastLoginAt")}});
}

void add_list(CLI::App& noun, int& exit_code) {
  auto query = std::make_shared<std::string>();
  auto limit = std::make_shared<std::shared_ptr<std::size_t>>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "list",
                         .description = "Find users, the newest first",
                         .example = "safawinet user list --query example.com\nsafawinet user list --json --limit 1000"},
                        [=](Desk& desk) {
                          print_list(desk, "/v1/admin/users", {{"query", *query}}, **limit,
                                     {"ID", "E-MAIL", "ROLE", "ACTIVE", "LAST LOGIN", "NAME"}, row_of);
                        });
  verb.add_option("--query", *query, "Text that the address or the name contains")->type_name("TEXT");
  *limit = add_limit(verb);
}

void add_show(CLI::App& noun, int& exit_code) {
  auto user = std::make_shared<std::string>();
  auto& verb =
      add_verb(noun, exit_code,
               {.name = "show", .description = "Show one user", .example = "safawinet user show ada@example.com"},
               [user](Desk& desk) { print_user(desk, find_user(desk.api(), *user)); });
  verb.add_option("user", *user, "Id or e-mail address")->type_name("USER")->required();
}

void add_sessions(CLI::App& noun, int& exit_code) {
  auto user = std::make_shared<std::string>();
  auto limit = std::make_shared<std::shared_ptr<std::size_t>>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "sessions",
                         .description = "List where a user is signed in: the same as session list",
                         .example = "safawinet user sessions ada@example.com"},
                        [=](Desk& desk) { print_sessions(desk, *user, **limit); });
  verb.add_option("user", *user, "Id or e-mail address")->type_name("USER")->required();
  *limit = add_limit(verb);
}

void add_invite(CLI::App& noun, int& exit_code) {
  auto email = std::make_shared<std::string>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "invite",
                         .description = "Mail an invitation to sign up",
                         .example = "safawinet user invite grace@example.com"},
                        [email](Desk& desk) {
                          desk.api().post("/v1/admin/invitations", {{"email", *email}});
                          desk.print_done("Invited " + *email + "; the mail is on its way.",
                                          boost::json::object{{"invited", *email}});
                        });
  verb.add_option("email", *email, "The address")->type_name("ADDRESS")->required();
}

}  // namespace

void add_user(CLI::App& app, int& exit_code) {
  auto& noun = add_noun(app, "user", "Accounts: find and look at them", "safawinet user show ada@example.com");
  add_list(noun, exit_code);
  add_show(noun, exit_code);
  add_sessions(noun, exit_code);
  add_invite(noun, exit_code);
}

}  // namespace safawinet::cli
