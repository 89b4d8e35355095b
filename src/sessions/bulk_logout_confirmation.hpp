// What a preview gives and an order must bring: opaque to clients, and checked without the database.
//
//   sf_bl_ base64url( version 1 | microseconds since 1970 i64 | sessions i64 | nonce 16 bytes | HMAC-SHA256 )
//
// The MAC also covers who asked, with what role, for which criteria, and whether their own session was to be spared:
// the confirmation of one preview confirms no other. Threading: any thread.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "crypto/digest.hpp"
#include "sessions/bulk_logout.hpp"

namespace safawinet {

inline constexpr std::chrono::minutes kConfirmationLifetime{10};

struct BulkLogoutConfirmation {
  Time issued_at;
  std::int64_t sessions = 0;             // that the preview counted
  std::array<std::uint8_t, 16> nonce{};  // two previews are two orders

  static BulkLogoutConfirmation make(Time now, std::int64_t sessions, Random& random);
  // None for whatever format() did not make, with this key, for the same request.
  static std::optional<BulkLogoutConfirmation> parse(std::string_view text, const BulkLogoutRequest& request,
                                                     const MacKey& key);

  [[nodiscard]] std::string format(const BulkLogoutRequest& request, const MacKey& key) const;
  [[nodiscard]] Time expires_at() const { return issued_at + kConfirmationLifetime; }
  // Of the order that it confirms: always the same one, so that confirming twice orders once. Sorts by issued_at.
  [[nodiscard]] BulkLogoutId order_id() const;

  bool operator==(const BulkLogoutConfirmation&) const = default;
};

}  // namespace safawinet
