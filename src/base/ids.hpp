// Identifiers: UUIDv7 (RFC 9562 section 5.7), a different type for each kind of thing.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/random.hpp"

namespace safawinet {

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  // Accepts the 36-character form with hyphens, in either case (RFC 9562 section 4); anything else is none.
  static std::optional<Uuid> parse(std::string_view text);
  // Version 7: 48 bits of Unix milliseconds, then random bits; sorts by the time of creation.
  static Uuid version7(Time now, Random& random);
  [[nodiscard]] std::string text() const;

  auto operator<=>(const Uuid&) const = default;
};

// Id<UserTag> and Id<SessionTag> do not mix.
template <class Tag>
struct Id {
  Uuid uuid{};

  static std::optional<Id> parse(std::string_view text) {
    const auto parsed = Uuid::parse(text);
    return parsed ? std::optional(Id{*parsed}) : std::nullopt;
  }
  static Id make(const Clock& clock, Random& random) { return Id{Uuid::version7(clock.now(), random)}; }
  [[nodiscard]] std::string text() const { return uuid.text(); }

  auto operator<=>(const Id&) const = default;
};

using UserId = Id<struct UserTag>;
using SessionId = Id<struct SessionTag>;

}  // namespace safawinet

template <>
struct std::hash<safawinet::Uuid> {
  std::size_t operator()(const safawinet::Uuid& id) const noexcept {
    std::size_t random_half = 0;  // the last eight bytes of a version 7 id are random
    std::memcpy(&random_half, id.bytes.data() + 8, sizeof random_half);
    return random_half;
  }
};
template <class Tag>
struct std::hash<safawinet::Id<Tag>> {
  std::size_t operator()(const safawinet::Id<Tag>& id) const noexcept { return std::hash<safawinet::Uuid>{}(id.uuid); }
};
