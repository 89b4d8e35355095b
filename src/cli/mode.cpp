#include <CLI/CLI.hpp>

#include "access/compromise_mode.hpp"
#include "cli/commands.hpp"
#include "cli/desk.hpp"
#include "cli/failure.hpp"
#include "cli/when.hpp"

namespace safawinet::cli {
namespace {

constexpr std::string_view kPath = "/v1/admin/mode";

std::vector<std::string> mode_names() {
  std::vector<std::string> names;
  for (const auto mode : kCompromiseModes) names.emplace_back(name_of(mode));
  return names;
}

std::string effects_of(const boost::json::object& state) {
  const auto effects = object_at(state, "effects");
  const auto grace = number_at(effects, "refreshGraceSeconds");
  std::string text = "access tokens are good for " + text_at(effects, "accessLifetimeSeconds") +
                     " s; a refresh token that was used is " +
                     (grace > 0 ? "taken again for " + std::to_string(grace) + " s" : "not taken again");
  if (is_set(effects, "credentialsFrozen")) {
    text += "; no password, address, second factor or API key can be changed or made, and nobody imported";
  }
  if (is_set(effects, "stepUpDemanded")) text += "; who they are must be proved again after the mode was set";
  return text;
}

std::string in_words(const boost::json::object& state) {
  const auto until = time_at(state, "expiresAt");
  return text_at(state, "mode") + (until.empty() ? "" : " until " + until);
}

void show(Desk& desk) {
  const auto answer = desk.api().get(kPath);
  if (desk.is_json()) {
    desk.print_json(answer);
    return;
  }
  const auto& state = object_of(answer);
  desk.print_record({{"Mode", text_at(state, "mode")},
                     {"Since", time_at(state, "since")},
                     {"Until", time_at(state, "expiresAt")},
                     {"Set by", text_at(state, "actor")},
                     {"Reason", text_at(state, "reason")},
                     {"Effects", effects_of(state)}});
}

struct Setting {
  std::string mode;
  std::string reason;
  std::string length;
  std::shared_ptr<Consent> consent;
};

boost::json::object body_of(const Setting& given) {
  boost::json::object body{{"mode", given.mode}};
  if (!given.reason.empty()) body["reason"] = given.reason;
  if (!given.length.empty()) body["expiresIn"] = seconds_of_length(given.length, "--for");
  return body;
}

// Everything but who set it, which is what the preview would have changed in any case.
bool is_same(const boost::json::object& one, const boost::json::object& other) {
  for (const auto* name : {"mode", "reason", "expiresAt"}) {
    if (text_at(one, name) != text_at(other, name)) return false;
  }
  return true;
}

void set(Desk& desk, const Setting& given) {
  auto& api = desk.api();
  auto body = body_of(given);
  auto question = body;
  question["dryRun"] = true;
  const auto before = api.get(kPath);
  const auto looked = api.post(kPath, question);
  const auto& now = object_of(before);
  const auto& then = object_of(looked);
  if (is_same(now, then)) {
    desk.print_done("Nothing to do: the compromise mode is " + in_words(now) + ".", before);
    return;
  }
  auto seen = then;
  seen["dryRun"] = true;
  const Plan plan{.preview = "This changes the compromise mode from " + in_words(now) + " to " + in_words(then) +
                             ", on every node: " + effects_of(then) + ".",
                  .question = "Change it?",
                  .seen = seen};
  if (!may_go_on(desk, *given.consent, plan)) return;
  api.post(kPath, body);
  // What the database says now, and not what was asked for: somebody else may have set it since.
  const auto after = api.get(kPath);
  const auto& state = object_of(after);
  if (text_at(state, "mode") != given.mode) {
    throw Failure("the compromise mode was set, and is " + in_words(state) + " by now: " + text_at(state, "actor") +
                      " has set it since",
                  "safawinet mode show");
  }
  desk.print_done("The compromise mode is " + in_words(state) + ": " + effects_of(state) +
                      ". It is in force where this was asked, and within a second on every node.",
                  after);
}

}  // namespace

void add_mode(CLI::App& app, int& exit_code) {
  auto& noun = add_noun(app, "mode", "The compromise mode: how much is restricted during an incident",
                        "safawinet mode set contain --reason 'Tokens leaked' --for 2h");
  add_verb(noun, exit_code,
           {.name = "show",
            .description = "Show the mode that is in force, since when, why and until when",
            .example = "safawinet mode show"},
           show);
  auto setting = std::make_shared<Setting>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "set",
                         .description = "Raise or lower it, on every node",
                         .example = "safawinet mode set contain --reason 'Tokens leaked' --for 2h\n"
                                    "safawinet mode set recover --reason 'They are out'\n"
                                    "safawinet mode set normal"},
                        [setting](Desk& desk) { set(desk, *setting); });
  verb.add_option("mode", setting->mode, "normal, watch, contain or recover")
      ->type_name("MODE")
      ->required()
      ->check(CLI::IsMember(mode_names()));
  verb.add_option("--reason", setting->reason, "Why, for the record")->type_name("TEXT");
  verb.add_option("--for", setting->length, "How long, such as 2h; then it is normal again by itself")
      ->type_name("LENGTH");
  setting->consent = add_consent(verb);
}

}  // namespace safawinet::cli
