#include "keys/keyring_change.hpp"

#include <algorithm>
#include <charconv>
#include <span>
#include <stdexcept>
#include <utility>

#include "crypto/digest.hpp"
#include "crypto/signing_key.hpp"

namespace safawinet {
namespace {

constexpr std::string_view kMacAlgorithm = "HS256";

std::uint32_t largest_mac_id(const std::vector<StoredKey>& keys) {
  std::uint32_t largest = 0;
  for (const auto& key : keys) {
    if (key.entry.purpose != KeyPurpose::refresh_mac) continue;
    std::uint32_t id = 0;
    const auto& text = key.entry.id;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (error != std::errc() || end != text.data() + text.size())
      throw sql::BadColumn("the id of a MAC key is no number");
    largest = std::max(largest, id);
  }
  return largest;
}

}  // namespace

KeyringChange::KeyringChange(const std::vector<StoredKey>& keys, const KeyringRules& rules, Time now, Random& random)
    : random_(random),
      last_mac_id_(largest_mac_id(keys)),
      signing_(entries_of(keys, KeyPurpose::signing), rules.signing, now,
               [this](const std::string& algorithm) { return make_signing_key(algorithm); }),
      refresh_mac_(entries_of(keys, KeyPurpose::refresh_mac), rules.refresh_mac, now,
                   [this](const std::string&) { return make_mac_key(); }) {
  for (const auto& key : keys) before_.emplace(key.entry.id, key.entry.state);
}

KeyringChange::~KeyringChange() {
  for (auto& [id, secret] : secrets_) wipe(secret);
}

KeyLife* KeyringChange::find_life_of(std::string_view id) {
  if (signing_.find(id) != nullptr) return &signing_;
  return refresh_mac_.find(id) != nullptr ? &refresh_mac_ : nullptr;
}

void KeyringChange::complete() {
  signing_.complete();
  refresh_mac_.complete();
}

void KeyringChange::go_on(const std::function<bool(const KeyEntry&)>& may_retire) {
  signing_.go_on(may_retire);
  refresh_mac_.go_on(may_retire);
}

std::vector<KeyEntry> KeyringChange::moved() const {
  std::vector<KeyEntry> moved;
  for (const auto* life : {&signing_, &refresh_mac_}) {
    for (auto& key : life->changed()) {
      if (before_.at(key.id) != key.state) moved.push_back(std::move(key));
    }
    for (auto& key : life->made()) moved.push_back(std::move(key));
  }
  return moved;
}

bool KeyringChange::is_nothing() const {
  return signing_.changed().empty() && signing_.made().empty() && refresh_mac_.changed().empty() &&
         refresh_mac_.made().empty();
}

Task<void> KeyringChange::write(sql::Transaction& transaction, KeyStore& store) const {
  for (const auto* life : {&signing_, &refresh_mac_}) {
    const auto changed = life->changed();
    for (const auto& key : changed) co_await store.update(transaction, key);
    const auto made = life->made();
    for (const auto& key : made) co_await store.insert(transaction, key, secrets_.at(key.id));
  }
}

KeyEntry KeyringChange::make_signing_key(const std::string& algorithm) {
  const auto parsed = parse_signing_algorithm(algorithm);
  if (!parsed) throw std::invalid_argument("no such algorithm: " + algorithm);
  auto key = SigningKey::generate(*parsed);
  // On a command line, such an id would look like an option.
  while (key.id().starts_with('-')) key = SigningKey::generate(*parsed);
  secrets_.emplace(key.id(), key.pkcs8());
  return {.id = key.id(), .purpose = KeyPurpose::signing, .algorithm = algorithm};
}

KeyEntry KeyringChange::make_mac_key() {
  auto id = std::to_string(++last_mac_id_);
  Bytes secret(MacKey::kBytes);
  random_.fill(std::as_writable_bytes(std::span(secret)));
  secrets_.emplace(id, std::move(secret));
  return {.id = std::move(id), .purpose = KeyPurpose::refresh_mac, .algorithm = std::string(kMacAlgorithm)};
}

}  // namespace safawinet
