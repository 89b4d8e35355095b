// Refresh tokens: opaque to clients, and checked without the database. A token names a session and a generation of it,
// under a MAC; so a forgery is refused at once, and every past generation is recognisable with no history kept.
//
//   sf_rt_ base64url( version 1 | key id u32 | session id 16 bytes | generation u64 | HMAC-SHA256 )     integers
//   big-endian
//
// Deterministic: the same key, session and generation give the same text, byte for byte, so that every racer for a
// successor gets the same one. One spelling: the text that parses is the text that format gives. Threading: any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "crypto/digest.hpp"

namespace safawinet {

inline constexpr std::string_view kRefreshTokenPrefix = "sf_rt_";
inline constexpr std::size_t kRefreshTokenBytes = 88;  // of text, always

struct RefreshToken {
  std::uint32_t key_id = 0;
  SessionId session;
  std::uint64_t generation = 0;

  // `key` must be the MAC key with `key_id`. The text is a secret.
  [[nodiscard]] std::string format(const MacKey& key) const;

  bool operator==(const RefreshToken&) const = default;
};

// The MAC key with this id, or null. The pointer must stay valid until parse_refresh_token returns.
using MacKeyLookup = std::function<const MacKey*(std::uint32_t key_id)>;

// None for whatever was not made by format() with the key that it names. The MAC is compared in constant time. That a
// token parses says that we made it, not that its session lives.
std::optional<RefreshToken> parse_refresh_token(std::string_view text, const MacKeyLookup& find_key);

}  // namespace safawinet
