#include "cli/when.hpp"

#include <charconv>

#include "cli/failure.hpp"

namespace safawinet::cli {
namespace {

constexpr std::int64_t kLongestSeconds = std::int64_t{100} * 366 * 24 * 3600;

std::optional<std::int64_t> seconds_of(char unit) {
  switch (unit) {
    case 's':
      return 1;
    case 'm':
      return 60;
    case 'h':
      return 3600;
    case 'd':
      return 86'400;
    case 'w':
      return 604'800;
    default:
      return std::nullopt;
  }
}

std::optional<std::chrono::seconds> parse_length(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  const auto unit = seconds_of(text.back());
  std::int64_t count = 0;
  const auto* end_of_count = &text.back();
  const auto [end, error] = std::from_chars(&text.front(), end_of_count, count);
  if (!unit || error != std::errc() || end != end_of_count || count < 0 || count > kLongestSeconds / *unit) {
    return std::nullopt;
  }
  return std::chrono::seconds(count * *unit);
}

}  // namespace

std::optional<Time> parse_when(std::string_view text, Time now, Direction direction) {
  if (const auto moment = parse_rfc3339(text)) return moment;
  if (text.size() == 10) {
    if (const auto day = parse_rfc3339(std::string(text) + "T00:00:00Z")) return day;
  }
  const auto distance = parse_length(text);
  if (!distance) return std::nullopt;
  return direction == Direction::past ? now - *distance : now + *distance;
}

std::string when_text(std::string_view text, std::string_view option, Direction direction) {
  const auto now = std::chrono::time_point_cast<Time::duration>(std::chrono::system_clock::now());
  const auto moment = parse_when(text, now, direction);
  if (moment) return to_rfc3339(*moment);
  throw Failure(std::string(option) + " is no moment: " + std::string(text),
                "a time such as 2026-11-28T12:00:00Z, a day such as 2026-11-28, or a distance such as 12h or 7d",
                kUsage);
}

std::int64_t seconds_of_length(std::string_view text, std::string_view option) {
  const auto length = parse_length(text);
  if (length) return length->count();
  throw Failure(std::string(option) + " is no length of time: " + std::string(text), "such as 90s, 30m, 2h or 7d",
                kUsage);
}

}  // namespace safawinet::cli
