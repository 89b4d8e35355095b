// SHA-256 (FIPS 180-4), HMAC-SHA256 (RFC 2104), HKDF-SHA256 (RFC 5869) and comparison that takes the same time whatever
// it finds.
//
// Threading: everything here may be called from any thread. Errors: openssl::Failure (an exception) when the library
// cannot work at all.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/encoding.hpp"

namespace safawinet {

inline constexpr std::size_t kSha256Bytes = 32;
using Sha256 = std::array<std::uint8_t, kSha256Bytes>;

Sha256 sha256(ByteView data);

// For a key that is used once. A key that is used often is a MacKey.
Sha256 hmac_sha256(ByteView key, ByteView data);

// False at once when the lengths differ: lengths are not secret.
bool constant_time_equal(ByteView left, ByteView right);

// Extract and expand. `length` is in bytes, at most 255 * 32 (std::invalid_argument beyond).
Bytes hkdf_sha256(ByteView secret, ByteView salt, ByteView info, std::size_t length);

// A key for HMAC-SHA256, prepared once, so that each use costs the hashing alone. Immutable and cheap to copy: copies
// share the prepared state, which is wiped with the last of them.
class MacKey {
 public:
  static constexpr std::size_t kBytes = 32;

  // std::invalid_argument unless `key` has kBytes bytes. They are copied; the caller wipes its own.
  explicit MacKey(ByteView key);

  [[nodiscard]] Sha256 sign(ByteView data) const;
  [[nodiscard]] bool verify(ByteView data, ByteView mac) const;

 private:
  struct Prepared;
  std::shared_ptr<const Prepared> prepared_;
};

}  // namespace safawinet
