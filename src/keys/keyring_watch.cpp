#include "keys/keyring_watch.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/encoding.hpp"

namespace safawinet {
namespace {

SigningKey import_signing_key(const KeyEntry& entry, const Bytes& secret) {
  auto imported = SigningKey::from_pkcs8(secret);
  if (!imported || imported->id() != entry.id) throw WrongMasterKey("the signing key " + entry.id + " is damaged");
  return std::move(*imported);
}

void add_signing_key(Keyring::Parts& parts, const KeyEntry& entry, const Bytes& secret) {
  auto key = import_signing_key(entry, secret);
  switch (entry.state) {
    case KeyState::active:
      parts.active = std::move(key);
      return;
    case KeyState::next:
      parts.next = std::move(key);
      return;
    case KeyState::verifying:
      parts.verifying.push_back(key.verifying_key());
      return;
    case KeyState::retired:
    case KeyState::compromised:
      parts.former.push_back({.key = key.verifying_key(), .is_distrusted = entry.state == KeyState::compromised});
  }
}

void add_mac_key(Keyring::Parts& parts, const KeyEntry& entry, const Bytes& secret) {
  const auto id = static_cast<std::uint32_t>(std::stoul(entry.id));
  const bool is_distrusted = entry.state == KeyState::compromised;
  if (is_distrusted || entry.state == KeyState::retired) {
    parts.former_mac_keys.push_back({.id = id, .key = MacKey(secret), .is_distrusted = is_distrusted});
    return;
  }
  parts.mac_keys.emplace_back(id, MacKey(secret));
  if (entry.state == KeyState::active) parts.active_mac_key_id = id;
  if (entry.state == KeyState::next) parts.next_mac_key_id = id;
}

std::shared_ptr<const Keyring> assemble(const std::vector<StoredKey>& keys, const KeyStore& store) {
  Keyring::Parts parts;
  for (const auto& key : keys) {
    auto secret = store.open(key);
    if (key.entry.purpose == KeyPurpose::signing) {
      add_signing_key(parts, key.entry, secret);
    } else {
      add_mac_key(parts, key.entry, secret);
    }
    wipe(secret);
  }
  return std::make_shared<const Keyring>(std::move(parts));
}

// What is due waits for KeyService::tend(), which records it.
Task<LoadedKeyring> load(sql::Database& database, const MasterKey& master_key, const KeyringRules& rules,
                         std::vector<std::string> distrusted, const Clock& clock, Random& random) {
  KeyStore store(master_key);
  auto body = [&](sql::Transaction& transaction) -> Task<Result<LoadedKeyring>> {
    co_await store.lock(transaction);
    auto keys = co_await store.list(transaction);
    const auto now = clock.now();
    auto root = co_await store.root_secret(transaction, keys, now, random);
    KeyringChange change(keys, rules, now, random);
    for (const auto& id : distrusted) {
      if (auto* const life = change.find_life_of(id)) life->distrust(id);
    }
    change.complete();
    if (!change.is_nothing()) {
      co_await change.write(transaction, store);
      keys = co_await store.list(transaction);
    }
    auto states = co_await store.states(transaction);
    LoadedKeyring loaded{.keyring = assemble(keys, store),
                         .states = std::move(states),
                         .root = std::make_shared<const RootSecret>(std::move(root))};
    co_return loaded;
  };
  auto loaded = co_await database.transact(std::move(body));
  co_return std::move(loaded.value());
}

// "signing/AbC…/active,refresh-mac/1/compromised": the ids of those that are compromised.
std::vector<std::string> distrusted_in(std::string_view states) {
  constexpr std::string_view kEnding = "/compromised";
  std::vector<std::string> ids;
  while (!states.empty()) {
    const auto end = std::min(states.find(','), states.size());
    auto one = states.substr(0, end);
    states.remove_prefix(std::min(end + 1, states.size()));
    if (!one.ends_with(kEnding)) continue;
    one.remove_suffix(kEnding.size());
    ids.emplace_back(one.substr(one.find('/') + 1));
  }
  return ids;
}

}  // namespace

Task<LoadedKeyring> load_keyring(sql::Database& database, const MasterKey& master_key, const KeyringRules& rules,
                                 const Clock& clock, Random& random) {
  return load(database, master_key, rules, {}, clock, random);
}

void KeyringWatch::hear(std::string_view states) {
  const std::lock_guard lock(mutex_);
  if (states == heard_) return;
  heard_ = states;
  for (auto& id : distrusted_in(states)) {
    if (std::ranges::find(distrusted_, id) == distrusted_.end()) distrusted_.push_back(std::move(id));
  }
  auto current = parts_.published.get();
  auto trusted = without_distrusted(current);
  if (trusted != current) parts_.published.set(std::move(trusted));
}

bool KeyringWatch::is_behind() const {
  const std::lock_guard lock(mutex_);
  return heard_ != loaded_;
}

Task<void> KeyringWatch::look() {
  std::vector<std::string> distrusted;
  std::uint64_t reading = 0;
  {
    const std::lock_guard lock(mutex_);
    distrusted = distrusted_;
    reading = ++readings_;
  }
  auto loaded = co_await load(parts_.database, parts_.master_key, parts_.rules, std::move(distrusted), parts_.clock,
                              parts_.random);
  const std::lock_guard lock(mutex_);
  if (reading < published_) co_return;  // it may be of an older state than what is published
  published_ = reading;
  loaded_ = std::move(loaded.states);
  parts_.published.set(without_distrusted(std::move(loaded.keyring)));
}

// Whatever order things are heard and read in, no key that was heard to be distrusted comes back.
std::shared_ptr<const Keyring> KeyringWatch::without_distrusted(std::shared_ptr<const Keyring> keyring) const {
  const bool is_clean =
      std::ranges::none_of(distrusted_, [&keyring](const std::string& id) { return keyring->contains(id); });
  return is_clean ? keyring : std::make_shared<const Keyring>(keyring->without(distrusted_));
}

}  // namespace safawinet
