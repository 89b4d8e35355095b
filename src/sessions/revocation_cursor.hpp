// How far somebody outside has read the revocations: opaque to them, good on every node, and as long as the history of
// the database is the one that it was made in.
//
//   base64url( version 1 | history 8 bytes | opened at, seq: numbers | from, up to: snapshots | HMAC-SHA256, 16 bytes )
//
// A number is a base-128 varint. A snapshot of PostgreSQL is the number 0 if there is none, else 1 + how many
// transactions it lists, then xmin, xmax - xmin, and each of them less the one before: a thousand open transactions
// take two kilobytes and not twenty, so that a cursor fits into a request line. Threading: any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "crypto/digest.hpp"

namespace safawinet {

// What pg_current_snapshot() gives: transactions below `xmin` are visible, those from `xmax` on are not, and of those
// between, the ones that were `running` are not.
struct DatabaseSnapshot {
  std::uint64_t xmin = 0;
  std::uint64_t xmax = 0;
  std::vector<std::uint64_t> running;  // ascending

  // "10:20:10,14"; none for anything else.
  static std::optional<DatabaseSnapshot> parse(std::string_view text);
  [[nodiscard]] std::string text() const;
  bool operator==(const DatabaseSnapshot&) const = default;
};

// On the embedded database what was read is what has a number up to `seq`. On PostgreSQL it is what is visible in
// `from`, and, of what is visible in `up_to` besides, what has a number up to `seq`.
struct RevocationCursor {
  using History = std::array<std::uint8_t, 8>;

  History history{};
  Time opened_at;  // whole seconds; by then all that it covers had been committed
  std::uint64_t seq = 0;
  std::optional<DatabaseSnapshot> from;   // none: nothing
  std::optional<DatabaseSnapshot> up_to;  // none: all of `from` was read, and nothing besides

  // None for whatever format() did not make with this key.
  static std::optional<RevocationCursor> parse(std::string_view text, const MacKey& key);
  [[nodiscard]] std::string format(const MacKey& key) const;
  bool operator==(const RevocationCursor&) const = default;
};

}  // namespace safawinet
