#include <CLI/CLI.hpp>

#include <optional>
#include <variant>

#include "access/permission.hpp"
#include "base/ids.hpp"
#include "cli/commands.hpp"
#include "cli/desk.hpp"
#include "cli/failure.hpp"
#include "cli/private_file.hpp"
#include "cli/text.hpp"
#include "cli/when.hpp"

namespace safawinet::cli {
namespace {

constexpr std::string_view kPath = "/v1/admin/api-keys";

std::string joined(const boost::json::object& key, std::string_view name) {
  std::string text;
  for (const auto& item : items_at(key, name)) {
    if (item.is_string()) text += (text.empty() ? "" : " ") + std::string(item.get_string());
  }
  return text;
}

void print_key(Desk& desk, const boost::json::object& key) {
  if (desk.is_json()) {
    desk.print_json(key);
    return;
  }
  desk.print_record({{"Id", text_at(key, "id")},
                     {"Name", text_at(key, "name")},
                     {"Begins with", text_at(key, "keyStart")},
                     {"State", text_at(key, "state")},
                     {"Owner", text_at(key, "owner")},
                     {"Made by", text_at(key, "createdBy")},
                     {"Permissions", joined(key, "permissions")},
                     {"In force", joined(key, "inForce")},
                     {"Networks", joined(key, "networks")},
                     {"Created", time_at(key, "createdAt")},
                     {"Expires", time_at(key, "expiresAt")},
                     {"Last used", time_at(key, "lastUsedAt")},
                     {"Last used from", text_at(key, "lastUsedFrom")},
                     {"Revoked", time_at(key, "revokedAt")}});
}

std::string path_of(const std::string& id) {
  if (!Uuid::parse(id)) throw Failure("no such id: " + id, "safawinet api-key list", kUsage);
  return std::string(kPath) + "/" + id;
}

std::shared_ptr<std::string> add_id(CLI::App& verb) {
  auto id = std::make_shared<std::string>();
  verb.add_option("id", *id, "As api-key list shows it")->type_name("ID")->required();
  return id;
}

void add_list(CLI::App& noun, int& exit_code) {
  auto limit = std::make_shared<std::shared_ptr<std::size_t>>();
  auto& verb = add_verb(
      noun, exit_code,
      {.name = "list",
       .description = "List API keys, the newest first, the revoked ones too",
       .example = "safawinet api-key list"},
      [limit](Desk& desk) {
        print_list(desk, kPath, {}, **limit, {"ID", "NAME", "STATE", "LAST USED", "EXPIRES", "OWNER", "PERMISSIONS"},
                   [](const boost::json::object& key) -> std::vector<std::string> {
                     return {text_at(key, "id"),         text_at(key, "name"),      text_at(key, "state"),
                             time_at(key, "lastUsedAt"), time_at(key, "expiresAt"), text_at(key, "owner"),
                             joined(key, "permissions")};
                   });
      });
  *limit = add_limit(verb);
}

void add_show(CLI::App& noun, int& exit_code) {
  auto id = std::make_shared<std::shared_ptr<std::string>>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "show",
                         .description = "Show one API key; the key itself is shown only when it is made",
                         .example = "safawinet api-key show 01a22430-852c-77a9-9b81-9ebaa044760d"},
                        [id](Desk& desk) {
                          const auto key = desk.api().get_listed(path_of(**id), "safawinet api-key list");
                          print_key(desk, object_of(key));
                        });
  *id = add_id(verb);
}

struct NewKey {
  std::string name;
  std::vector<std::string> permissions;
  std::vector<std::string> networks;
  std::string expires;
  std::string key_file;
};

// Makes a key each time, so it is asked for once.
boost::json::object make_key(Api& api, const boost::json::object& body) {
  auto answer = api.post_once(kPath, body);
  const auto* refusal = std::get_if<Refusal>(&answer);
  if (refusal == nullptr) return object_of(std::get<boost::json::value>(answer));
  if (refusal->status < 500) fail(*refusal);
  throw Failure(refusal->text, "see whether it was made all the same: safawinet api-key list");
}

void print_new_key(Desk& desk, const boost::json::object& answer) {
  if (desk.is_json()) {
    desk.print_json(answer);
    return;
  }
  print_key(desk, object_at(answer, "apiKey"));
  desk.console().note("The key, which is shown this once:");
  desk.console().write(text_at(answer, "key") + "\n");
}

// Of a key that nobody has. `key` is printed when it is still good and stdout is there to take it.
[[noreturn]] void fail_and_revoke(Desk& desk, const boost::json::object& made, const Failure& failure,
                                  const SecretText* key = nullptr) {
  const std::string why = failure.what();
  const auto id = text_at(made, "id");
  try {
    desk.api().remove(path_of(id));
  } catch (const Failure& refusal) {
    desk.console().note("The key could not be revoked: " + std::string(refusal.what()));
    if (key != nullptr) {
      desk.console().note("It is good, and shown this once:");
      desk.console().write(std::string(key->reveal()) + "\n");
    }
    throw Failure(why + "; the key " + id + " was made all the same", "safawinet api-key revoke " + shell_word(id));
  }
  throw Failure(why + "; the key " + id + " was revoked again", failure.next());
}

void create(Desk& desk, const NewKey& wanted) {
  boost::json::object body{{"name", wanted.name}};
  boost::json::array permissions;
  for (const auto& permission : wanted.permissions) permissions.emplace_back(permission);
  body["permissions"] = std::move(permissions);
  if (!wanted.networks.empty()) {
    boost::json::array networks;
    for (const auto& network : wanted.networks) networks.emplace_back(network);
    body["networks"] = std::move(networks);
  }
  if (!wanted.expires.empty()) body["expiresAt"] = when_text(wanted.expires, "--expires", Direction::future);
  std::optional<NewPrivateFile> file;
  if (!wanted.key_file.empty()) file.emplace(wanted.key_file);
  const InterruptsPutOff until_kept;
  auto answer = make_key(desk.api(), body);
  const SecretText key(text_at(answer, "key"));
  const auto made = object_at(answer, "apiKey");
  // A program is to use it: text that could do something to a terminal is no key.
  if (key.empty() || shell_word(key.reveal()) != key.reveal())
    throw Failure("the server's answer holds no key", "safawinet api-key list");
  if (!file) {
    try {
      print_new_key(desk, answer);
    } catch (const Failure& failure) {
      fail_and_revoke(desk, made, failure);
    }
    return;
  }
  try {
    file->write(std::string(key.reveal()) + "\n");
  } catch (const Failure& failure) {
    fail_and_revoke(desk, made, failure, &key);
  }
  answer.erase("key");
  answer["keyFile"] = file->path().string();
  if (desk.is_json()) {
    desk.print_json(answer);
    return;
  }
  print_key(desk, made);
  desk.console().note("The key is in " + file->path().string() + ", which only you may read.");
}

void add_create(CLI::App& noun, int& exit_code) {
  auto wanted = std::make_shared<NewKey>();
  auto& verb = add_verb(noun, exit_code,
                        {.name = "create",
                         .description = "Make an API key, which can do at most what you can",
                         .example = "safawinet api-key create billing --permission tokens:introspect --expires 90d "
                                    "--key-file billing.key\n"
                                    "safawinet api-key create ci --permission users:read --network 192.0.2.0/24"},
                        [wanted](Desk& desk) { create(desk, *wanted); });
  verb.add_option("name", wanted->name, "What it is for")->type_name("NAME")->required();
  std::vector<std::string> names;
  std::string meanings = "What it may do; repeat it for more:";
  for (const auto permission : all_permissions()) {
    names.emplace_back(name_of(permission));
    meanings += "\n  " + std::string(name_of(permission)) + ": " + std::string(meaning_of(permission));
  }
  verb.add_option("--permission", wanted->permissions, meanings)->required()->check(CLI::IsMember(names));
  verb.add_option("--network", wanted->networks, "Only from this network; may be repeated")->type_name("CIDR");
  verb.add_option("--expires", wanted->expires,
                  "Until when, such as 90d or 2027-01-31; without it, until it is revoked")
      ->type_name("WHEN");
  verb.add_option("--key-file", wanted->key_file, "Write the key to this new file (mode 0600) instead of showing it")
      ->type_name("FILE");
}

void add_revoke(CLI::App& noun, int& exit_code) {
  auto id = std::make_shared<std::shared_ptr<std::string>>();
  auto consent = std::make_shared<std::shared_ptr<Consent>>();
  auto& verb = add_verb(
      noun, exit_code,
      {.name = "revoke",
       .description = "Revoke an API key, everywhere at once",
       .example = "safawinet api-key revoke 01a22430-852c-77a9-9b81-9ebaa044760d --yes"},
      [=](Desk& desk) {
        const auto path = path_of(**id);
        const auto answer = desk.api().get_listed(path, "safawinet api-key list");
        const auto& key = object_of(answer);
        const auto preview = "This revokes the key " + text_at(key, "name") + " (" + text_at(key, "state") +
                             ", last used " +
                             (time_at(key, "lastUsedAt").empty() ? "never" : time_at(key, "lastUsedAt")) + ").";
        if (text_at(key, "state") == "revoked") {
          desk.print_done(text_at(key, "name") + " is revoked already.", key);
          return;
        }
        if (!may_go_on(desk, **consent, {.preview = preview, .question = "Revoke it?", .seen = key})) return;
        desk.api().remove(path);
        desk.print_done("Revoked " + text_at(key, "name") + ".", boost::json::object{{"revoked", text_at(key, "id")}});
      });
  *id = add_id(verb);
  *consent = add_consent(verb);
}

}  // namespace

void add_api_key(CLI::App& app, int& exit_code) {
  auto& noun = add_noun(app, "api-key", "Keys by which programs speak to the API",
                        "safawinet api-key create billing --permission tokens:introspect --key-file billing.key");
  add_list(noun, exit_code);
  add_show(noun, exit_code);
  add_create(noun, exit_code);
  add_revoke(noun, exit_code);
}

}  // namespace safawinet::cli
