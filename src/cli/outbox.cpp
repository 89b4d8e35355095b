#include <CLI/CLI.hpp>

#include "base/ids.hpp"
#include "cli/commands.hpp"
#include "cli/desk.hpp"
#include "cli/failure.hpp"

namespace safawinet::cli {
namespace {

constexpr std::string_view kPath = "/v1/email/outbox";
constexpr const char* kList = "safawinet outbox list";

std::vector<std::string> row_of(const boost::json::object& mail) {
  const auto next = is_set(mail, "beingSent") ? "now" : time_at(mail, "nextAttemptAt");
  return {text_at(mail, "id"),       text_at(mail, "email"), text_at(mail, "kind"), text_at(mail, "attempts"), next,
          text_at(mail, "lastError")};
}

struct Options {
  std::string id;
  std::string reason;
};

std::shared_ptr<Options> add_options(CLI::App& verb) {
  auto options = std::make_shared<Options>();
  verb.add_option("id", options->id, "As outbox list shows it")->type_name("ID")->required();
  verb.add_option("--reason", options->reason, "Why, for the record")->type_name("TEXT");
  return options;
}

std::string path_of(const std::string& id) {
  if (!Uuid::parse(id)) throw Failure("no such id: " + id, kList, kUsage);
  return std::string(kPath) + "/" + id;
}

void add_list(CLI::App& noun, int& exit_code) {
  auto is_failing = std::make_shared<bool>(false);
  auto limit = std::make_shared<std::shared_ptr<std::size_t>>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "list",
                         .description = "List mail that waits to be sent, the oldest first",
                         .example = "safawinet outbox list\nsafawinet outbox list --failing"},
                        [=](Desk& desk) {
                          Query query;
                          if (*is_failing) query.emplace_back("failing", "true");
                          print_list(desk, kPath, std::move(query), **limit,
                                     {"ID", "TO", "KIND", "TRIES", "NEXT TRY", "LAST ERROR"}, row_of);
                        });
  verb.add_flag("--failing", *is_failing, "Only what was tried in vain");
  *limit = add_limit(verb);
}

void add_retry(CLI::App& noun, int& exit_code) {
  auto options = std::make_shared<std::shared_ptr<Options>>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "retry",
                         .description = "Have a mail tried again now, whenever its turn would be",
                         .example = "safawinet outbox retry 01a22430-852c-77a9-9b81-9ebaa044760d"},
                        [options](Desk& desk) {
                          const auto& wanted = **options;
                          boost::json::object body;
                          if (!wanted.reason.empty()) body["reason"] = wanted.reason;
                          desk.api().post(path_of(wanted.id) + "/retry", body);
                          desk.print_done("It is tried again now: safawinet outbox list shows whether it still waits.",
                                          {{"id", wanted.id}, {"retried", true}});
                        });
  *options = add_options(verb);
}

void add_drop(CLI::App& noun, int& exit_code) {
  auto options = std::make_shared<std::shared_ptr<Options>>();
  auto consent = std::make_shared<std::shared_ptr<Consent>>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "drop",
                         .description = "Do not send a mail that waits",
                         .example = "safawinet outbox drop 01a22430-852c-77a9-9b81-9ebaa044760d --reason 'Sent twice'"},
                        [=](Desk& desk) {
                          const auto& wanted = **options;
                          path_of(wanted.id);
                          const auto answer = desk.api().get_listed("/v1/email/mails/" + wanted.id, kList);
                          const auto& mail = object_of(answer);
                          if (text_at(mail, "state") != "waiting") {
                            throw Failure("it waits no more: it was " + text_at(mail, "state"), kList);
                          }
                          const Plan plan{.preview = "This drops the mail " + text_at(mail, "kind") + " to " +
                                                     text_at(mail, "email") + ", which is then never sent.",
                                          .question = "Drop it?",
                                          .seen = answer};
                          if (!may_go_on(desk, **consent, plan)) return;
                          desk.api().remove(path_of(wanted.id), {{"reason", wanted.reason}});
                          desk.print_done("It was dropped.", {{"id", wanted.id}, {"dropped", true}});
                        });
  *options = add_options(verb);
  *consent = add_consent(verb);
}

}  // namespace

void add_outbox(CLI::App& app, int& exit_code) {
  auto& noun = add_noun(app, "outbox", "Mail that waits to be sent", kList);
  add_list(noun, exit_code);
  add_retry(noun, exit_code);
  add_drop(noun, exit_code);
}

}  // namespace safawinet::cli
