// Whether the clock has gone steadily for a while.
#pragma once

#include <chrono>
#include <optional>

#include "base/clock.hpp"

namespace safawinet {

// A wall clock that jumps years ahead may be set right a minute later. What is forgotten because it is old is forgotten
// only when the wall clock and the monotonic one have agreed for a quarter of an hour. Threading: one call at a time.
class ClockWatch {
 public:
  explicit ClockWatch(const Clock& clock) : clock_(clock) {}

  // Compares with the last call. To be asked every minute or so.
  bool has_been_steady() {
    const auto now = clock_.now();
    const auto monotonic = clock_.monotonic();
    if (!last_ || std::chrono::abs((now - last_->now) - (monotonic - last_->monotonic)) > kJump) {
      steady_since_ = monotonic;
    }
    last_ = Look{.now = now, .monotonic = monotonic};
    return monotonic - steady_since_ >= kSteadyFor;
  }

 private:
  struct Look {
    Time now;
    MonotonicTime monotonic;
  };
  static constexpr std::chrono::minutes kJump{1};  // two clocks that go right do not come so far apart
  static constexpr std::chrono::minutes kSteadyFor{15};

  const Clock& clock_;
  std::optional<Look> last_;
  MonotonicTime steady_since_{};
};

}  // namespace safawinet
