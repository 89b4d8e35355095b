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
constexpr std::size_t kShownOfId = 12;  // characters, where the whole of it is not needed

std::string short_id(const std::string& id) { return id.size() <= kShownOfId ? id : id.substr(0, kShownOfId) + "…"; }

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
             auto table = desk.table({"ID", "PURPOSE", "ALGORITHM", "STATE", "SINCE", "UNTIL"});
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

boost::json::object find_active(Desk& desk, const std::string& purpose) {
  const auto answer = desk.api().get(kPath);
  for (const auto& item : items_at(object_of(answer), "items")) {
    const auto& key = object_of(item);
    if (text_at(key, "purpose") == purpose && text_at(key, "state") == "active") return key;
  }
  return {};
}

void rotate(Desk& desk, const RotateOptions& options) {
  const auto active = find_active(desk, options.purpose);
  const auto id = text_at(active, "id");
  const Plan plan{.preview = "This lets the next " + options.purpose + " key follow " + short_id(id) +
                             ", which has been active since " + time_at(active, "since") +
                             ". Nobody is logged out: the former key goes on verifying.",
                  .question = "Rotate?",
                  .seen = active};
  if (!may_go_on(desk, *options.consent, plan)) return;
  boost::json::object body{{"purpose", options.purpose}};
  if (!id.empty()) body["expectedActive"] = id;
  if (!options.reason.empty()) body["reason"] = options.reason;
  const auto answer = desk.api().post(std::string(kPath) + "/rotate", body);
  const auto& rotated = object_of(answer);
  if (!text_at(rotated, "dueAt").empty()) {
    desk.print_done("The next key, " + short_id(text_at(object_at(rotated, "next"), "id")) + ", becomes active at " +
                        time_at(rotated, "dueAt") + ": until then somebody may remember a list without it.",
                    rotated);
    return;
  }
  desk.print_done("The key " + short_id(text_at(object_at(rotated, "active"), "id")) + " is active; " + short_id(id) +
                      " goes on verifying.",
                  rotated);
}

std::string preview_of_distrust(const boost::json::object& key, const std::string& revoke) {
  const auto id = short_id(text_at(key, "id"));
  std::string text = "This distrusts the " + text_at(key, "purpose") + " key " + id + " (" + text_at(key, "state") +
                     "): whatever it has made is refused, on every node.";
  if (revoke == "none") text += " Nobody is logged out: clients refresh, and get tokens of the next key.";
  if (revoke == "tokens") text += " All other signing keys too: every access token is refused, and clients refresh.";
  if (revoke == "sessions") text += " Everybody is signed out, you too.";
  return text;
}

void distrust(Desk& desk, const RotateOptions& options) {
  const auto path = path_of(options.compromised);
  const auto answer = desk.api().get_listed(path, "safawinet keys list");
  const auto& key = object_of(answer);
  const bool takes_sessions = text_at(key, "purpose") == "refresh-mac" && text_at(key, "state") != "retired" &&
                              text_at(key, "state") != "compromised";
  if (takes_sessions && options.revoke != "sessions") {
    throw Failure("whoever has a key of refresh tokens can continue every session, so they have to end",
                  "safawinet keys rotate --compromised " + shell_word(options.compromised) + " --revoke sessions",
                  kUsage);
  }
  const Plan plan{.preview = preview_of_distrust(key, options.revoke), .question = "Distrust it?", .seen = key};
  if (!may_go_on(desk, *options.consent, plan)) return;
  boost::json::object body{{"revoke", options.revoke}};
  if (!options.reason.empty()) body["reason"] = options.reason;
  const auto done = desk.api().post(path_of(options.compromised, "/distrust"), body);
  const auto& distrusted = object_of(done);
  const auto count = items_at(distrusted, "distrusted").size();
  std::string text = count == 0   ? short_id(options.compromised) + " was distrusted already"
                     : count == 1 ? "Distrusted " + short_id(options.compromised)
                                  : "Distrusted " + std::to_string(count) + " keys";
  text += "; the key " + short_id(text_at(object_at(distrusted, "active"), "id")) + " is active.";
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
  verb.add_option("--purpose", options->purpose, "Which kind: signing (access tokens) or refresh-mac (refresh tokens)")
      ->check(CLI::IsMember({"signing", "refresh-mac"}))
      ->capture_default_str();
  verb.add_option("--compromised", options->compromised, "This key has leaked: refuse whatever it has made")
      ->type_name("ID");
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
             auto table = desk.table({"SECRET", "NAME", "SINCE", "DAYS", "NOTE"});
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
          const app::DataFolder folder(settings.storage.data_dir, app::DataFolder::Use::for_a_command);
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
