// API keys: how resource servers and scripts identify themselves.
//
//   sf_ak_ base64url( 32 random bytes ) check
//
// The check is the first six characters of base64url( SHA-256( what stands before it ) ): so what is garbled or made up
// is refused with no database work, and scanners for leaked secrets can tell a key from text that looks like one
// (`sf_ak_[A-Za-z0-9_-]{49}`). Only a hash is stored; there is nothing to guess in 256 random bits.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/operator.hpp"
#include "base/address.hpp"
#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"

namespace safawinet {

inline constexpr std::string_view kApiKeyPrefix = "sf_ak_";
inline constexpr std::size_t kApiKeyCharacters = 55;

struct ApiKeyText {
  SecretText text;
  std::string hash;  // SHA-256 of the text, 64 hexadecimal digits: goes into the database
};
ApiKeyText make_api_key(Random& random);

// Whether it says of itself that it is a key, good or not.
bool looks_like_api_key(std::string_view text);
// None if the text cannot be a key.
std::optional<std::string> hash_api_key(std::string_view text);

// What is kept of a key.
struct ApiKey {
  ApiKeyId id;
  std::string name;
  std::string key_start;        // the first characters of its text, to recognise it by
  std::optional<UserId> owner;  // none: made at the machine itself
  std::string created_by;       // an actor's text
  PermissionSet permissions;
  std::vector<IpNetwork> networks;  // empty: usable from everywhere
  Time created_at;
  std::optional<Time> expires_at;  // none: never
  std::optional<Time> last_used_at;
  std::string last_used_from;  // a client address; empty: never used
  std::optional<Time> revoked_at;
};

}  // namespace safawinet
