// How many logins are refused at the moment, as this node sees it.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_set>

#include "base/clock.hpp"

namespace safawinet {

// The last minute, to ten seconds. Threading: any thread.
class LoginGauge {
 public:
  explicit LoginGauge(const Clock& clock) : clock_(clock) {}

  void count_accepted();
  void count_refused(const std::string& network);

  struct Minute {
    std::size_t accepted = 0;
    std::size_t refused = 0;
    std::size_t networks = 0;  // that the refused ones came from, up to kNetworksLimit
  };
  [[nodiscard]] Minute last_minute();

  static constexpr std::size_t kNetworksLimit = 1'000;  // remembered in ten seconds

 private:
  struct Slot {
    MonotonicTime began;
    std::size_t accepted = 0;
    std::size_t refused = 0;
    std::unordered_set<std::string> networks;
  };
  Slot& current();

  const Clock& clock_;
  std::mutex mutex_;
  std::deque<Slot> slots_;
};

}  // namespace safawinet
