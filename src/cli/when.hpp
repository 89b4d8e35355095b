// Moments as people type them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace safawinet::cli {

enum class Direction { past, future };

// "90s", "30m", "12h", "7d", "2w": so long before (or after) `now`; "2026-11-28": its beginning in UTC; a time of
// RFC 3339. None when it is neither.
std::optional<Time> parse_when(std::string_view text, Time now, Direction direction);

// The same as the API takes it, with the clock of this machine. Throws Failure (usage), naming `option`.
std::string when_text(std::string_view text, std::string_view option, Direction direction = Direction::past);

// "90s", "30m", "2h", "7d", "2w" in seconds. Throws Failure (usage), naming `option`.
std::int64_t seconds_of_length(std::string_view text, std::string_view option);

}  // namespace safawinet::cli
