#include <CLI/CLI.hpp>

#include <optional>

#include "cli/commands.hpp"
#include "cli/desk.hpp"
#include "cli/failure.hpp"

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

void add_end(CLI::App& noun, int& exit_code) {
  struct Options {
    std::string user, session, reason;
    std::shared_ptr<Consent> consent;
  };
  auto options = std::make_shared<Options>();
  auto& verb = add_verb(
      noun, exit_code,
      {.name = "end",
       .description = "End one session of a user, at once",
       .example = "safawinet session list ada@example.com\n"
                  "safawinet session end ada@example.com 01a22430-852c-77a9-9b81-9ebaa044760d"},
      [options](Desk& desk) {
        auto& api = desk.api();
        const auto user = find_user(api, options->user);
        const auto path = "/v1/admin/users/" + text_at(user, "id") + "/sessions";
        std::optional<boost::json::object> session;
        for_each_item(api, path, {{"limit", "200"}}, [&](const boost::json::object& one) {
          if (text_at(one, "id") == options->session) session = one;
          return !session;
        });
        if (!session) {
          throw Failure(text_at(user, "email") + " has no session " + options->session,
                        "safawinet session list " + text_at(user, "email"));
        }
        const auto preview = "This ends the session of " + name_of_user(user) + " on " +
                             text_at(*session, "deviceName") + ", last used " + time_at(*session, "lastUsedAt") +
                             " from " + text_at(*session, "ipAddress") + ".";
        if (options->consent->is_dry_run) {
          desk.print_done(preview, boost::json::object{{"dryRun", true}, {"session", *session}});
          return;
        }
        if (!options->consent->is_given) desk.console().note(preview);
        if (!may_go_on(desk, *options->consent, "End it?")) return;
        api.remove(path + "/" + options->session, {{"reason", options->reason}});
        desk.print_done("Ended it; its access tokens are refused.", boost::json::object{{"ended", options->session}});
      });
  verb.add_option("user", options->user, "Id or e-mail address")->type_name("USER")->required();
  verb.add_option("session", options->session, "Its id, as session list shows it")->type_name("SESSION")->required();
  verb.add_option("--reason", options->reason, "Why, for the record")->type_name("TEXT");
  options->consent = add_consent(verb);
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
  add_end(noun, exit_code);
}

}  // namespace safawinet::cli
