#include "crypto/keyring.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "base/error.hpp"

namespace safawinet {
namespace {

void require_distinct(const Keyring::Parts& parts) {
  std::set<std::string_view> ids;
  const auto require_new = [&ids](std::string_view id) {
    if (!ids.insert(id).second) throw std::invalid_argument("a signing key is twice in the keyring");
  };
  if (parts.active) require_new(parts.active->id());
  if (parts.next) require_new(parts.next->id());
  for (const auto& key : parts.verifying) require_new(key.id());
  std::set<std::uint32_t> mac_ids;
  for (const auto& [id, key] : parts.mac_keys) {
    if (!mac_ids.insert(id).second) throw std::invalid_argument("two MAC keys of the keyring have the same id");
  }
  for (const auto& named : {parts.active_mac_key_id, parts.next_mac_key_id}) {
    if (named && !mac_ids.contains(*named))
      throw std::invalid_argument("the keyring lacks a MAC key that it is to make tokens with");
  }
}

std::string jwks_of(const Keyring::Parts& parts) {
  boost::json::array keys;
  if (parts.active) keys.emplace_back(parts.active->verifying_key().jwk());
  if (parts.next) keys.emplace_back(parts.next->verifying_key().jwk());
  for (const auto& key : parts.verifying) keys.emplace_back(key.jwk());
  boost::json::object set;
  set["keys"] = std::move(keys);
  return boost::json::serialize(set);
}

}  // namespace

Keyring::Keyring(Parts parts) : parts_(std::move(parts)) {
  require_distinct(parts_);
  jwks_ = jwks_of(parts_);
}

Keyring Keyring::without(std::span<const std::string> ids) const {
  const auto is_gone = [ids](std::string_view id) { return std::ranges::find(ids, id) != ids.end(); };
  const auto is_mac_gone = [&is_gone](std::uint32_t id) { return is_gone(std::to_string(id)); };
  auto left = parts_;
  const auto keep = [&left](const VerifyingKey& key) { left.former.push_back({.key = key, .is_distrusted = true}); };
  for (const auto& key : parts_.verifying) {
    if (is_gone(key.id())) keep(key);
  }
  if (left.active && is_gone(left.active->id())) keep(left.active->verifying_key());
  if (left.next && is_gone(left.next->id())) keep(left.next->verifying_key());
  for (const auto& [id, key] : parts_.mac_keys) {
    if (is_mac_gone(id)) left.former_mac_keys.push_back({.id = id, .key = key, .is_distrusted = true});
  }
  std::erase_if(left.verifying, [&](const auto& key) { return is_gone(key.id()); });
  std::erase_if(left.mac_keys, [&](const auto& entry) { return is_mac_gone(entry.first); });
  if (left.next && is_gone(left.next->id())) left.next.reset();
  if (left.active && is_gone(left.active->id())) left.active = std::exchange(left.next, std::nullopt);
  if (left.next_mac_key_id && is_mac_gone(*left.next_mac_key_id)) left.next_mac_key_id.reset();
  if (left.active_mac_key_id && is_mac_gone(*left.active_mac_key_id)) {
    left.active_mac_key_id = std::exchange(left.next_mac_key_id, std::nullopt);
  }
  return Keyring(std::move(left));
}

bool Keyring::contains(std::string_view id) const {
  if (find_verifying_key(id) != nullptr) return true;
  return std::ranges::any_of(parts_.mac_keys, [id](const auto& entry) { return std::to_string(entry.first) == id; });
}

const SigningKey& Keyring::signing_key() const {
  if (!parts_.active) throw Unavailable("the signing key was distrusted, and there is no other one yet");
  return *parts_.active;
}

std::uint32_t Keyring::active_mac_key_id() const {
  if (!parts_.active_mac_key_id)
    throw Unavailable("the key of refresh tokens was distrusted, and there is no other one yet");
  return *parts_.active_mac_key_id;
}

// A handful of keys each: walking them is faster than any map.
const VerifyingKey* Keyring::find_verifying_key(std::string_view id) const {
  if (parts_.active && parts_.active->id() == id) return &parts_.active->verifying_key();
  if (parts_.next && parts_.next->id() == id) return &parts_.next->verifying_key();
  for (const auto& key : parts_.verifying) {
    if (key.id() == id) return &key;
  }
  return nullptr;
}

const MacKey* Keyring::find_mac_key(std::uint32_t id) const {
  for (const auto& [key_id, key] : parts_.mac_keys) {
    if (key_id == id) return &key;
  }
  return nullptr;
}

const FormerKey* Keyring::find_former_key(std::string_view id) const {
  const auto found = std::ranges::find(parts_.former, id, [](const FormerKey& former) { return former.key.id(); });
  return found == parts_.former.end() ? nullptr : &*found;
}

const FormerMacKey* Keyring::find_former_mac_key(std::uint32_t id) const {
  const auto found = std::ranges::find(parts_.former_mac_keys, id, &FormerMacKey::id);
  return found == parts_.former_mac_keys.end() ? nullptr : &*found;
}

std::expected<AccessClaims, TokenFault> Keyring::verify_access_token(std::string_view token,
                                                                     const AccessExpectations& expected) const {
  return safawinet::verify_access_token(
      token, [this](std::string_view id) { return find_verifying_key(id); }, expected);
}

std::string Keyring::format_refresh_token(const RefreshToken& token) const {
  const MacKey* const key = find_mac_key(token.key_id);
  if (key == nullptr) throw std::out_of_range("no MAC key with this id in the keyring");
  return token.format(*key);
}

std::optional<RefreshToken> Keyring::parse_refresh_token(std::string_view text) const {
  return safawinet::parse_refresh_token(text, [this](std::uint32_t id) { return find_mac_key(id); });
}

}  // namespace safawinet
