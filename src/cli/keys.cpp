#include <CLI/CLI.hpp>

#include <algorithm>
#include "app/data_folder.hpp"
#include "app/start_failure.hpp"
#include "cli/commands.hpp"
#include "cli/desk.hpp"
#include "cli/failure.hpp"
#include "cli/settings_option.hpp"
#include "cli/text.hpp"
#include "config/config.hpp"

namespace safawinet::cli {
namespace {

constexpr std::string_view kPath = "/v1/admin/keys";

std::string path_of(const std::string& id, std::string_view act = "") {
  const bool is_key_id = !id.empty() && id.size() <= 100 && std::ranges::all_of(id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  if (!is_key_id) throw Failure("no such key: " + id, "safawinet keys list", kUsage);
  return std::string(kPath) + "/" + id + std::string(act);
}

void add_list(CLI::App& noun, int& exit_code) {
  add_verb(noun, exit_code,
           {.name = "list",
            .description = "List the keys that make and verify tokens, the oldest first",
            .example = "safawinet keys list"},
           [](Desk& desk) {
             const auto answer = desk.api().get(kPath);
             const auto& keys = items_at(object_of(answer), "items");
             if (desk.is_json()) {
               desk.print_json(keys);
               return;
             }
             auto table =
                 desk.table({"ID", "PURPOSE", "ALGORITHM", "STATE", "SINCE", "UNTIL"}, Table::Cells::stay_whole);
             for (const auto& item : keys) {
               const auto& key = object_of(item);
               table.add({text_at(key, "id"), text_at(key, "purpose"), text_at(key, "algorithm"), text_at(key, "state"),
                          time_at(key, "since"), time_at(key, "until")});
             }
             table.finish();
           });
}

void add_show(CLI::App& noun, int& exit_code) {
  auto id = std::make_shared<std::string>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "show",
                         .description = "Show one key, of a signing key with its public half",
                         .example = "safawinet keys show 1"},
                        [id](Desk& desk) {
                          const auto answer = desk.api().get_listed(path_of(*id), "safawinet keys list");
                          const auto& key = object_of(answer);
                          if (desk.is_json()) {
                            desk.print_json(key);
                            return;
                          }
                          desk.print_record({{"Id", text_at(key, "id")},
                                             {"Purpose", text_at(key, "purpose")},
                                             {"Algorithm", text_at(key, "algorithm")},
                                             {"State", text_at(key, "state")},
                                             {"Created", time_at(key, "createdAt")},
                                             {"Since", time_at(key, "since")},
                                             {"Until", time_at(key, "until")},
                                             {"Public key", object_at(key, "jwk").empty()
                                                                ? std::string()
                                                                : boost::json::serialize(object_at(key, "jwk"))}});
                        });
  verb.add_option("id", *id, "As keys list shows it")->type_name("ID")->required();
}

struct RotateOptions {
  std::string purpose = "signing";
  std::string compromised;
  std::string revoke = "none";
  std::string reason;
  std::shared_ptr<Consent> consent;
};

boost::json::object find_key(Desk& desk, const std::string& purpose, std::string_view state) {
  const auto answer = desk.api().get(kPath);
  for (const auto& item : items_at(object_of(answer), "items")) {
    const auto& key = object_of(item);
    if (text_at(key, "purpose") == purpose && text_at(key, "state") == state) return key;
  }
  return {};
}

// Who may not know a key that was made just now, and what it would meet.
std::string why_to_wait(const std::string& purpose) {
  return purpose == "signing" ? "somebody may remember a list of keys without it" : "a node may not know it yet";
}

// When the next key would follow: what the server says, where it is set already. Otherwise its age decides, against
// settings that only the server knows.
std::string turn_of(const boost::json::object& next, const std::string& purpose) {
  const auto id = text_at(next, "id");
  const auto until = time_at(next, "until");
  if (id.empty()) return {};
  if (!until.empty()) return " It is " + id + ", and becomes active at " + until + ".";
  const std::string wait = purpose == "signing" ? "keys.jwks_max_age_seconds and half a minute" : "some seconds";
  return " It is " + id + ", of " + time_at(next, "since") +
         ": it becomes active at once when that is longer ago than " + wait +
         ", and else as soon as it is; until then " + why_to_wait(purpose) + ".";
}

void rotate(Desk& desk, const RotateOptions& options) {
  const auto active = find_key(desk, options.purpose, "active");
  const auto next = find_key(desk, options.purpose, "next");
  const auto id = text_at(active, "id");
  auto seen = active;
  seen["dryRun"] = true;
  seen["next"] = next;
  const Plan plan{.preview = "This lets the next " + options.purpose + " key follow " + id +
                             ", which has been active since " + time_at(active, "since") + "." +
                             turn_of(next, options.purpose) +
                             " Nobody is logged out: the former key goes on verifying.",
                  .question = "Rotate?",
                  .seen = seen};
  if (!may_go_on(desk, *options.consent, plan)) return;
  boost::json::object body{{"purpose", options.purpose}};
  if (!id.empty()) body["expectedActive"] = id;
  if (!options.reason.empty()) body["reason"] = options.reason;
  const auto answer = desk.api().post(std::string(kPath) + "/rotate", body);
  const auto& rotated = object_of(answer);
  if (!text_at(rotated, "dueAt").empty()) {
    desk.print_done("The next key, " + text_at(object_at(rotated, "next"), "id") + ", becomes active at " +
                        time_at(rotated, "dueAt") + ": until then " + why_to_wait(options.purpose) + ".",
                    rotated);
    return;
  }
  desk.print_done(
      "The key " + text_at(object_at(rotated, "active"), "id") + " is active; " + id + " goes on verifying.", rotated);
}

bool is_distrusted(const boost::json::object& key) { return text_at(key, "state") == "compromised"; }

std::string effects_of_distrust(const boost::json::object& key, const std::string& revoke) {
  std::string text = is_distrusted(key) ? "What it has made is refused already, on every node."
                                        : "Whatever it has made is refused, on every node.";
  if (revoke == "none") text += " Nobody is logged out: clients refresh, and get tokens of the next key.";
  if (revoke == "tokens") text += " All other signing keys too: every access token is refused, and clients refresh.";
  if (revoke == "sessions") text += " Everybody is signed out, you too.";
  return text;
}

std::string preview_of_distrust(const boost::json::object& key, const std::string& effects) {
  const auto name = text_at(key, "purpose") + " key " + text_at(key, "id");
  return (is_distrusted(key) ? "The " + name + " was distrusted already. "
                             : "This distrusts the " + name + " (" + text_at(key, "state") + "). ") +
         effects;
}

// The command that was typed, with what it lacks.
std::string with_sessions(const RotateOptions& options) {
  return "safawinet keys rotate --compromised " + shell_word(options.compromised) + " --revoke sessions" +
         (options.reason.empty() ? "" : " --reason " + shell_word(options.reason)) +
         (options.consent->is_dry_run ? " --dry-run" : "");
}

void distrust(Desk& desk, const RotateOptions& options) {
  const auto path = path_of(options.compromised);
  const auto answer = desk.api().get_listed(path, "safawinet keys list");
  const auto& key = object_of(answer);
  const bool takes_sessions =
      text_at(key, "purpose") == "refresh-mac" && text_at(key, "state") != "retired" && !is_distrusted(key);
  if (takes_sessions && options.revoke != "sessions") {
    throw Failure("whoever has a key of refresh tokens can continue every session, so they have to end",
                  with_sessions(options), kUsage);
  }
  if (is_distrusted(key) && options.revoke == "none") {
    desk.print_done(options.compromised + " was distrusted already; to end more, say --revoke tokens or sessions.",
                    key);
    return;
  }
  const auto effects = effects_of_distrust(key, options.revoke);
  auto seen = key;
  seen["dryRun"] = true;
  seen["revoke"] = options.revoke;
  seen["effects"] = effects;
  const Plan plan{.preview = preview_of_distrust(key, effects),
                  .question = is_distrusted(key) ? "Go on?" : "Distrust it?",
                  .seen = seen};
  if (!may_go_on(desk, *options.consent, plan)) return;
  boost::json::object body{{"revoke", options.revoke}};
  if (!options.reason.empty()) body["reason"] = options.reason;
  const auto done = desk.api().post(path_of(options.compromised, "/distrust"), body);
  const auto& distrusted = object_of(done);
  const auto count = items_at(distrusted, "distrusted").size();
  std::string text = count == 0   ? options.compromised + " was distrusted already"
                     : count == 1 ? "Distrusted " + options.compromised
                                  : "Distrusted " + std::to_string(count) + " keys";
  text += "; the key " + text_at(object_at(distrusted, "active"), "id") + " is active.";
  if (!text_at(distrusted, "sessionsEnded").empty()) {
    text += " Ended " + std::to_string(number_at(distrusted, "sessionsEnded")) + " sessions.";
  }
  desk.print_done(text, distrusted);
}

void add_rotate(CLI::App& noun, int& exit_code) {
  auto options = std::make_shared<RotateOptions>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "rotate",
                         .description = "Let the next key follow, or distrust one that has leaked",
                         .example = "safawinet keys rotate --yes\n"
                                    "safawinet keys rotate --compromised 1 --revoke sessions --reason 'in a log'"},
                        [options](Desk& desk) {
                          if (options->compromised.empty()) {
                            if (options->revoke != "none")
                              throw Failure("--revoke goes with --compromised", "", kUsage);
                            rotate(desk, *options);
                          } else {
                            distrust(desk, *options);
                          }
                        });
  auto* purpose =
      verb.add_option("--purpose", options->purpose,
                      "Which kind: signing (access tokens) or refresh-mac (refresh tokens); a leaked key tells its own")
          ->check(CLI::IsMember({"signing", "refresh-mac"}))
          ->capture_default_str();
  verb.add_option("--compromised", options->compromised, "This key has leaked: refuse whatever it has made")
      ->type_name("ID")
      ->excludes(purpose);
  verb.add_option(
          "--revoke", options->revoke,
          "What else ends with a key that has leaked: none, tokens (every access token), sessions (everybody's)")
      ->check(CLI::IsMember({"none", "tokens", "sessions"}))
      ->capture_default_str();
  verb.add_option("--reason", options->reason, "Why, for the record")->type_name("TEXT");
  options->consent = add_consent(verb);
}

void add_secrets(CLI::App& noun, int& exit_code) {
  add_verb(noun, exit_code,
           {.name = "secrets",
            .description = "List the secrets of the service and how old they are",
            .example = "safawinet keys secrets"},
           [](Desk& desk) {
             const auto answer = desk.api().get("/v1/admin/secrets");
             const auto& inventory = object_of(answer);
             if (desk.is_json()) {
               desk.print_json(inventory);
               return;
             }
             auto table = desk.table({"SECRET", "NAME", "SINCE", "DAYS", "NOTE"}, Table::Cells::stay_whole);
             for (const auto& item : items_at(inventory, "items")) {
               const auto& secret = object_of(item);
               table.add({text_at(secret, "kind"), text_at(secret, "name"), time_at(secret, "since"),
                          text_at(secret, "ageDays"), text_at(secret, "note")});
             }
             table.finish();
             const auto otherwise = number_at(inventory, "sealedOtherwise");
             desk.console().note(otherwise == 0
                                     ? "The master key opens everything: no other one is needed."
                                     : std::to_string(otherwise) + " values are sealed with another master key still.");
           });
}

void add_renew_master(CLI::App& noun, int& exit_code) {
  auto file = std::make_shared<std::shared_ptr<std::string>>();
  auto& verb = add_verb_of_this_machine(
      noun, exit_code,
      {.name = "renew-master",
       .description = "Put a new master key into the data folder of a server that is stopped",
       .example = "safawinet keys renew-master --config /etc/safawinet/safawinet.toml"},
      [file](Desk& desk) {
        const auto settings = get_settings(**file);
        if (settings.secrets.master_key) {
          throw Failure("the master key is in the settings (secrets.master_key), not in the data folder",
                        "see docs/operating/keys.md: set the new one, and the former one as secrets.other_master_key",
                        kUsage);
        }
        try {
          const app::DataFolder folder(settings.storage.data_dir, app::DataFolder::Use::for_a_new_key);
          folder.renew_master_key(desk.random());
        } catch (const app::StartFailure& failure) {
          throw Failure(failure.what(), {}, failure.exit_code());
        }
        desk.print_done(
            "There is a new master.key in " + settings.storage.data_dir.string() +
                ", and the former one in other-master.key. Start the server, and delete the former one when `safawinet "
                "keys secrets` says that it is not needed.",
            boost::json::object{{"dataFolder", settings.storage.data_dir.string()}});
      });
  *file = add_settings_option(verb);
}

}  // namespace

void add_keys(CLI::App& app, int& exit_code) {
  auto& noun = add_noun(app, "keys", "Keys that make and verify tokens, and other secrets", "safawinet keys list");
  add_list(noun, exit_code);
  add_show(noun, exit_code);
  add_rotate(noun, exit_code);
  add_secrets(noun, exit_code);
  add_renew_master(noun, exit_code);
}

}  // namespace safawinet::cli
