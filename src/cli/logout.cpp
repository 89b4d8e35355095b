#include <CLI/CLI.hpp>

#include <algorithm>
#include <set>

#include "base/ids.hpp"
#include "cli/commands.hpp"
#include "cli/desk.hpp"
#include "cli/failure.hpp"
#include "cli/input_file.hpp"
#include "cli/text.hpp"
#include "cli/when.hpp"

namespace safawinet::cli {
namespace {

constexpr std::string_view kBulkPath = "/v1/auth/force-logout-bulk";
constexpr std::chrono::milliseconds kBetweenLooks{500};
constexpr std::size_t kUsersLimit = 1'000;  // of the API, for the explicit list
constexpr LineLimits kUsersFileLimits{.longest = 1'024, .limit = std::size_t{1} << 20};  // bytes
// Matches every session: what a logout of everybody would end.
constexpr std::string_view kBeginningOfTime = "1970-01-01T00:00:00Z";

struct LogoutOptions {
  std::string reason;
  bool includes_own_session = false;
  std::shared_ptr<Consent> consent;

  [[nodiscard]] boost::json::object body() const {
    boost::json::object body;
    if (!reason.empty()) body["reason"] = reason;
    if (includes_own_session) body["includeOwnSession"] = true;
    return body;
  }
};

void add_options(CLI::App& verb, LogoutOptions& options) {
  verb.add_option("--reason", options.reason, "Why, for the record")->type_name("TEXT");
  verb.add_flag("--include-own-session", options.includes_own_session, "End the session that asks, too");
  options.consent = add_consent(verb);
}

std::string count_of(std::int64_t count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

void report_ended(Desk& desk, const boost::json::object& answer) {
  const auto spared = text_at(answer, "sparedSession");
  desk.print_done("Ended " + count_of(number_at(answer, "sessionsEnded"), "session") +
                      "; their access tokens are refused." +
                      (spared.empty() ? "" : " Spared the one that asked, " + spared + "."),
                  answer);
}

// --- one user

struct SessionCount {
  std::int64_t ended = 0;
  bool spares_own = false;
};

SessionCount count_sessions(Api& api, const std::string& user, bool includes_own) {
  SessionCount count;
  const auto path = "/v1/admin/users/" + user + "/sessions";
  for_each_item(api, path, {{"limit", "200"}}, [&](const boost::json::object& session) {
    const bool is_spared = is_set(session, "current") && !includes_own;
    count.spares_own = count.spares_own || is_spared;
    if (!is_spared) ++count.ended;
    return true;
  });
  return count;
}

void log_out_user(Desk& desk, const std::string& name, const LogoutOptions& options) {
  auto& api = desk.api();
  const auto user = get_user(api, name);
  const auto id = text_at(user, "id");
  const auto count = count_sessions(api, id, options.includes_own_session);
  const std::string spared =
      count.spares_own ? " The session that asks is spared; --include-own-session ends it, too." : "";
  if (count.ended == 0) {
    desk.print_done("Nothing to do: " + name_of_user(user) + " has no session to end." + spared,
                    boost::json::object{{"sessionsEnded", 0}});
    return;
  }
  const Plan plan{
      .preview = "This ends " + count_of(count.ended, "session") + " of " + name_of_user(user) + "." + spared,
      .question = "Sign this user out?",
      .seen = boost::json::object{{"dryRun", true}, {"user", user}, {"sessions", count.ended}}};
  if (!may_go_on(desk, *options.consent, plan)) return;
  auto body = options.body();
  body["userId"] = id;
  report_ended(desk, object_of(api.post("/v1/auth/force-logout", body)));
}

void add_user_verb(CLI::App& noun, int& exit_code) {
  auto name = std::make_shared<std::string>();
  auto options = std::make_shared<LogoutOptions>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "user",
                         .description = "End all sessions of one user, at once",
                         .example = "safawinet logout user ada@example.com --reason 'Lost her phone'"},
                        [=](Desk& desk) { log_out_user(desk, *name, *options); });
  verb.add_option("user", *name, "Id or e-mail address")->type_name("USER")->required();
  add_options(verb, *options);
}

// --- everybody

void log_out_all(Desk& desk, const LogoutOptions& options) {
  auto& api = desk.api();
  auto question = options.body();
  question.erase("reason");
  question["criteria"] = boost::json::object{{"sessionCreatedAfter", kBeginningOfTime}};
  question["dryRun"] = true;
  const auto asked = api.try_post(kBulkPath, question);
  boost::json::object seen{{"dryRun", true}};
  std::string preview = "This ends the sessions of everybody, if you may do that: to count them you may not.";
  if (const auto* refusal = std::get_if<Refusal>(&asked)) {
    // Counting needs a permission of its own; ending does not wait for it.
    if (refusal->status != 403) fail(*refusal);
  } else {
    const auto& figures = object_of(std::get<boost::json::value>(asked));
    const auto above = object_of(figures.at("exemptions"));
    const auto sessions = number_at(figures, "sessions") + number_at(above, "sessionsAboveRole");
    const auto users = number_at(figures, "users") + number_at(above, "usersAboveRole");
    seen["sessions"] = sessions;
    seen["users"] = users;
    preview = "This ends " + count_of(sessions, "session") + " of " + count_of(users, "user") + ": everybody's.";
  }
  if (!may_go_on(desk, *options.consent, {.preview = preview, .question = "Sign everybody out?", .seen = seen})) return;
  report_ended(desk, object_of(api.post("/v1/auth/force-logout-all", options.body())));
}

void add_all(CLI::App& noun, int& exit_code) {
  auto options = std::make_shared<LogoutOptions>();
  auto& verb =
      add_verb(noun, exit_code,
               {.name = "all",
                .description = "End everybody's sessions, at once",
                .example = "safawinet logout all --dry-run\nsafawinet logout all --reason 'Signing key leaked'"},
               [options](Desk& desk) { log_out_all(desk, *options); });
  add_options(verb, *options);
}

// --- by criteria

struct Criteria {
  // Each with the member of the API that it becomes.
  std::vector<std::pair<std::string, std::shared_ptr<std::string>>> moments;
  std::vector<std::pair<std::string, std::shared_ptr<std::string>>> texts;
  bool never_logged_in = false;
  std::vector<std::string> users;
  std::string users_file;
};

void add_criteria(CLI::App& verb, Criteria& criteria) {
  const std::string group = "Criteria: all that are given must be true";
  const auto moment = [&](const std::string& option, const std::string& member, const std::string& meaning) {
    auto value = std::make_shared<std::string>();
    verb.add_option(option, *value, meaning)->type_name("WHEN")->group(group);
    criteria.moments.emplace_back(option + "\n" + member, value);
  };
  const auto text = [&](const std::string& option, const std::string& member, const std::string& meaning,
                        const std::string& type) {
    auto value = std::make_shared<std::string>();
    auto* added = verb.add_option(option, *value, meaning)->type_name(type)->group(group);
    criteria.texts.emplace_back(member, value);
    return added;
  };
  moment("--session-created-after", "sessionCreatedAfter",
         "Sessions that began at it or later, such as 12h or 2026-11-28");
  moment("--session-created-before", "sessionCreatedBefore", "Sessions that began earlier");
  moment("--session-used-after", "sessionUsedAfter", "Sessions that were last refreshed at it or later");
  moment("--session-used-before", "sessionUsedBefore", "Sessions that were last refreshed earlier: the idle");
  text("--ip-network", "ipNetwork", "Sessions that were last used from this network", "CIDR");
  text("--user-agent", "userAgent", "Sessions whose login had this text in its User-Agent", "TEXT");
  text("--role", "role", "Users of exactly this role", "ROLE")->check(CLI::IsMember(role_names()));
  text("--email-domain", "emailDomain", "Users with an address of this domain", "DOMAIN");
  verb.add_option("--user", criteria.users, "This user (id or e-mail address); may be repeated")
      ->type_name("USER")
      ->group(group);
  verb.add_option("--users-file", criteria.users_file, "The users in this file, one a line; - is stdin")
      ->type_name("FILE")
      ->group(group);
  moment("--user-created-after", "userCreatedAfter", "Users who signed up at it or later");
  moment("--user-created-before", "userCreatedBefore", "Users who signed up earlier");
  moment("--last-login-after", "lastLoginAfter", "Users whose last login was at it or later");
  moment("--last-login-before", "lastLoginBefore",
         "Users whose last login was earlier; meets many who are there every day: refreshing is no login");
  verb.add_flag("--never-logged-in", criteria.never_logged_in, "Users without a last login")->group(group);
}

struct ListedUser {
  std::string name;   // an id or an address
  std::string where;  // "--user", or the line of the file
};

std::vector<ListedUser> listed_users(const Criteria& criteria) {
  std::vector<ListedUser> users;
  for (const auto& name : criteria.users) users.push_back({.name = name, .where = "--user"});
  if (!criteria.users_file.empty()) {
    const auto file = criteria.users_file == "-" ? "stdin" : criteria.users_file;
    std::size_t number = 0;
    for_each_line(criteria.users_file, kUsersFileLimits, [&](std::string_view line) {
      ++number;
      while (line.ends_with('\r') || line.ends_with(' ')) line.remove_suffix(1);
      if (line.empty()) return;
      users.push_back({.name = std::string(line), .where = file + ", line " + std::to_string(number)});
    });
    if (users.empty()) throw Failure(file + " names nobody", {}, kUsage);
  }
  if (users.size() > kUsersLimit) {
    throw Failure("at most " + std::to_string(kUsersLimit) + " users can be listed", "split the list", kUsage);
  }
  for (const auto& user : users) {
    const bool can_be_one = Uuid::parse(user.name) || user.name.find('@') != std::string::npos;
    if (!can_be_one || !is_utf8(user.name)) {
      throw Failure(user.where + ": a user is named by id or e-mail address, not \"" + user.name + "\"",
                    "safawinet user list --query TEXT", kUsage);
    }
  }
  return users;
}

// A typing mistake would leave signed in whom it was about. `counted`: the users whom the criteria meet.
void refuse_unknown(Desk& desk, const std::vector<ListedUser>& users, std::int64_t counted) {
  std::set<std::string> names;
  for (const auto& user : users) names.insert(user.name);
  if (counted >= static_cast<std::int64_t>(names.size())) return;
  std::string unknown;
  std::size_t looked_up = 0;
  for (const auto& user : users) {
    if (!find_user(desk.api(), user.name)) unknown += "\n" + user.where + ": there is no user " + user.name;
    desk.console().progress("Looked up " + std::to_string(++looked_up) + " of " + std::to_string(users.size()) +
                            " users");
    check_interrupted();
  }
  if (unknown.empty()) return;
  for (auto rest = std::string_view(unknown).substr(1); !rest.empty();) {
    const auto end = std::min(rest.find('\n'), rest.size());
    desk.console().note(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  throw Failure("nothing was done: not all of these users exist", "safawinet user list --query TEXT", kUsage);
}

boost::json::object criteria_of(const Criteria& given, const std::vector<ListedUser>& users) {
  boost::json::object criteria;
  for (const auto& [names, value] : given.moments) {
    if (value->empty()) continue;
    const auto end = names.find('\n');
    criteria[names.substr(end + 1)] = when_text(*value, names.substr(0, end));
  }
  for (const auto& [member, value] : given.texts) {
    if (!value->empty()) criteria[member] = *value;
  }
  if (given.never_logged_in) criteria["neverLoggedIn"] = true;
  boost::json::array ids;
  boost::json::array emails;
  for (const auto& user : users) (Uuid::parse(user.name) ? ids : emails).emplace_back(user.name);
  if (!ids.empty()) criteria["userIds"] = std::move(ids);
  if (!emails.empty()) criteria["emails"] = std::move(emails);
  if (criteria.empty()) {
    throw Failure("no criterion is given", "safawinet logout matching --help; for everybody: safawinet logout all",
                  kUsage);
  }
  return criteria;
}

void show_preview(Desk& desk, const boost::json::object& preview) {
  auto& console = desk.console();
  console.note("This ends " + count_of(number_at(preview, "sessions"), "session") + " of " +
               count_of(number_at(preview, "users"), "user") + ".");
  for (const auto& item : items_at(preview, "sample")) {
    const auto& user = object_of(item);
    console.note("  " + text_at(user, "email") + ": " + count_of(number_at(user, "sessions"), "session"));
  }
  if (number_at(preview, "users") > static_cast<std::int64_t>(items_at(preview, "sample").size())) console.note("  …");
  const auto& exemptions = object_of(preview.at("exemptions"));
  if (const auto above = number_at(exemptions, "usersAboveRole"); above > 0) {
    console.note("Left alone: " + count_of(above, "user") + " with a higher role than yours.");
  }
  if (!text_at(exemptions, "ownSession").empty()) console.note("Left alone: the session that asks.");
}

// Until it is done.
void watch(Desk& desk, const std::string& id) {
  for (;;) {
    boost::json::value answer;
    try {
      answer = desk.api().get_listed(std::string(kBulkPath) + "/" + id, "safawinet logout list");
      const auto& order = object_of(answer);
      const auto ended = number_at(order, "sessionsEnded");
      const auto expected = number_at(order, "sessionsExpected");
      if (text_at(order, "state") == "done") {
        desk.print_done("Done: ended " + count_of(ended, "session") + ".", answer);
        return;
      }
      const auto percent = expected > 0 ? std::min<std::int64_t>(99, ended * 100 / expected) : 0;
      desk.console().progress("Ended " + std::to_string(ended) + " of about " + std::to_string(expected) +
                              " sessions (" + std::to_string(percent) + " %)");
      wait_for(kBetweenLooks);
    } catch (const Interrupted&) {
      desk.console().note("The server goes on with it. Look again: " +
                          desk.reaching("safawinet logout watch " + shell_word(id)));
      throw;
    }
  }
}

struct Matching {
  Criteria criteria;
  LogoutOptions options;
  bool is_detached = false;
};

void log_out_matching(Desk& desk, const Matching& given) {
  auto& api = desk.api();
  const auto users = listed_users(given.criteria);
  const auto criteria = criteria_of(given.criteria, users);
  auto body = given.options.body();
  body["criteria"] = criteria;
  auto question = body;
  question.erase("reason");
  question["dryRun"] = true;
  const auto looked = api.post(kBulkPath, question);
  const auto& preview = object_of(looked);
  const auto& above = object_of(preview.at("exemptions"));
  refuse_unknown(desk, users, number_at(preview, "users") + number_at(above, "usersAboveRole"));
  const auto& consent = *given.options.consent;
  if (!consent.is_dry_run || !desk.is_json()) show_preview(desk, preview);
  if (consent.is_dry_run) {
    if (desk.is_json()) {
      auto shown = preview;
      shown.erase("confirmation");
      desk.print_json(shown);
    }
    return;
  }
  if (number_at(preview, "sessions") == 0) {
    desk.print_done("Nothing to do.", boost::json::object{{"sessionsEnded", 0}});
    return;
  }
  ask_unless_given(desk, consent, "Sign them out?");
  body["confirmation"] = preview.at("confirmation");
  const auto answer = api.try_post(kBulkPath, body);
  if (const auto* refusal = std::get_if<Refusal>(&answer)) {
    if (refusal->status != 409) fail(*refusal);
    throw Failure(refusal->text, "look again: the same command with --dry-run");
  }
  const auto& order = object_of(std::get<boost::json::value>(answer));
  const auto id = text_at(order, "id");
  if (given.is_detached) {
    desk.print_done("Begun. See how far it is: " + desk.reaching("safawinet logout watch " + shell_word(id)), order);
    return;
  }
  desk.console().progress("Begun: " + id);
  watch(desk, id);
}

void add_matching(CLI::App& noun, int& exit_code) {
  auto given = std::make_shared<Matching>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "matching",
                         .description = "End the sessions that match criteria: look, confirm, watch",
                         .example = "safawinet logout matching --ip-network 203.0.113.0/24 --session-created-after 2d "
                                    "--reason 'Tokens leaked'\n"
                                    "safawinet logout matching --email-domain example.com --dry-run --json"},
                        [given](Desk& desk) { log_out_matching(desk, *given); });
  add_criteria(verb, given->criteria);
  add_options(verb, given->options);
  verb.add_flag("--detach", given->is_detached, "Do not wait until it is done");
}

void add_watch(CLI::App& noun, int& exit_code) {
  auto id = std::make_shared<std::string>();
  auto& verb =
      add_verb(noun, exit_code,
               {.name = "watch",
                .description = "Watch a forced logout by criteria until it is done",
                .example = "safawinet logout list\nsafawinet logout watch 01a22430-852c-77a9-9b81-9ebaa044760d"},
               [id](Desk& desk) {
                 if (!Uuid::parse(*id)) throw Failure("no such id: " + *id, "safawinet logout list", kUsage);
                 watch(desk, *id);
               });
  verb.add_option("id", *id, "As logout list shows it")->type_name("ID")->required();
}

void add_list(CLI::App& noun, int& exit_code) {
  auto limit = std::make_shared<std::shared_ptr<std::size_t>>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "list",
                         .description = "List the forced logouts by criteria, the newest first",
                         .example = "safawinet logout list"},
                        [limit](Desk& desk) {
                          print_list(desk, kBulkPath, {}, **limit,
                                     {"ID", "STATE", "ENDED", "EXPECTED", "STARTED", "BY", "REASON"},
                                     [](const boost::json::object& order) -> std::vector<std::string> {
                                       return {text_at(order, "id"),
                                               text_at(order, "state"),
                                               text_at(order, "sessionsEnded"),
                                               text_at(order, "sessionsExpected"),
                                               time_at(order, "startedAt"),
                                               text_at(order, "actor"),
                                               text_at(order, "reason")};
                                     });
                        });
  *limit = add_limit(verb);
}

}  // namespace

void add_logout(CLI::App& app, int& exit_code) {
  auto& noun = add_noun(app, "logout", "Sign people out by force; their access tokens die at once",
                        "safawinet logout user ada@example.com --reason 'Lost her phone'");
  add_user_verb(noun, exit_code);
  add_all(noun, exit_code);
  add_matching(noun, exit_code);
  add_watch(noun, exit_code);
  add_list(noun, exit_code);
}

}  // namespace safawinet::cli
