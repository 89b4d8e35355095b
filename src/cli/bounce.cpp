#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/desk.hpp"
#include "cli/failure.hpp"

namespace safawinet::cli {
namespace {

constexpr std::string_view kBounces = "/v1/email/bounces";
constexpr std::string_view kSuppressions = "/v1/email/suppressions";

// --- bounces

std::vector<std::string> bounce_row(const boost::json::object& bounce) {
  return {time_at(bounce, "at"),
          text_at(bounce, "email"),
          text_at(bounce, "type"),
          text_at(bounce, "source"),
          is_set(bounce, "counted") ? "yes" : "no",
          text_at(bounce, "subtype"),
          text_at(bounce, "detail")};
}

void add_bounce_list(CLI::App& noun, int& exit_code) {
  struct Options {
    std::string email, kind;
    std::shared_ptr<std::size_t> limit;
  };
  auto options = std::make_shared<Options>();
  auto& verb =
      add_verb(noun, exit_code,
               {.name = "list",
                .description = "List bounces and complaints, the newest first",
                .example = "safawinet bounce list\nsafawinet bounce list --email ada@example.com\n"
                           "safawinet bounce list --kind complaint"},
               [options](Desk& desk) {
                 print_list(desk, kBounces, {{"email", options->email}, {"kind", options->kind}}, *options->limit,
                            {"AT", "E-MAIL", "TYPE", "SOURCE", "COUNTED", "SUBTYPE", "DETAIL"}, bounce_row);
               });
  verb.add_option("--email", options->email, "Of exactly this address")->type_name("ADDRESS");
  verb.add_option("--kind", options->kind, "Only these")->check(CLI::IsMember({"bounce", "complaint"}));
  options->limit = add_limit(verb);
}

std::string consequence_of(const std::string& type) {
  if (type == "permanent") return "marks the address as bounced, and sends it no more mail";
  if (type == "transient") return "counts as one bounce; at bounces.threshold the account is held";
  return "sends it no more mail but that about the security of its account";
}

void add_bounce_record(CLI::App& noun, int& exit_code) {
  struct Options {
    std::string email, reason;
    std::string type = "permanent";
    std::shared_ptr<Consent> consent;
  };
  auto options = std::make_shared<Options>();
  auto& verb =
      add_verb(noun, exit_code,
               {.name = "record",
                .description = "Record a bounce or a complaint that one knows of",
                .example = "safawinet bounce record ada@example.com --reason 'The letter of the postmaster'"},
               [options](Desk& desk) {
                 const Plan plan{.preview = "This records a " + options->type + " " +
                                            (options->type == "complaint" ? "of " : "bounce of ") + options->email +
                                            ": it " + consequence_of(options->type) + ".",
                                 .question = "Record it?",
                                 .seen = boost::json::object{{"email", options->email}, {"type", options->type}}};
                 if (!may_go_on(desk, *options->consent, plan)) return;
                 const auto answer = desk.api().post(
                     kBounces, {{"email", options->email}, {"type", options->type}, {"reason", options->reason}});
                 desk.print_done("It was recorded.", answer);
               });
  verb.add_option("email", options->email, "The address")->type_name("ADDRESS")->required();
  verb.add_option("--type", options->type, "What it was")
      ->check(CLI::IsMember({"permanent", "transient", "complaint"}))
      ->capture_default_str();
  verb.add_option("--reason", options->reason, "How one knows, for the record")->type_name("TEXT")->required();
  options->consent = add_consent(verb);
}

// --- suppressions

void add_suppression_list(CLI::App& noun, int& exit_code) {
  auto query = std::make_shared<std::string>();
  auto limit = std::make_shared<std::shared_ptr<std::size_t>>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "list",
                         .description = "List the addresses that get no mail, in their order",
                         .example = "safawinet suppression list --query example.com"},
                        [=](Desk& desk) {
                          print_list(desk, kSuppressions, {{"query", *query}}, **limit,
                                     {"E-MAIL", "SCOPE", "REASON", "SINCE", "BY", "DETAIL"},
                                     [](const boost::json::object& suppression) -> std::vector<std::string> {
                                       return {text_at(suppression, "email"),     text_at(suppression, "scope"),
                                               text_at(suppression, "reason"),    time_at(suppression, "createdAt"),
                                               text_at(suppression, "createdBy"), text_at(suppression, "detail")};
                                     });
                        });
  verb.add_option("--query", *query, "Text that the address contains")->type_name("TEXT");
  *limit = add_limit(verb);
}

void add_suppression_add(CLI::App& noun, int& exit_code) {
  struct Options {
    std::string email, reason;
    bool spares_security = false;
    std::shared_ptr<Consent> consent;
  };
  auto options = std::make_shared<Options>();
  auto& verb =
      add_verb(noun, exit_code,
               {.name = "add",
                .description = "Send no more mail to an address",
                .example = "safawinet suppression add ada@example.com --reason 'Asked for it by telephone'"},
               [options](Desk& desk) {
                 const std::string scope = options->spares_security ? "not-security" : "all";
                 const Plan plan{
                     .preview = "This sends " + options->email +
                                (options->spares_security ? " no more mail but that about the security of its account."
                                                          : " no more mail: no link to choose a new password either."),
                     .question = "Suppress it?",
                     .seen = boost::json::object{{"email", options->email}, {"scope", scope}}};
                 if (!may_go_on(desk, *options->consent, plan)) return;
                 const auto answer = desk.api().post(
                     kSuppressions, {{"email", options->email}, {"scope", scope}, {"reason", options->reason}});
                 desk.print_done(options->email + " is suppressed.", answer);
               });
  verb.add_option("email", options->email, "The address")->type_name("ADDRESS")->required();
  verb.add_flag("--except-security", options->spares_security, "But for mail about the security of the account");
  verb.add_option("--reason", options->reason, "Why, for the record")->type_name("TEXT")->required();
  options->consent = add_consent(verb);
}

void add_suppression_remove(CLI::App& noun, int& exit_code) {
  struct Options {
    std::string email, reason;
    std::shared_ptr<Consent> consent;
  };
  auto options = std::make_shared<Options>();
  auto& verb =
      add_verb(noun, exit_code,
               {.name = "remove",
                .description = "Send mail to an address again; its bounces are forgotten",
                .example = "safawinet suppression remove ada@example.com --reason 'The mailbox is back'"},
               [options](Desk& desk) {
                 const Plan plan{.preview = "This sends mail to " + options->email + " again.",
                                 .question = "Remove the suppression?",
                                 .seen = boost::json::object{{"email", options->email}}};
                 if (!may_go_on(desk, *options->consent, plan)) return;
                 desk.api().remove(kSuppressions, {{"email", options->email}, {"reason", options->reason}});
                 desk.print_done(options->email + " gets mail again.", {{"email", options->email}, {"removed", true}});
               });
  verb.add_option("email", options->email, "The address")->type_name("ADDRESS")->required();
  verb.add_option("--reason", options->reason, "Why, for the record")->type_name("TEXT");
  options->consent = add_consent(verb);
}

}  // namespace

void add_bounce(CLI::App& app, int& exit_code) {
  auto& noun = add_noun(app, "bounce", "What came back of mail", "safawinet bounce list");
  add_bounce_list(noun, exit_code);
  add_bounce_record(noun, exit_code);
}

void add_suppression(CLI::App& app, int& exit_code) {
  auto& noun = add_noun(app, "suppression", "Addresses that get no mail", "safawinet suppression list");
  add_suppression_list(noun, exit_code);
  add_suppression_add(noun, exit_code);
  add_suppression_remove(noun, exit_code);
}

}  // namespace safawinet::cli
