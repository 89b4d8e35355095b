#include <CLI/CLI.hpp>

#include <functional>
#include <variant>

#include "access/role.hpp"
#include "accounts/user.hpp"
#include "cli/commands.hpp"
#include "cli/desk.hpp"
#include "cli/export_file.hpp"
#include "cli/failure.hpp"
#include "cli/mail.hpp"
#include "cli/text.hpp"
#include "cli/user_import.hpp"

namespace safawinet::cli {
namespace {

constexpr std::string_view kPath = "/v1/admin/users";
constexpr std::size_t kMailsShown = 5;  // by `user show`

std::vector<std::string> row_of(const boost::json::object& user) {
  return {text_at(user, "id"),          text_at(user, "email"),
          text_at(user, "role"),        is_set(user, "isActive") ? "yes" : "no",
          time_at(user, "lastLoginAt"), text_at(user, "name")};
}

// "10, locked until 2026-11-29 06:21:33Z"; empty: there are none, or the answer does not tell.
std::string lock_of(const boost::json::object& user, std::string_view counted) {
  const auto wrong = number_at(user, counted);
  if (wrong == 0) return {};
  const auto until = time_at(user, "lockedUntil");
  return std::to_string(wrong) + (until.empty() ? "" : ", locked until " + until);
}

// "yes, 9 backup codes left"; empty: the answer does not tell.
std::string second_factor_of(const boost::json::object& user) {
  if (!user.contains("hasSecondFactor")) return {};
  if (!is_set(user, "hasSecondFactor")) return "no";
  return "yes, " + text_at(user, "backupCodesLeft") + " backup codes left";
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
                     {"Wrong passwords", lock_of(user, "wrongPasswords")},
                     {"Wrong codes", lock_of(user, "wrongCodes")},
                     {"Second factor", second_factor_of(user)},
                     {"Created", time_at(user, "createdAt")},
                     {"Last login", time_at(user, "lastLoginAt")}});
}

// With the last mails to the user, for whoever may see them.
void show_user(Desk& desk, boost::json::object user) {
  const auto path = std::string(kPath) + "/" + text_at(user, "id") + "/mails";
  const auto answer = desk.api().try_get(path, {{"limit", std::to_string(kMailsShown)}});
  const auto* mails = std::get_if<boost::json::value>(&answer);
  if (mails == nullptr) {
    print_user(desk, user);
    return;
  }
  const auto& items = items_at(object_of(*mails), "items");
  if (desk.is_json()) user["mails"] = items;
  print_user(desk, user);
  if (desk.is_json() || items.empty()) return;
  desk.console().write("\nThe last mails:\n");
  auto table = desk.table(mail_titles());
  for (const auto& mail : items) table.add(mail_row(object_of(mail)));
  table.finish();
}

std::shared_ptr<std::string> add_user_argument(CLI::App& verb) {
  auto user = std::make_shared<std::string>();
  verb.add_option("user", *user, "Id or e-mail address")->type_name("USER")->required();
  return user;
}

// --- looking

void add_list(CLI::App& noun, int& exit_code) {
  struct Options {
    std::string query, role;
    bool is_active = false;
    bool is_disabled = false;
    std::shared_ptr<std::size_t> limit;
  };
  auto options = std::make_shared<Options>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "list",
                         .description = "Find users, the newest first",
                         .example = "safawinet user list --query example.com\n"
                                    "safawinet user list --role admin --active\n"
                                    "safawinet user list --json --limit 1000"},
                        [options](Desk& desk) {
                          Query query{{"query", options->query}, {"role", options->role}};
                          if (options->is_active) query.emplace_back("active", "true");
                          if (options->is_disabled) query.emplace_back("active", "false");
                          print_list(desk, kPath, std::move(query), *options->limit,
                                     {"ID", "E-MAIL", "ROLE", "ACTIVE", "LAST LOGIN", "NAME"}, row_of);
                        });
  verb.add_option("--query", options->query, "Text that the address or the name contains")->type_name("TEXT");
  verb.add_option("--role", options->role, "Of exactly this role")->check(CLI::IsMember(role_names()));
  auto* active = verb.add_flag("--active", options->is_active, "Only those who may log in");
  verb.add_flag("--disabled", options->is_disabled, "Only those who are disabled")->excludes(active);
  options->limit = add_limit(verb);
}

void add_show(CLI::App& noun, int& exit_code) {
  auto user = std::make_shared<std::shared_ptr<std::string>>();
  auto& verb =
      add_verb(noun, exit_code,
               {.name = "show", .description = "Show one user", .example = "safawinet user show ada@example.com"},
               [user](Desk& desk) { show_user(desk, get_user(desk.api(), **user)); });
  *user = add_user_argument(verb);
}

void add_sessions(CLI::App& noun, int& exit_code) {
  auto user = std::make_shared<std::shared_ptr<std::string>>();
  auto limit = std::make_shared<std::shared_ptr<std::size_t>>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "sessions",
                         .description = "List where a user is signed in: the same as session list",
                         .example = "safawinet user sessions ada@example.com"},
                        [=](Desk& desk) { print_sessions(desk, **user, **limit); });
  *user = add_user_argument(verb);
  *limit = add_limit(verb);
}

// --- making

void add_create(CLI::App& noun, int& exit_code) {
  struct Options {
    std::string email, name, role;
    bool is_verified = false;
    bool is_password_from_stdin = false;
  };
  auto options = std::make_shared<Options>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "create",
                         .description = "Make an account; without a password, a mail lets its owner choose one",
                         .example = "safawinet user create grace@example.com --name Grace\n"
                                    "safawinet user create grace@example.com --role support --verified"},
                        [options](Desk& desk) {
                          boost::json::object body{{"email", options->email}};
                          if (!options->name.empty()) body["name"] = options->name;
                          if (!options->role.empty()) body["role"] = options->role;
                          if (options->is_verified) body["verified"] = true;
                          if (options->is_password_from_stdin) {
                            body["password"] = std::string(Console::secret_from_stdin().reveal());
                          }
                          auto answer = desk.api().try_post(kPath, body);
                          if (const auto* refusal = std::get_if<Refusal>(&answer)) {
                            if (refusal->status != 409) fail(*refusal);
                            throw Failure(refusal->text, "safawinet user show " + shell_word(options->email));
                          }
                          const auto& user = object_of(std::get<boost::json::value>(answer));
                          print_user(desk, user);
                          const auto email = text_at(user, "email");
                          if (!options->is_password_from_stdin) {
                            desk.console().note("A mail to " + email + " lets its owner choose a password.");
                          } else if (!options->is_verified) {
                            desk.console().note("A mail to " + email + " lets its owner prove the address.");
                          }
                        });
  verb.add_option("email", options->email, "The address")->type_name("ADDRESS")->required();
  verb.add_option("--name", options->name, "What the user is called")->type_name("TEXT");
  verb.add_option("--role", options->role, "At most your own; customer without it")->check(CLI::IsMember(role_names()));
  verb.add_flag("--verified", options->is_verified, "The address is known to be theirs");
  verb.add_flag("--password-stdin", options->is_password_from_stdin, "Read the password from the first line of stdin");
}

// An invitation is of no use to somebody who has an account. Who may not look for users is not told.
void refuse_if_there(Api& api, const std::string& email) {
  const auto looked = api.try_get(kPath, {{"query", email}, {"limit", "1"}});
  if (std::holds_alternative<Refusal>(looked)) return;
  const auto user = find_user(api, email);
  if (!user || !is_set(*user, "emailVerified")) return;
  throw Failure(text_at(*user, "email") + " has an account already",
                "safawinet user send-reset " + shell_word(email) + ", if its owner cannot log in");
}

void add_invite(CLI::App& noun, int& exit_code) {
  auto email = std::make_shared<std::string>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "invite",
                         .description = "Mail an invitation to sign up",
                         .example = "safawinet user invite grace@example.com"},
                        [email](Desk& desk) {
                          refuse_if_there(desk.api(), *email);
                          desk.api().post("/v1/admin/invitations", {{"email", *email}});
                          desk.print_done("Invited " + *email + "; the mail is on its way.",
                                          boost::json::object{{"invited", *email}});
                        });
  verb.add_option("email", *email, "The address")->type_name("ADDRESS")->required();
}

// --- acting on one user

struct Act {
  std::string user;
  std::string reason;
  std::string role;
  std::shared_ptr<Consent> consent;  // null: it does not ask
};

using Saying = std::function<std::string(const boost::json::object& user, const Act& given)>;

// What an act sends, and what is said before and after it.
struct ActText {
  VerbText help;
  std::string path;        // behind the user's
  Saying preview;          // null: it does not ask
  std::string question;    // "Disable this user?"
  Saying done;             // "Disabled ada@example.com."
  Saying already;          // "ada@example.com is disabled already."; empty: it is to be done. Null: that cannot be told
  Saying hint_if_refused;  // for a 409; null: there is none
};

// The database keeps one who is active and verified; here it is said before anybody confirms what would be refused.
void refuse_for_last_superadmin(Api& api, const boost::json::object& user) {
  if (text_at(user, "role") != name_of(Role::superadmin) || !is_set(user, "isActive")) return;
  bool has_other = false;
  const Query query{{"role", std::string(name_of(Role::superadmin))}, {"active", "true"}, {"limit", "200"}};
  for_each_item(api, kPath, query, [&](const boost::json::object& one) {
    has_other = is_set(one, "emailVerified") && text_at(one, "id") != text_at(user, "id");
    return !has_other;
  });
  if (has_other) return;
  throw Failure(text_at(user, "email") + " is the last superadmin, who has to stay",
                "make another one first: safawinet user role USER superadmin");
}

void act(Desk& desk, const Act& given, const ActText& text) {
  auto& api = desk.api();
  const auto user = get_user(api, given.user);
  if (const auto already = text.already ? text.already(user, given) : std::string(); !already.empty()) {
    desk.print_done(already, user);
    return;
  }
  if (given.consent) {
    if (text.path == "disable" || text.path == "role") refuse_for_last_superadmin(api, user);
    const Plan plan{.preview = text.preview(user, given),
                    .question = text.question,
                    .seen = boost::json::object{{"dryRun", true}, {"user", user}}};
    if (!may_go_on(desk, *given.consent, plan)) return;
  }
  boost::json::object body;
  if (!given.reason.empty()) body["reason"] = given.reason;
  if (!given.role.empty()) body["role"] = given.role;
  auto answer = api.try_post(std::string(kPath) + "/" + text_at(user, "id") + "/" + text.path, body);
  if (const auto* refusal = std::get_if<Refusal>(&answer)) {
    if (refusal->status == 409 && text.hint_if_refused) throw Failure(refusal->text, text.hint_if_refused(user, given));
    fail(*refusal);
  }
  const auto& done = std::get<boost::json::value>(answer);
  const bool is_user = done.is_object() && done.get_object().contains("email");
  desk.print_done(text.done(user, given),
                  is_user ? done : boost::json::value(boost::json::object{{"userId", text_at(user, "id")}}));
}

// "Disabled ada@example.com."
Saying about(const std::string& before, const std::string& after = ".") {
  return [=](const boost::json::object& user, const Act&) { return before + text_at(user, "email") + after; };
}

Saying when(const std::string& member, bool value, const std::string& after) {
  return [=](const boost::json::object& user, const Act&) {
    return is_set(user, member) == value ? text_at(user, "email") + after : std::string();
  };
}

enum class Reason { none, optional, required };

std::pair<CLI::App*, std::shared_ptr<Act>> add_act(CLI::App& noun, int& exit_code, const ActText& text, Reason reason) {
  auto given = std::make_shared<Act>();
  auto& verb = add_verb(noun, exit_code, text.help, [=](Desk& desk) { act(desk, *given, text); });
  verb.add_option("user", given->user, "Id or e-mail address")->type_name("USER")->required();
  if (reason != Reason::none) {
    verb.add_option("--reason", given->reason, "Why, for the record")
        ->type_name("TEXT")
        ->required(reason == Reason::required);
  }
  if (text.preview) given->consent = add_consent(verb);
  return {&verb, given};
}

// Neither an API key nor a command at the machine itself is anybody.
bool is_of_oneself(Api& api, const boost::json::object& user) {
  const auto own = api.try_get("/v1/users/me");
  const auto* answer = std::get_if<boost::json::value>(&own);
  return answer != nullptr && text_at(object_of(*answer), "id") == text_at(user, "id");
}

void add_reset_factors(CLI::App& noun, int& exit_code) {
  auto given = std::make_shared<Act>();
  auto& verb = add_verb(
      noun, exit_code,
      {.name = "reset-factors",
       .description = "Take away the second factor of a user who has lost it, and sign them out",
       .example = "safawinet user reset-factors ada@example.com --reason 'Lost phone, identity checked'"},
      [given](Desk& desk) {
        const auto user = get_user(desk.api(), given->user);
        if (is_of_oneself(desk.api(), user)) {
          throw Failure("that is your own second factor: nobody resets their own", "safawinet factor remove");
        }
        if (!is_set(user, "hasSecondFactor")) {
          desk.print_done(text_at(user, "email") + " has no second factor.", user);
          return;
        }
        const auto preview = "This takes the second factor away from, and signs out, " + name_of_user(user) +
                             ". From then on the password is enough to log in.";
        const Plan plan{.preview = preview,
                        .question = "Take it away?",
                        .seen = boost::json::object{{"dryRun", true}, {"user", user}}};
        if (!may_go_on(desk, *given->consent, plan)) return;
        desk.api().remove(std::string(kPath) + "/" + text_at(user, "id") + "/factors", {{"reason", given->reason}});
        desk.print_done("Took the second factor of " + text_at(user, "email") + " away.",
                        boost::json::object{{"userId", text_at(user, "id")}});
      });
  verb.add_option("user", given->user, "Id or e-mail address")->type_name("USER")->required();
  verb.add_option("--reason", given->reason, "Why, for the record")->type_name("TEXT")->required();
  given->consent = add_consent(verb);
}

void add_role(CLI::App& noun, int& exit_code) {
  const auto change = [](const boost::json::object& user, const Act& act) {
    return text_at(user, "email") + " from " + text_at(user, "role") + " to " + act.role + ".";
  };
  const auto [verb, given] = add_act(
      noun, exit_code,
      {.help = {.name = "role",
                .description = "Change what a user may do",
                .example = "safawinet user role ada@example.com support"},
       .path = "role",
       .preview = [=](const auto& user, const Act& act) { return "This changes the role of " + change(user, act); },
       .question = "Change it?",
       .done = [=](const auto& user, const Act& act) { return "Changed the role of " + change(user, act); },
       .already =
           [](const auto& user, const Act& act) {
             return text_at(user, "role") == act.role ? text_at(user, "email") + " is " + act.role + " already."
                                                      : std::string();
           },
       .hint_if_refused = {}},
      Reason::optional);
  verb->add_option("role", given->role, "The new role")->required()->check(CLI::IsMember(role_names()));
}

void add_acts(CLI::App& noun, int& exit_code) {
  add_act(noun, exit_code,
          {.help = {.name = "disable",
                    .description = "Disable an account and end its sessions",
                    .example = "safawinet user disable ada@example.com --reason 'Left the company'"},
           .path = "disable",
           .preview = [](const auto& user,
                         const Act&) { return "This disables, and signs out, " + name_of_user(user) + "."; },
           .question = "Disable this user?",
           .done = about("Disabled "),
           .already =
               [](const auto& user, const Act&) {
                 const bool is_final = !is_set(user, "isActive") && text_at(user, "disabledReason") != kHeldForBounces;
                 return is_final ? text_at(user, "email") + " is disabled already." : std::string();
               },
           .hint_if_refused = {}},
          Reason::required);
  add_act(noun, exit_code,
          {.help = {.name = "enable",
                    .description = "Let a disabled account log in again",
                    .example = "safawinet user enable ada@example.com\n"
                               "# Nobody can log in any more? Stop a server on the embedded database first:\n"
                               "safawinet user enable admin@localhost --local --reason 'Locked out'"},
           .path = "enable",
           .preview = {},
           .question = {},
           .done = about("Enabled "),
           .already = when("isActive", true, " is active already."),
           .hint_if_refused = {}},
          Reason::optional);
  add_role(noun, exit_code);
  add_act(noun, exit_code,
          {.help = {.name = "send-reset",
                    .description = "Mail a link to choose a new password; it proves the address, too",
                    .example = "safawinet user send-reset ada@example.com"},
           .path = "send-reset",
           .preview = {},
           .question = {},
           .done = about("A mail is on its way to "),
           .already = {},
           .hint_if_refused = [](const auto& user,
                                 const Act&) { return "safawinet user enable " + shell_word(text_at(user, "email")); }},
          Reason::none);
  add_act(noun, exit_code,
          {.help = {.name = "unlock",
                    .description = "Forget the wrong passwords and codes, so that a user can try again at once",
                    .example = "safawinet user unlock ada@example.com"},
           .path = "unlock",
           .preview = {},
           .question = {},
           .done = about("Unlocked ", ": no wrong password and no wrong code counts any more."),
           .already = {},  // what counts for longer than a quarter of an hour does not show
           .hint_if_refused = {}},
          Reason::none);
  add_act(
      noun, exit_code,
      {.help = {.name = "verify",
                .description = "Take a user's address as proved, with the password that whoever registered it chose",
                .example = "safawinet user verify ada@example.com --yes"},
       .path = "verify",
       .preview =
           [](const auto& user, const Act&) {
             return "This takes the address of " + name_of_user(user) +
                    " as proved. Whoever registered it chose the password, and can log in from then on. Do it only "
                    "when you know that this is the owner; else safawinet user send-reset proves the address and "
                    "sets a new password.";
           },
       .question = "Do you know that it is the owner?",
       .done = about("Verified the address of "),
       .already = when("emailVerified", true, " is verified already."),
       .hint_if_refused = {}},
      Reason::none);
}

void add_delete(CLI::App& noun, int& exit_code) {
  auto given = std::make_shared<Act>();
  auto& verb =
      add_verb(noun, exit_code,
               {.name = "delete",
                .description = "Delete an account with all that belongs to it; this cannot be undone",
                .example = "safawinet user delete ada@example.com --reason 'Request of 28 November'"},
               [given](Desk& desk) {
                 const auto user = get_user(desk.api(), given->user);
                 const auto preview = "This deletes, and signs out, " + name_of_user(user) + ". It cannot be undone.";
                 refuse_for_last_superadmin(desk.api(), user);
                 const Plan plan{.preview = preview,
                                 .question = "Delete this user?",
                                 .seen = boost::json::object{{"dryRun", true}, {"user", user}}};
                 if (!may_go_on(desk, *given->consent, plan)) return;
                 desk.api().remove(std::string(kPath) + "/" + text_at(user, "id"), {{"reason", given->reason}});
                 desk.print_done("Deleted " + text_at(user, "email") + ".",
                                 boost::json::object{{"deleted", text_at(user, "id")}});
               });
  verb.add_option("user", given->user, "Id or e-mail address")->type_name("USER")->required();
  verb.add_option("--reason", given->reason, "Why, for the record")->type_name("TEXT")->required();
  given->consent = add_consent(verb);
}

// --- all of them

void export_users(Desk& desk, const ExportTarget& target) {
  ExportFile file(target, kExportOfUsers, desk.console());
  bool is_complete = false;
  auto cursor = target.resumes ? file.kept_cursor(is_complete).value_or("") : std::string();
  if (is_complete) {
    desk.console().note(target.file + " is complete already.");
    if (desk.is_json()) desk.print_json(boost::json::object{{"file", target.file}, {"users", 0}, {"isComplete", true}});
    return;
  }
  file.keep_cursor(cursor);
  std::int64_t count = 0;
  try {
    for (;;) {
      const auto answer = desk.api().get(std::string(kPath) + "/export", {{"cursor", cursor}, {"limit", "1000"}});
      const auto& page = object_of(answer);
      std::string lines;
      for (const auto& user : items_at(page, "items")) lines += inert_json(boost::json::serialize(user)) + "\n";
      file.append(lines);
      count += static_cast<std::int64_t>(items_at(page, "items").size());
      cursor = text_at(page, "nextCursor");
      if (cursor.empty()) break;
      desk.console().progress("Exported " + std::to_string(count) + " users");
      file.keep_cursor(cursor);
      check_interrupted();
    }
  } catch (const Interrupted&) {
    if (!target.file.empty()) desk.console().note("Go on with it: the same command with --resume.");
    throw;
  }
  file.complete();
  desk.console().note("Exported " + std::to_string(count) + (count == 1 ? " user." : " users."));
  if (desk.is_json() && !target.file.empty()) {
    desk.print_json(boost::json::object{{"file", target.file}, {"users", count}, {"isComplete", true}});
  }
}

void add_export(CLI::App& noun, int& exit_code) {
  auto target = std::make_shared<ExportTarget>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "export",
                         .description = "Write all users as JSON lines, the oldest first",
                         .example = "safawinet user export --output users.jsonl\n"
                                    "safawinet user export --output users.jsonl --resume\n"
                                    "safawinet user export | wc -l"},
                        [target](Desk& desk) { export_users(desk, *target); });
  verb.add_option("--output", target->file, "A new file (mode 0600); without it, stdout")->type_name("FILE");
  verb.add_flag("--resume", target->resumes, "Go on with the file of an export that was stopped");
}

}  // namespace

void add_user(CLI::App& app, int& exit_code) {
  auto& noun = add_noun(app, "user", "Accounts: find them, look at them, act on them",
                        "safawinet user show ada@example.com\n"
                        "safawinet user disable ada@example.com --reason 'Left the company'");
  add_list(noun, exit_code);
  add_show(noun, exit_code);
  add_create(noun, exit_code);
  add_invite(noun, exit_code);
  add_acts(noun, exit_code);
  add_reset_factors(noun, exit_code);
  add_delete(noun, exit_code);
  add_sessions(noun, exit_code);
  add_export(noun, exit_code);
  add_import(noun, exit_code);
}

}  // namespace safawinet::cli
