#include <CLI/CLI.hpp>

#include <unistd.h>

#include <algorithm>
#include <optional>

#include "base/ids.hpp"
#include "cli/commands.hpp"
#include "cli/desk.hpp"
#include "cli/failure.hpp"
#include "cli/input_file.hpp"
#include "cli/text.hpp"

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

Uuid session_id_of(const std::string& text) {
  const auto id = Uuid::parse(text);
  if (!id) throw Failure("no such id: " + text, "safawinet session list USER", kUsage);
  return *id;
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
        const auto wanted = session_id_of(options->session);
        const auto user = get_user(api, options->user);
        const auto path = "/v1/admin/users/" + text_at(user, "id") + "/sessions";
        std::optional<boost::json::object> session;
        for_each_item(api, path, {{"limit", "200"}}, [&](const boost::json::object& one) {
          if (Uuid::parse(text_at(one, "id")) == wanted) session = one;
          return !session;
        });
        if (!session) {
          throw Failure(text_at(user, "email") + " has no session " + options->session,
                        "safawinet session list " + shell_word(text_at(user, "email")));
        }
        const auto preview = "This ends the session of " + name_of_user(user) + " on " +
                             text_at(*session, "deviceName") + ", last used " + time_at(*session, "lastUsedAt") +
                             " from " + text_at(*session, "ipAddress") + ".";
        const Plan plan{.preview = preview,
                        .question = "End it?",
                        .seen = boost::json::object{{"dryRun", true}, {"session", *session}}};
        if (!may_go_on(desk, *options->consent, plan)) return;
        const auto ended_session_id = text_at(*session, "id");
        api.remove(path + "/" + ended_session_id, {{"reason", options->reason}});
        desk.print_done("Ended it; its access tokens are refused.", boost::json::object{{"ended", ended_session_id}});
      });
  verb.add_option("user", options->user, "Id or e-mail address")->type_name("USER")->required();
  verb.add_option("session", options->session, "Its id, as session list shows it")->type_name("SESSION")->required();
  verb.add_option("--reason", options->reason, "Why, for the record")->type_name("TEXT");
  options->consent = add_consent(verb);
}

// --- finding what a text names

constexpr std::size_t kTextLimit = 32'768;  // bytes: a body has at most 64 KiB

void print_line(Desk& desk, const std::string& title, const std::string& text) {
  desk.console().write(inert(title + "  " + text) + "\n");
}

// How this command line ends it.
std::string command_of(const boost::json::object& call) {
  const auto what = text_at(call, "what");
  const auto body = object_at(call, "body");
  if (what == "log-out-user") return "safawinet logout user " + shell_word(text_at(body, "userId"));
  if (what == "log-out-network") {
    return "safawinet logout matching --ip-network " + shell_word(text_at(object_at(body, "criteria"), "ipNetwork"));
  }
  const auto path = text_at(call, "path");
  if (what == "end-session") {
    // /v1/admin/users/USER/sessions/SESSION
    const auto session = path.rfind('/');
    const auto user_end = path.rfind('/', session - 1);
    const auto user = path.rfind('/', user_end - 1);
    return "safawinet session end " + shell_word(path.substr(user + 1, user_end - user - 1)) + " " +
           shell_word(path.substr(session + 1));
  }
  if (what == "revoke-api-key") {
    return "safawinet api-key revoke " + shell_word(path.substr(path.rfind('/') + 1));
  }
  return text_at(call, "method") + " " + path;
}

std::string count_of(const boost::json::object& sessions, const std::string& how) {
  const auto count = text_at(sessions, "count");
  return count + (count == "1" ? " session " : " sessions ") + how;
}

void print_found(Desk& desk, const boost::json::object& answer) {
  const auto& items = items_at(answer, "items");
  if (items.empty()) {
    desk.console().write("Nothing in it names a session, a user, a key or a network.\n");
    return;
  }
  std::vector<std::string> commands;
  auto table = desk.table({"KIND", "STATE", "USER", "SESSION", "KEY", "DEVICE", "ADDRESS", "LAST USED"},
                          Table::Cells::stay_whole);
  for (const auto& item : items) {
    const auto& found = object_of(item);
    const auto user = object_at(found, "user");
    const auto session = object_at(found, "session");
    const auto key = object_at(found, "apiKey");
    table.add({text_at(found, "kind"), text_at(found, "state"), user.empty() ? "" : name_of_user(user),
               text_at(session, "id"), text_at(found, "keyId"),
               session.empty() ? text_at(key, "name") : text_at(session, "deviceName"),
               session.empty() ? text_at(found, "network") : text_at(session, "ipAddress"),
               session.empty() ? "" : time_at(session, "lastUsedAt")});
    for (const auto& one : items_at(found, "revokeWith")) {
      const auto& call = object_of(one);
      auto command = desk.reaching(command_of(call));
      if (text_at(call, "isAllowed") == "false") command += "   (not with your permissions)";
      if (std::ranges::find(commands, command) == commands.end()) commands.push_back(std::move(command));
    }
  }
  table.finish();
  if (is_set(answer, "isCut")) desk.console().note("There is more in it: these are the first.");
  desk.console().write("\n");
  for (const auto& one : items_at(answer, "users")) {
    const auto& beside = object_of(one);
    print_line(desk, name_of_user(object_at(beside, "user")),
               count_of(object_at(beside, "liveSessions"), "live") + ", " +
                   count_of(object_at(beside, "endedSessions"), "ended"));
  }
  for (const auto& one : items_at(answer, "networks")) {
    const auto& beside = object_of(one);
    print_line(desk, text_at(beside, "network"), count_of(object_at(beside, "liveSessions"), "live"));
  }
  if (commands.empty()) return;
  desk.console().write("\nTo end it:\n");
  for (const auto& command : commands) print_line(desk, "", command);
}

void add_find(CLI::App& noun, int& exit_code) {
  auto file = std::make_shared<std::string>();
  auto& verb = add_verb(
      noun, exit_code,
      {.name = "find",
       .description = "Say whose session a leaked token, cookie, key, log line, address or network "
                      "names; the text (at most 32,768 bytes) comes from stdin or a file, never from an argument",
       .example = "safawinet session find < leaked.txt\n"
                  "grep 203.0.113.7 access.log | tail -n 20 | safawinet session find --json"},
      [file](Desk& desk) {
        const bool is_from_stdin = file->empty() || *file == "-";
        if (is_from_stdin && ::isatty(STDIN_FILENO) != 0) {
          desk.console().note("Paste the text; Ctrl-D on a line of its own ends it.");
        }
        const auto text = readable(text_of_file(is_from_stdin ? "-" : *file, kTextLimit));
        if (text.empty()) throw Failure("there is no text to look at", {}, kUsage);
        const auto answer = desk.api().post("/v1/admin/sessions/find", {{"text", text}});
        if (desk.is_json()) {
          desk.print_json(answer);
        } else {
          print_found(desk, object_of(answer));
        }
      });
  verb.add_option("--file", *file, "Read the text from this file instead of stdin; - is stdin")->type_name("FILE");
}

}  // namespace

void print_sessions(Desk& desk, const std::string& user, std::size_t limit) {
  const auto id = text_at(get_user(desk.api(), user), "id");
  print_list(desk, "/v1/admin/users/" + id + "/sessions", {}, limit,
             {"ID", "DEVICE", "ADDRESS", "LAST USED", "BEGAN", "EXPIRES", "USER AGENT"},
             [](const boost::json::object& session) -> std::vector<std::string> {
               return {text_at(session, "id"),         text_at(session, "deviceName"), text_at(session, "ipAddress"),
                       time_at(session, "lastUsedAt"), time_at(session, "createdAt"),  time_at(session, "expiresAt"),
                       text_at(session, "userAgent")};
             });
}

void add_session(CLI::App& app, int& exit_code) {
  auto& noun = add_noun(app, "session", "Signed-in devices", "safawinet session list ada@example.com");
  add_list(noun, exit_code);
  add_end(noun, exit_code);
  add_find(noun, exit_code);
}

}  // namespace safawinet::cli
