#include "crypto/keyring.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <set>
#include <stdexcept>

namespace safawinet {
namespace {

void require_distinct(const Keyring::Parts& parts) {
  std::set<std::string_view> ids{parts.active.id()};
  for (const auto& key : parts.verifying) {
    if (!ids.insert(key.id()).second) throw std::invalid_argument("a signing key is twice in the keyring");
  }
  std::set<std::uint32_t> mac_ids;
  for (const auto& [id, key] : parts.mac_keys) {
    if (!mac_ids.insert(id).second) throw std::invalid_argument("two MAC keys of the keyring have the same id");
  }
  if (!mac_ids.contains(parts.active_mac_key_id))
    throw std::invalid_argument("the active MAC key is not in the keyring");
}

std::string jwks_of(const Keyring::Parts& parts) {
  boost::json::array keys;
  keys.emplace_back(parts.active.verifying_key().jwk());
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

// A handful of keys each: walking them is faster than any map.
const VerifyingKey* Keyring::find_verifying_key(std::string_view id) const {
  if (parts_.active.id() == id) return &parts_.active.verifying_key();
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
