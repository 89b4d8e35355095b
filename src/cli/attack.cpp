#include <CLI/CLI.hpp>

#include <chrono>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "cli/commands.hpp"
#include "cli/desk.hpp"
#include "cli/failure.hpp"
#include "cli/when.hpp"

namespace safawinet::cli {
namespace {

constexpr std::string_view kPath = "/v1/admin/under-attack";

void print_state(Desk& desk, const boost::json::value& answer) {
  if (desk.is_json()) {
    desk.print_json(answer);
    return;
  }
  const auto& state = object_of(answer);
  desk.print_record({{"Under attack", text_at(state, "isUnderAttack") == "true" ? "yes" : "no"},
                     {"State", text_at(state, "state")},
                     {"Setting", text_at(state, "setting")},
                     {"Noticed", time_at(state, "noticedAt")},
                     {"Reason", text_at(state, "reason")},
                     {"Ordered by", text_at(state, "orderedBy")},
                     {"Ordered", time_at(state, "orderedAt")},
                     {"Expires", time_at(state, "expiresAt")}});
}

void add_show(CLI::App& noun, int& exit_code) {
  add_verb(noun, exit_code,
           {.name = "show",
            .description = "Show whether logins are under attack, and who says so",
            .example = "safawinet attack show"},
           [](Desk& desk) { print_state(desk, desk.api().get(kPath)); });
}

std::int64_t seconds_of(const std::string& lifetime) {
  const auto now = SystemClock().now();
  const auto end = parse_when(lifetime, now, Direction::future);
  if (!end) throw Failure("--for " + lifetime + " is no time", "use one such as 90s, 30m, 12h or 7d", kUsage);
  return std::chrono::duration_cast<std::chrono::seconds>(*end - now).count();
}

void add_order(CLI::App& noun, int& exit_code, const std::string& state, const std::string& description,
               const std::string& example) {
  struct Options {
    std::string reason;
    std::string lifetime;
  };
  auto options = std::make_shared<Options>();
  auto& verb = add_verb(noun, exit_code, {.name = state, .description = description, .example = example},
                        [options, state](Desk& desk) {
                          boost::json::object body{{"state", state}, {"reason", options->reason}};
                          if (!options->lifetime.empty()) body["expiresIn"] = seconds_of(options->lifetime);
                          print_state(desk, desk.api().post(kPath, body));
                        });
  verb.add_option("--reason", options->reason, "Why, for the record")->type_name("TEXT")->required();
  if (state == "auto") return;  // until the next order: that is what it means
  verb.add_option("--for", options->lifetime, "For how long, such as 2h; without it, until the next order")
      ->type_name("TIME");
}

}  // namespace

void add_attack(CLI::App& app, int& exit_code) {
  auto& noun = add_noun(app, "attack", "Lower limits and stricter admission for unknown devices",
                        "safawinet attack on --reason 'A botnet tries leaked passwords' --for 2h");
  add_show(noun, exit_code);
  add_order(noun, exit_code, "on", "Say that logins are under attack",
            "safawinet attack on --reason 'A botnet tries leaked passwords' --for 2h");
  add_order(noun, exit_code, "off", "Say that they are not, whatever the nodes notice",
            "safawinet attack off --reason 'The load test of the new release' --for 1h");
  add_order(noun, exit_code, "auto", "Leave it to the nodes to notice an attack",
            "safawinet attack auto --reason 'The botnet is gone'");
}

}  // namespace safawinet::cli
