// How often a caller may do what costs others something.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.hpp"
#include "base/task.hpp"

namespace safawinet {

// At most `count` in any `window`.
struct RateLimit {
  std::string_view name;  // those of one name are counted together
  std::size_t count;
  std::chrono::seconds window;
  // One of these is let through in any window although others have used up the count.
  bool has_a_place_of_its_own = false;
};

// The one table of limits; what can be guessed has its own (accounts/guessing_limits.hpp).
inline constexpr RateLimit kMailPerAddress{"mail-address", 5, std::chrono::hours(1)};
// A link to choose a new password: nobody keeps an owner from the way back in by asking for other mails.
inline constexpr RateLimit kRecoveryMailPerAddress{"mail-address", 5, std::chrono::hours(1), true};
inline constexpr RateLimit kMailPerNetwork{"mail-network", 30, std::chrono::hours(1)};
inline constexpr RateLimit kRegistrationsPerNetwork{"registration-network", 100, std::chrono::hours(1)};
inline constexpr RateLimit kRefusedLoginsPerNetwork{"refused-login", 60, std::chrono::minutes(1)};  // are audit rows
inline constexpr RateLimit kRefusalsPerUser{"refusal-user", 600, std::chrono::hours(1)};  // each is an audit row
inline constexpr RateLimit kStrayUsesPerKey{"stray-use-key", 10,
                                            std::chrono::hours(1)};  // of an API key; audit rows too

// What health and metrics say of the place where uses are counted.
struct CacheState {
  bool is_up = true;                                   // false: each node counts for itself meanwhile
  std::optional<std::chrono::microseconds> latency{};  // of the last answer; none: it is this process
  std::uint64_t calls = 0;                             // to a server
  std::uint64_t errors = 0;                            // calls, and attempts to connect, that failed
  std::uint64_t skipped = 0;                           // calls that were spared, since the server was known to be down
};

class RateLimiter {
 public:
  virtual ~RateLimiter() = default;
  // Counts one more for `subject`, or says in how long there is room for it again. A refused one does not count.
  virtual Task<std::optional<std::chrono::seconds>> take(const RateLimit& limit, std::string subject) = 0;
  // Threading: any thread.
  [[nodiscard]] virtual CacheState state() const = 0;
};

inline constexpr std::size_t kLimitedSubjectsLimit = 100'000;  // remembered at the most

// Counts in this process, exactly: the times of the last `count` uses of each subject, and which of them have a place
// of their own. When the table is full of
// subjects that are all in use, the one that has waited longest is forgotten. Threading: any thread.
class MemoryRateLimiter final : public RateLimiter {
 public:
  // No window of a limit is longer than `longest_window`: who was not seen for so long is forgotten.
  explicit MemoryRateLimiter(const Clock& clock, std::chrono::seconds longest_window = std::chrono::hours(1))
      : clock_(clock), longest_window_(longest_window) {}

  Task<std::optional<std::chrono::seconds>> take(const RateLimit& limit, std::string subject) override;
  [[nodiscard]] CacheState state() const override { return {}; }
  std::optional<std::chrono::seconds> take_now(const RateLimit& limit, const std::string& subject);
  // Forgets the newest use again: it was refused elsewhere.
  void give_back(const RateLimit& limit, const std::string& subject);

 private:
  struct Use {
    MonotonicTime at;
    bool has_a_place_of_its_own = false;
  };
  using Uses = std::deque<Use>;
  void make_room(MonotonicTime now);

  const Clock& clock_;
  std::chrono::seconds longest_window_;
  std::mutex mutex_;
  std::unordered_map<std::string, Uses> subjects_;
  std::deque<std::pair<MonotonicTime, std::string>> expiries_;  // when to look whether a subject can be forgotten
};

}  // namespace safawinet
