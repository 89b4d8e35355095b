#include <CLI/CLI.hpp>

#include <array>
#include <chrono>
#include <cstdio>

#include "cli/commands.hpp"
#include "cli/desk.hpp"
#include "cli/failure.hpp"
#include "cli/mail.hpp"
#include "cli/text.hpp"
#include "mail/mail.hpp"

namespace safawinet::cli {
namespace {

constexpr int kTestPatienceSeconds = 30;

std::vector<std::string> kind_names() {
  std::vector<std::string> names;
  for (const auto kind : all_mail_kinds()) names.emplace_back(name_of(kind));
  return names;
}

double figure_at(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_number() ? value->to_number<double>() : 0.0;
}

std::string percent(double rate) {
  std::array<char, 32> text{};
  const int size = std::snprintf(text.data(), text.size(), "%.2f %%", rate * 100);
  return {text.data(), static_cast<std::size_t>(size)};
}

std::string rate_with_limit(const boost::json::object& answer, std::string_view rate, std::string_view limit) {
  return percent(figure_at(answer, rate)) + " of at most " + percent(figure_at(answer, limit));
}

void print_statistics(Desk& desk, const boost::json::object& answer, bool has_points) {
  const auto totals = object_at(answer, "totals");
  const auto guard = object_at(answer, "guard");
  const auto outbox = object_at(answer, "outbox");
  std::string guarding = text_at(guard, "state");
  if (const auto reason = text_at(guard, "reason"); !reason.empty()) guarding += ": " + reason;
  desk.print_record({{"Since", time_at(answer, "since")},
                     {"Sent", text_at(totals, "sent")},
                     {"Delivered", text_at(totals, "delivered")},
                     {"Bounced for good", text_at(totals, "bounced")},
                     {"Bounced for now", text_at(totals, "bouncedTransiently")},
                     {"Complaints", text_at(totals, "complained")},
                     {"Rejected by SES", text_at(totals, "rejected")},
                     {"Refused at once", text_at(totals, "refused")},
                     {"Given up", text_at(totals, "givenUp")},
                     {"Suppressed", text_at(totals, "suppressed")},
                     {"Of other mail", text_at(totals, "foreign")},
                     {"Bounce rate", rate_with_limit(answer, "bounceRate", "bounceRateLimit")},
                     {"Complaint rate", rate_with_limit(answer, "complaintRate", "complaintRateLimit")},
                     {"Guard", guarding},
                     {"Waiting", text_at(outbox, "waiting")},
                     {"Of them failing", text_at(outbox, "failing")},
                     {"Oldest", time_at(outbox, "oldestAt")}});
  for (const auto& item : items_at(answer, "warnings")) {
    const auto& warning = object_of(item);
    desk.console().note("Warning: " + text_at(warning, "name") + " (" + text_at(warning, "count") + "x, last " +
                        time_at(warning, "lastAt") + "): " + text_at(warning, "detail"));
  }
  if (!has_points) return;
  desk.console().write("\n");
  auto table = desk.table({"FROM", "SENT", "DELIVERED", "BOUNCED", "TRANSIENT", "COMPLAINTS", "REJECTED"});
  for (const auto& item : items_at(answer, "points")) {
    const auto& point = object_of(item);
    const auto figures = object_at(point, "figures");
    table.add({time_at(point, "at"), text_at(figures, "sent"), text_at(figures, "delivered"),
               text_at(figures, "bounced"), text_at(figures, "bouncedTransiently"), text_at(figures, "complained"),
               text_at(figures, "rejected")});
  }
  table.finish();
}

void add_statistics(CLI::App& noun, int& exit_code) {
  struct Options {
    int hours = 24;
    bool has_points = false;
  };
  auto options = std::make_shared<Options>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "statistics",
                         .description = "Say how much mail was sent, delivered, bounced and complained about",
                         .example = "safawinet mail statistics\nsafawinet mail statistics --hours 72 --points"},
                        [options](Desk& desk) {
                          const auto answer =
                              desk.api().get("/v1/email/statistics", {{"hours", std::to_string(options->hours)}});
                          if (desk.is_json()) {
                            desk.print_json(answer);
                            return;
                          }
                          print_statistics(desk, object_of(answer), options->has_points);
                        });
  verb.add_option("--hours", options->hours, "Of how many hours")
      ->type_name("N")
      ->check(CLI::Range(1, 336))
      ->capture_default_str();
  verb.add_flag("--points", options->has_points, "Every quarter of an hour besides");
}

void add_preview(CLI::App& noun, int& exit_code) {
  struct Options {
    std::string kind;
    std::string locale = "en";
    bool is_html = false;
  };
  auto options = std::make_shared<Options>();
  auto& verb = add_verb(
      noun, exit_code,
      {.name = "preview",
       .description = "Show a kind of mail as it would be sent, with made-up links",
       .example = "safawinet mail preview verify-email\n"
                  "safawinet mail preview new-device --locale ar --html > new-device.html"},
      [options](Desk& desk) {
        const auto answer = desk.api().get("/v1/email/preview", {{"kind", options->kind}, {"locale", options->locale}});
        if (desk.is_json()) {
          desk.print_json(answer);
          return;
        }
        const auto& mail = object_of(answer);
        if (options->is_html) {
          desk.console().write(text_at(mail, "html"));
          return;
        }
        desk.console().write("Subject: " + inert(text_at(mail, "subject")) + "\n\n" + text_at(mail, "text"));
      });
  verb.add_option("kind", options->kind, "Which kind of mail")
      ->type_name("KIND")
      ->required()
      ->check(CLI::IsMember(kind_names()));
  verb.add_option("--locale", options->locale, "In which language, such as en or ar")
      ->type_name("TAG")
      ->capture_default_str();
  verb.add_flag("--html", options->is_html, "The HTML of it instead of the text");
}

// Waits until it is known what became of it.
boost::json::value watch_mail(Desk& desk, boost::json::value mail) {
  const auto id = text_at(object_of(mail), "id");
  for (int seconds = 0; seconds < kTestPatienceSeconds; ++seconds) {
    const auto& state = object_of(mail);
    if (text_at(state, "state") != "waiting" || !text_at(state, "detail").empty()) break;
    wait_for(std::chrono::seconds(seconds == 0 ? 0 : 1));
    mail = desk.api().get("/v1/email/mails/" + id);
  }
  return mail;
}

void send_test(Desk& desk, const boost::json::object& body) {
  const auto mail = watch_mail(desk, desk.api().post("/v1/email/test", body));
  const auto& state = object_of(mail);
  if (desk.is_json()) {
    desk.print_json(mail);
  } else {
    print_mail(desk, state);
  }
  const auto became = text_at(state, "state");
  if (became == "sent") return;
  if (became == "waiting") {
    throw Failure("it was not sent yet: " +
                      (text_at(state, "detail").empty() ? "no server has taken it up" : text_at(state, "detail")),
                  "safawinet outbox list");
  }
  throw Failure("it was not sent: " + text_at(state, "detail"));
}

void add_send_test(CLI::App& noun, int& exit_code) {
  struct Options {
    std::string email, kind, locale;
  };
  auto options = std::make_shared<Options>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "send-test",
                         .description = "Send a sample, and wait for what becomes of it",
                         .example = "safawinet mail send-test you@example.com\n"
                                    "safawinet mail send-test you@example.com --kind verify-email --locale ar"},
                        [options](Desk& desk) {
                          boost::json::object body{{"email", options->email}};
                          if (!options->kind.empty()) body["kind"] = options->kind;
                          if (!options->locale.empty()) body["locale"] = options->locale;
                          send_test(desk, body);
                        });
  verb.add_option("email", options->email, "To whom")->type_name("ADDRESS")->required();
  verb.add_option("--kind", options->kind, "Which kind of mail; a test without it")
      ->type_name("KIND")
      ->check(CLI::IsMember(kind_names()));
  verb.add_option("--locale", options->locale, "In which language, such as en or ar")->type_name("TAG");
}

void add_history(CLI::App& noun, int& exit_code) {
  auto user = std::make_shared<std::string>();
  auto limit = std::make_shared<std::shared_ptr<std::size_t>>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "history",
                         .description = "List what became of the mails to a user, the newest first",
                         .example = "safawinet mail history ada@example.com"},
                        [=](Desk& desk) {
                          const auto found = get_user(desk.api(), *user);
                          print_list(desk, "/v1/admin/users/" + text_at(found, "id") + "/mails", {}, **limit,
                                     mail_titles(), mail_row);
                        });
  verb.add_option("user", *user, "Id or e-mail address")->type_name("USER")->required();
  *limit = add_limit(verb);
}

}  // namespace

std::vector<std::string> mail_titles() { return {"ID", "CREATED", "KIND", "STATE", "FEEDBACK", "DETAIL"}; }

std::vector<std::string> mail_row(const boost::json::object& mail) {
  return {text_at(mail, "id"),    time_at(mail, "createdAt"), text_at(mail, "kind"),
          text_at(mail, "state"), text_at(mail, "feedback"),  text_at(mail, "detail")};
}

void print_mail(Desk& desk, const boost::json::object& mail) {
  desk.print_record({{"Id", text_at(mail, "id")},
                     {"To", text_at(mail, "email")},
                     {"Kind", text_at(mail, "kind")},
                     {"State", text_at(mail, "state")},
                     {"Attempts", text_at(mail, "attempts")},
                     {"Detail", text_at(mail, "detail")},
                     {"Feedback", text_at(mail, "feedback")},
                     {"Created", time_at(mail, "createdAt")},
                     {"Ended", time_at(mail, "endedAt")}});
}

void add_mail(CLI::App& app, int& exit_code) {
  auto& noun = add_noun(app, "mail", "What becomes of mail, and whether it arrives", "safawinet mail statistics");
  add_statistics(noun, exit_code);
  add_history(noun, exit_code);
  add_preview(noun, exit_code);
  add_send_test(noun, exit_code);
}

}  // namespace safawinet::cli
