// Time is a parameter: everything that asks what time it is holds a Clock, so that tests own it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace safawinet {

// Wall-clock time, UTC, in microseconds: what is stored and shown.
using Time = std::chrono::sys_time<std::chrono::microseconds>;

// Time that never jumps and goes on while the machine sleeps (CLOCK_BOOTTIME): deadlines and leases.
struct MonotonicClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
  static time_point now() noexcept;
};
using MonotonicTime = MonotonicClock::time_point;

// Threading: both calls may be made from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Time now() const = 0;
  [[nodiscard]] virtual MonotonicTime monotonic() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Time now() const override;
  [[nodiscard]] MonotonicTime monotonic() const override;
};

// The time of a database that many nodes share, so that they agree whatever their own clocks say. Runs on the monotonic
// clock: a machine clock that is set changes nothing. Before the first observation it is the machine's time. Threading:
// any thread.
class DatabaseClock final : public Clock {
 public:
  explicit DatabaseClock(const Clock& machine) : machine_(machine) {}

  [[nodiscard]] Time now() const override;
  [[nodiscard]] MonotonicTime monotonic() const override { return machine_.monotonic(); }

  // The database said `there`, at some moment from `began` to `ended`. Moves this clock only as far as that proves it
  // wrong: a slow answer says little, and two nodes that are both right about enough differ by less than an answer
  // takes.
  void observe(MonotonicTime began, MonotonicTime ended, Time there);

 private:
  static constexpr std::int64_t kUnknown = std::numeric_limits<std::int64_t>::min();

  const Clock& machine_;
  std::atomic<std::int64_t> offset_{kUnknown};  // nanoseconds from the monotonic time to now()
};

// RFC 3339 in UTC with six digits: "2026-11-24T20:25:53.000001Z". Fixed width, so text order is time order.
std::string to_rfc3339(Time time);
// Reads that form, with any number of fraction digits up to nine (or none) and "Z" or an offset; none if it is not a
// time.
std::optional<Time> parse_rfc3339(std::string_view text);

}  // namespace safawinet
