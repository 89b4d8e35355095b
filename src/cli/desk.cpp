#include "cli/desk.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <optional>
#include <utility>

#include "access/role.hpp"
#include "app/start_failure.hpp"
#include "base/ids.hpp"
#include "cli/failure.hpp"
#include "cli/http_client.hpp"
#include "cli/local_client.hpp"
#include "cli/signed_in_client.hpp"
#include "cli/text.hpp"

namespace safawinet::cli {
namespace {

constexpr std::size_t kUsualLimit = 200;
constexpr std::size_t kPage = 200;
constexpr std::string_view kConnectionGroup = "Which server";
constexpr std::array<std::string_view, 9> kNounsOfServers{"user",  "factor", "session", "logout", "api-key",
                                                          "audit", "keys",   "mode",    "attack"};
constexpr std::string_view kLogin = "safawinet context login";

bool is_of_command(char c) { return (c >= 'a' && c <= 'z') || c == '-'; }

// Where the next "safawinet NOUN VERB" ends that speaks to a server.
std::optional<std::size_t> next_command(std::string_view text) {
  constexpr std::string_view kProgram = "safawinet ";
  for (auto at = text.find(kProgram); at != std::string_view::npos; at = text.find(kProgram, at + 1)) {
    const auto noun = at + kProgram.size();
    const auto noun_end = std::min(text.find(' ', noun), text.size());
    if (std::ranges::find(kNounsOfServers, text.substr(noun, noun_end - noun)) == kNounsOfServers.end()) continue;
    auto end = noun_end + 1;
    while (end < text.size() && is_of_command(text[end])) ++end;
    if (end > noun_end + 1 && text[noun_end + 1] != '-') return end;
  }
  return std::nullopt;
}

bool is_same_ignoring_case(std::string_view left, std::string_view right) {
  const auto lower = [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : int{c}; };
  return std::ranges::equal(left, right, [&](char a, char b) {
    return lower(static_cast<unsigned char>(a)) == lower(static_cast<unsigned char>(b));
  });
}

// The one place where what a verb throws becomes words and an exit code.
int run(const Invocation& invocation, const Work& work) {
  notice_interrupts();
  Desk desk(invocation);
  try {
    work(desk);
    desk.console().end_progress();
    return kDone;
  } catch (const Interrupted&) {
    desk.console().note("Stopped.");
    desk.hang_up();
    end_by_interrupt();
  } catch (const ReaderGone&) {
    end_by(SIGPIPE);
  } catch (const Failure& failure) {
    desk.console().note("safawinet: " + std::string(failure.what()));
    if (!failure.next().empty()) desk.console().note("  try: " + desk.reaching(failure.next()));
    return failure.exit_code();
  } catch (const app::StartFailure& failure) {
    desk.console().note("safawinet: " + std::string(failure.what()));
    return failure.exit_code();
  } catch (const std::exception& bug) {
    desk.console().note("safawinet: " + std::string(bug.what()));
    return kFailed;
  }
}

CLI::App& add(CLI::App& noun, int& exit_code, const VerbText& text, std::shared_ptr<Invocation> invocation, Work work) {
  auto* verb = noun.add_subcommand(text.name, text.description);
  verb->footer(example_footer(text.example));
  verb->add_flag("--json", invocation->is_json, "Print JSON");
  verb->callback([invocation, work = std::move(work), &exit_code] { exit_code = run(*invocation, work); });
  return *verb;
}

CLI::Option* add_context_option(CLI::App& verb, Invocation& invocation) {
  return verb.add_option("--context", invocation.context, "Another context than the current one")
      ->type_name("CONTEXT")
      ->group(std::string(kConnectionGroup));
}

}  // namespace

struct Desk::Connection {
  std::optional<Context> context;
  std::unique_ptr<ApiClient> server;
  std::unique_ptr<ApiClient> signed_in;
  std::optional<Api> api;
};

Desk::Desk(Invocation invocation) : invocation_(std::move(invocation)) {}
Desk::~Desk() = default;

Api& Desk::api() {
  if (connection_) return *connection_->api;
  auto connection = std::make_unique<Connection>();
  if (invocation_.is_local) {
    connection->server = std::make_unique<LocalClient>(invocation_.settings_file);
    connection->api.emplace(*connection->server, console_, random_);
  } else {
    const Contexts contexts;
    connection->context = contexts.get(invocation_.context);
    connection->server = std::make_unique<HttpClient>(*connection->context);
    connection->signed_in = std::make_unique<SignedInClient>(*connection->server, console_, *connection->context,
                                                             contexts.credentials_file(connection->context->name));
    connection->api.emplace(*connection->signed_in, console_, random_);
  }
  connection_ = std::move(connection);
  return *connection_->api;
}

void Desk::hang_up() { connection_.reset(); }

std::string Desk::how_to_reach() const {
  if (invocation_.is_local) {
    return " --local" + (invocation_.settings_file.empty() ? "" : " --config " + shell_word(invocation_.settings_file));
  }
  return invocation_.context.empty() ? "" : " --context " + invocation_.context;
}

std::string Desk::reaching(std::string_view text) const {
  const auto how = how_to_reach();
  std::string out;
  for (auto command = next_command(text); command; command = next_command(text)) {
    out.append(text.substr(0, *command)).append(how);
    text.remove_prefix(*command);
  }
  out.append(text);
  // A login takes the context as it is, and only where it is not named already.
  if (!invocation_.context.empty() && out.ends_with(kLogin)) out += " " + invocation_.context;
  return out;
}

void Desk::print_json(const boost::json::value& value) {
  console_.write(inert_json(boost::json::serialize(value)) + "\n");
}

void Desk::print_record(const std::vector<std::pair<std::string, std::string>>& members) {
  std::size_t widest = 0;
  for (const auto& [name, value] : members) {
    if (!value.empty()) widest = std::max(widest, width_of(name));
  }
  std::string out;
  for (const auto& [name, value] : members) {
    if (value.empty()) continue;
    out += name + std::string(widest - width_of(name) + 2, ' ') + inert(value) + "\n";
  }
  console_.write(out);
}

void Desk::print_done(std::string_view sentence, const boost::json::value& value) {
  if (is_json()) {
    print_json(value);
  } else {
    console_.write(inert(sentence) + "\n");
  }
}

Table Desk::table(std::vector<std::string> titles, Table::Cells cells) {
  return {std::move(titles), console_.width(), [this](std::string_view text) { console_.write(text); }, cells};
}

CLI::App& add_noun(CLI::App& app, const std::string& name, const std::string& description, const std::string& example) {
  auto* noun = app.add_subcommand(name, description);
  noun->require_subcommand(1);
  noun->footer(example_footer(example));
  return *noun;
}

CLI::App& add_verb(CLI::App& noun, int& exit_code, const VerbText& text, Work work) {
  auto invocation = std::make_shared<Invocation>();
  auto& verb = add(noun, exit_code, text, invocation, std::move(work));
  auto* context = add_context_option(verb, *invocation);
  auto* local = verb.add_flag("--local", invocation->is_local,
                              "Work on this machine's database, also while the server is down; recorded as os:<you>")
                    ->group(std::string(kConnectionGroup))
                    ->excludes(context);
  verb.add_option("--config", invocation->settings_file, "The server's settings file, for --local")
      ->type_name("FILE")
      ->group(std::string(kConnectionGroup))
      ->needs(local);
  return verb;
}

CLI::App& add_verb_of_a_person(CLI::App& noun, int& exit_code, const VerbText& text, Work work) {
  auto invocation = std::make_shared<Invocation>();
  auto& verb = add(noun, exit_code, text, invocation, std::move(work));
  add_context_option(verb, *invocation);
  return verb;
}

CLI::App& add_verb_of_this_machine(CLI::App& noun, int& exit_code, const VerbText& text, Work work) {
  return add(noun, exit_code, text, std::make_shared<Invocation>(), std::move(work));
}

std::string example_footer(std::string_view lines) {
  std::string footer = "Example:";
  while (!lines.empty()) {
    const auto end = lines.find('\n');
    footer += "\n  " + std::string(lines.substr(0, end));
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
  }
  return footer;
}

std::shared_ptr<Consent> add_consent(CLI::App& verb) {
  auto consent = std::make_shared<Consent>();
  auto* yes = verb.add_flag("--yes", consent->is_given, "Do it without asking, for scripts");
  verb.add_flag("--dry-run", consent->is_dry_run, "Show what it would touch, and stop there")->excludes(yes);
  return consent;
}

bool may_go_on(Desk& desk, const Consent& consent, const Plan& plan) {
  if (consent.is_dry_run) {
    desk.print_done(plan.preview, plan.seen);
    return false;
  }
  if (!consent.is_given) desk.console().note(plan.preview);
  ask_unless_given(desk, consent, plan.question);
  return true;
}

void ask_unless_given(Desk& desk, const Consent& consent, std::string_view question) {
  if (!consent.is_given && !desk.console().ask_yes(question)) throw Failure("nothing was done");
}

std::shared_ptr<std::size_t> add_limit(CLI::App& verb) {
  auto limit = std::make_shared<std::size_t>(kUsualLimit);
  verb.add_option("--limit", *limit, "How many at most")
      ->type_name("N")
      ->check(CLI::Range(std::size_t{1}, std::size_t{100'000'000}))
      ->capture_default_str();
  return limit;
}

void print_list(Desk& desk, std::string_view path, Query query, std::size_t limit, std::vector<std::string> titles,
                const ToRow& to_row) {
  query.emplace_back("limit", std::to_string(std::min(limit, kPage)));
  auto table = desk.table(std::move(titles));
  std::size_t count = 0;
  const bool has_more = for_each_item(desk.api(), path, std::move(query), [&](const boost::json::object& item) {
    if (desk.is_json()) {
      desk.console().write((count == 0 ? "[\n" : ",\n") + inert_json(boost::json::serialize(item)));
    } else {
      table.add(to_row(item));
    }
    return ++count < limit;
  });
  table.finish();
  if (desk.is_json()) desk.console().write(count == 0 ? "[]\n" : "\n]\n");
  if (count == 0 && !desk.is_json()) desk.console().note("Nothing found.");
  if (has_more) {
    desk.console().note("There are more than " + std::to_string(limit) + "; --limit N shows more.");
  }
}

namespace {

std::optional<boost::json::object> find_user_by_id(Api& api, const std::string& id) {
  auto answer = api.try_get("/v1/admin/users/" + id);
  if (const auto* refusal = std::get_if<Refusal>(&answer)) {
    if (refusal->status != 404) fail(*refusal);
    return std::nullopt;
  }
  return object_of(std::get<boost::json::value>(answer));
}

}  // namespace

std::optional<boost::json::object> find_user(Api& api, std::string_view id_or_email) {
  if (Uuid::parse(id_or_email)) return find_user_by_id(api, std::string(id_or_email));
  if (id_or_email.find('@') == std::string_view::npos) {
    throw Failure("a user is named by id or e-mail address", "safawinet user list --query TEXT", kUsage);
  }
  std::string id;
  const Query query{{"query", std::string(id_or_email)}, {"limit", std::to_string(kPage)}};
  for_each_item(api, "/v1/admin/users", query, [&](const boost::json::object& user) {
    if (is_same_ignoring_case(text_at(user, "email"), id_or_email)) id = text_at(user, "id");
    return id.empty();
  });
  if (id.empty()) return std::nullopt;
  return find_user_by_id(api, id);
}

boost::json::object get_user(Api& api, std::string_view id_or_email) {
  auto found = find_user(api, id_or_email);
  if (found) return std::move(*found);
  throw Failure("there is no user with the " + std::string(Uuid::parse(id_or_email) ? "id " : "address ") +
                    std::string(id_or_email),
                "safawinet user list --query TEXT");
}

std::vector<std::string> role_names() {
  std::vector<std::string> names;
  for (const auto role : kRoles) names.emplace_back(name_of(role));
  return names;
}

std::string name_of_user(const boost::json::object& user) {
  return text_at(user, "email") + " (" + text_at(user, "role") + ")";
}

}  // namespace safawinet::cli
