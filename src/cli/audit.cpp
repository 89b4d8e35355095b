#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <deque>
#include <optional>

#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/desk.hpp"
#include "cli/export_file.hpp"
#include "cli/failure.hpp"
#include "cli/input_file.hpp"
#include "cli/text.hpp"
#include "cli/when.hpp"

namespace safawinet::cli {
namespace {

constexpr std::size_t kCheckpointsOfACall = 300;  // of the newest ones: a body has at most 64 KiB
constexpr LineLimits kCheckpointLimits{.longest = 65'536, .limit = std::size_t{1} << 32};  // bytes; logs, too
constexpr std::size_t kPage = 1000;

std::string count_of(std::size_t count, const std::string& thing, const std::string& things) {
  return std::to_string(count) + " " + (count == 1 ? thing : things);
}

std::string fault_of_position(const std::string& text) {
  std::int64_t position = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), position);
  const bool is_one = error == std::errc() && end == text.data() + text.size() && position > 0;
  return is_one ? "" : "a position is a whole number, from 1 on";
}

struct Filter {
  std::string actor, target, action, outcome, since, until;
};

// "user:ID" for an e-mail address; everything else as it is.
std::string named(Desk& desk, const std::string& who) {
  if (who.find('@') == std::string::npos || who.find(':') != std::string::npos) return who;
  return "user:" + text_at(get_user(desk.api(), who), "id");
}

void add_list(CLI::App& noun, int& exit_code) {
  auto filter = std::make_shared<Filter>();
  auto limit = std::make_shared<std::shared_ptr<std::size_t>>();
  auto& verb =
      add_verb(noun, exit_code,
               {.name = "list",
                .description = "List who did what to whom, the newest first",
                .example = "safawinet audit list --since 1d --outcome refused\n"
                           "safawinet audit list --target ada@example.com"},
               [=](Desk& desk) {
                 Query query{{"actor", named(desk, filter->actor)},
                             {"target", named(desk, filter->target)},
                             {"action", filter->action},
                             {"outcome", filter->outcome}};
                 if (!filter->since.empty()) query.emplace_back("since", when_text(filter->since, "--since"));
                 if (!filter->until.empty()) query.emplace_back("until", when_text(filter->until, "--until"));
                 print_list(desk, "/v1/audit", std::move(query), **limit,
                            {"AT", "ACTION", "OUTCOME", "ACTOR", "TARGET", "ADDRESS", "REASON"},
                            [](const boost::json::object& entry) -> std::vector<std::string> {
                              return {time_at(entry, "at"),    text_at(entry, "action"), text_at(entry, "outcome"),
                                      text_at(entry, "actor"), text_at(entry, "target"), text_at(entry, "ipAddress"),
                                      text_at(entry, "reason")};
                            });
               });
  verb.add_option("--actor", filter->actor, "Who did it: an e-mail address, user:ID, api-key:ID or os:NAME")
      ->type_name("ACTOR");
  verb.add_option("--target", filter->target, "To whom or what: an e-mail address, or such as user:ID")
      ->type_name("TARGET");
  verb.add_option("--action", filter->action, "What, such as session.force-logout")->type_name("ACTION");
  verb.add_option("--outcome", filter->outcome, "How it ended")->check(CLI::IsMember({"done", "refused"}));
  verb.add_option("--since", filter->since, "At it or later, such as 12h or 2026-11-28")->type_name("WHEN");
  verb.add_option("--until", filter->until, "Earlier than it")->type_name("WHEN");
  *limit = add_limit(verb);
}

// The newest lines of a file of checkpoints: the newest say the most, and each says that what is before it is whole.
boost::json::array read_checkpoints(const std::string& path) {
  std::deque<boost::json::value> newest;
  for_each_line(path, kCheckpointLimits, [&](std::string_view line) {
    auto json = parse_json(line);
    if (!json || !json->is_object() || !json->get_object().contains("signature")) return;
    boost::json::object checkpoint;
    for (const auto* name : {"position", "link", "at", "signature"}) {
      if (const auto* value = json->get_object().if_contains(name)) checkpoint[name] = *value;
    }
    newest.emplace_back(std::move(checkpoint));
    if (newest.size() > kCheckpointsOfACall) newest.pop_front();
  });
  if (newest.empty()) throw Failure(path + " holds no checkpoint", "audit-checkpoints.jsonl, or lines of the log");
  boost::json::array all;
  for (auto& checkpoint : newest) all.push_back(std::move(checkpoint));
  return all;
}

void verify(Desk& desk, const std::string& checkpoints_file, std::int64_t from) {
  boost::json::object body;
  if (!checkpoints_file.empty()) body["checkpoints"] = read_checkpoints(checkpoints_file);
  boost::json::array findings;
  std::int64_t rows = 0;
  std::int64_t next = from;
  boost::json::value answer;
  for (;;) {
    if (next > 0) body["from"] = next;
    answer = desk.api().post("/v1/audit/verify", body);
    const auto& part = object_of(answer);
    rows += number_at(part, "rows");
    for (const auto& finding : items_at(part, "findings")) findings.push_back(finding);
    const auto up_to = number_at(part, "verifiedUpTo");
    if (is_set(part, "isComplete")) break;
    if (up_to < next) throw Failure("the server does not get on with it, at position " + std::to_string(next));
    next = up_to + 1;
    const auto head = number_at(object_of(part.at("head")), "position");
    desk.console().progress("Verified " + std::to_string(up_to) + " of " + std::to_string(head) + " entries, " +
                            count_of(findings.size(), "finding", "findings"));
    check_interrupted();
  }
  const auto head = object_of(object_of(answer).at("head"));
  if (from > number_at(head, "position")) {
    throw Failure("there is no position " + std::to_string(from) + ": the record ends at " + text_at(head, "position"),
                  {}, kUsage);
  }
  if (desk.is_json()) {
    desk.print_json(boost::json::object{{"rows", rows}, {"head", head}, {"findings", findings}});
  } else if (findings.empty()) {
    desk.print_done("The record is whole: " + count_of(static_cast<std::size_t>(rows), "entry", "entries") +
                        ", up to position " + text_at(head, "position") + ".",
                    {});
  } else {
    auto table = desk.table({"POSITION", "FINDING", "ENTRY", "DETAIL"});
    for (const auto& item : findings) {
      const auto& finding = object_of(item);
      table.add({text_at(finding, "position"), text_at(finding, "kind"), text_at(finding, "entryId"),
                 text_at(finding, "detail")});
    }
    table.finish();
  }
  if (!findings.empty()) {
    throw Failure("the record was altered: " + count_of(findings.size(), "finding", "findings"),
                  "keep a copy of the database, and compare it with a backup and the checkpoints");
  }
}

void add_verify(CLI::App& noun, int& exit_code) {
  struct Options {
    std::string checkpoints;
    std::int64_t from = 0;
  };
  auto options = std::make_shared<Options>();
  auto& verb =
      add_verb(noun, exit_code,
               {.name = "verify",
                .description = "Say whether anybody has altered the record; exit code 1 when so",
                .example = "safawinet audit verify\nsafawinet audit verify --checkpoints audit-checkpoints.jsonl"},
               [options](Desk& desk) { verify(desk, options->checkpoints, options->from); });
  verb.add_option("--checkpoints", options->checkpoints,
                  "Signed checkpoints from elsewhere, one a line: shows that nothing was cut off or put back")
      ->type_name("FILE");
  verb.add_option("--from", options->from, "Begin at this position")->type_name("POSITION")->check(fault_of_position);
}

void export_entries(Desk& desk, const ExportTarget& target) {
  ExportFile file(target, kExportOfRecord, desk.console());
  std::int64_t last = file.last() ? number_at(*file.last(), "position") : 0;
  if (file.last() && last <= 0) throw Failure(target.file + " is not an export of the record", "name another file");
  std::int64_t count = 0;
  try {
    for (;;) {
      const auto answer =
          desk.api().get("/v1/audit/export", {{"after", std::to_string(last)}, {"limit", std::to_string(kPage)}});
      const auto& items = items_at(object_of(answer), "items");
      if (items.empty()) break;
      std::string lines;
      for (const auto& item : items) {
        const auto position = number_at(object_of(item), "position");
        // The chain may begin late, where the oldest part was purged; from there on it has no gaps.
        if (last > 0 && position != last + 1) {
          throw Failure("there is a gap in the record behind position " + std::to_string(last),
                        "safawinet audit verify");
        }
        last = position;
        lines += inert_json(boost::json::serialize(item)) + "\n";
      }
      file.append(lines);
      count += static_cast<std::int64_t>(items.size());
      if (items.size() >= kPage) {  // there is more to come
        desk.console().progress("Exported " + std::to_string(count) + " entries, up to position " +
                                std::to_string(last));
      }
      check_interrupted();
    }
  } catch (const Interrupted&) {
    if (!target.file.empty()) desk.console().note("Go on with it: the same command with --resume.");
    throw;
  }
  desk.console().note("Exported " + count_of(static_cast<std::size_t>(count), "entry", "entries") +
                      ", up to position " + std::to_string(last) + ".");
  if (desk.is_json() && !target.file.empty()) {
    desk.print_json(boost::json::object{{"file", target.file}, {"entries", count}, {"upTo", last}});
  }
}

void add_export(CLI::App& noun, int& exit_code) {
  auto target = std::make_shared<ExportTarget>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "export",
                         .description = "Write the record as JSON lines, in the order of its chain, without gaps",
                         .example = "safawinet audit export --output audit.jsonl\n"
                                    "safawinet audit export --output audit.jsonl --resume"},
                        [target](Desk& desk) { export_entries(desk, *target); });
  verb.add_option("--output", target->file, "A new file (mode 0600); without it, stdout")->type_name("FILE");
  verb.add_flag("--resume", target->resumes, "Go on behind what the file holds, also to add what has come since");
}

void add_erase(CLI::App& noun, int& exit_code) {
  struct Options {
    std::string user, reason, email;
    std::shared_ptr<Consent> consent;
  };
  auto options = std::make_shared<Options>();
  auto& verb = add_verb(
      noun, exit_code,
      {.name = "erase",
       .description = "Erase what is personal in the entries that name a user; the chain stays verifiable",
       .example = "safawinet audit erase 01a22430-852c-77a9-9b81-9ebaa044760d --reason 'Request of 28 November'"},
      [options](Desk& desk) {
        // Mostly of users who are no longer there: so an id is taken as it is.
        const auto id = Uuid::parse(options->user) ? options->user : text_at(get_user(desk.api(), options->user), "id");
        const auto preview = "This erases who, whom, why and from where in all entries that name the user " + id +
                             ". It cannot be undone.";
        const Plan plan{
            .preview = preview, .question = "Erase it?", .seen = boost::json::object{{"dryRun", true}, {"userId", id}}};
        if (!may_go_on(desk, *options->consent, plan)) return;
        boost::json::object body{{"userId", id}, {"reason", options->reason}};
        if (!options->email.empty()) body["email"] = options->email;
        const auto answer = desk.api().post("/v1/audit/erase", body);
        desk.print_done("Erased in " + text_at(object_of(answer), "rowsErased") + " entries.", answer);
      });
  verb.add_option("--email", options->email, "The address that was invited, where the account is gone")
      ->type_name("ADDRESS");
  verb.add_option("user", options->user, "Id (also of a user who was deleted) or e-mail address")
      ->type_name("USER")
      ->required();
  verb.add_option("--reason", options->reason, "Why, for the record")->type_name("TEXT")->required();
  options->consent = add_consent(verb);
}

}  // namespace

void add_audit(CLI::App& app, int& exit_code) {
  auto& noun = add_noun(app, "audit", "The record of who did what to whom", "safawinet audit list --since 1d");
  add_list(noun, exit_code);
  add_verify(noun, exit_code);
  add_export(noun, exit_code);
  add_erase(noun, exit_code);
}

}  // namespace safawinet::cli
