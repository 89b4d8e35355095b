#include "base/clock.hpp"

#include <ctime>

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace safawinet {
namespace {

// Reads exactly `digits` decimal digits at the front of `text` and removes them.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::chrono::microseconds> take_fraction(std::string_view& text) {
  if (!take(text, '.')) return std::chrono::microseconds(0);
  std::size_t digits = 0;
  std::int64_t nanoseconds = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9' && digits < 9) {
    nanoseconds = nanoseconds * 10 + (text[digits++] - '0');
  }
  if (digits == 0) return std::nullopt;
  for (std::size_t i = digits; i < 9; ++i) nanoseconds *= 10;
  text.remove_prefix(digits);
  return std::chrono::microseconds(nanoseconds / 1000);
}

std::optional<std::chrono::minutes> take_offset(std::string_view& text) {
  if (take(text, 'Z') || take(text, 'z')) return std::chrono::minutes(0);
  if (text.empty() || (text.front() != '+' && text.front() != '-')) return std::nullopt;
  const int sign = text.front() == '+' ? 1 : -1;
  text.remove_prefix(1);
  const auto hours = take_number(text, 2);
  if (!hours || *hours > 23 || !take(text, ':')) return std::nullopt;
  const auto minutes = take_number(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  return std::chrono::minutes(sign * (*hours * 60 + *minutes));
}

void put(char* at, unsigned value, int digits) {
  for (int i = digits - 1; i >= 0; --i) {
    at[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

}  // namespace

MonotonicTime MonotonicClock::now() noexcept {
  timespec spec{};
  clock_gettime(CLOCK_BOOTTIME, &spec);
  return MonotonicTime(std::chrono::seconds(spec.tv_sec) + std::chrono::nanoseconds(spec.tv_nsec));
}

Time SystemClock::now() const {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}
MonotonicTime SystemClock::monotonic() const { return MonotonicClock::now(); }

Time DatabaseClock::now() const {
  const auto offset = offset_.load();
  if (offset == kUnknown) return machine_.now();
  const auto since_1970 = monotonic().time_since_epoch() + std::chrono::nanoseconds(offset);
  return Time(std::chrono::floor<std::chrono::microseconds>(since_1970));
}

void DatabaseClock::observe(MonotonicTime began, MonotonicTime ended, Time there) {
  const auto offset_at = [](Time time, MonotonicTime moment) {
    return (std::chrono::nanoseconds(time.time_since_epoch()) - moment.time_since_epoch()).count();
  };
  const auto least = offset_at(there, ended);
  const auto greatest = offset_at(there, began);
  const auto of_machine = offset_at(machine_.now(), machine_.monotonic());
  auto held = offset_.load();
  while (!offset_.compare_exchange_weak(held, std::clamp(held == kUnknown ? of_machine : held, least, greatest))) {
  }
}

std::string to_rfc3339(Time time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto microseconds = static_cast<std::uint64_t>((time - day).count());
  std::string out = "0000-00-00T00:00:00.000000Z";
  put(&out[0], static_cast<unsigned>(static_cast<int>(date.year())), 4);
  put(&out[5], static_cast<unsigned>(date.month()), 2);
  put(&out[8], static_cast<unsigned>(date.day()), 2);
  const auto seconds = static_cast<unsigned>(microseconds / 1'000'000);
  put(&out[11], seconds / 3600, 2);
  put(&out[14], seconds / 60 % 60, 2);
  put(&out[17], seconds % 60, 2);
  put(&out[20], static_cast<unsigned>(microseconds % 1'000'000), 6);
  return out;
}

std::optional<Time> parse_rfc3339(std::string_view text) {
  const auto year = take_number(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_number(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_number(text, 2);
  if (!day || text.empty() || (text.front() != 'T' && text.front() != 't' && text.front() != ' ')) return std::nullopt;
  text.remove_prefix(1);
  const auto hour = take_number(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = take_number(text, 2);
  if (!minute || *minute > 59 || !take(text, ':')) return std::nullopt;
  const auto second = take_number(text, 2);
  if (!second || *second > 60) return std::nullopt;
  const auto fraction = take_fraction(text);
  if (!fraction) return std::nullopt;
  const auto offset = take_offset(text);
  if (!offset || !text.empty()) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  return Time(std::chrono::sys_days(date)) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second) + *fraction - *offset;
}

}  // namespace safawinet
