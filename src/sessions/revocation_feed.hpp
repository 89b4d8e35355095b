// How this node learns of revocations, and how it knows that it knows.
//
// Reading the feed renews a lease, counted on the monotonic clock from before the read began. A node whose lease has
// run out (paused, cut off from the database) must not accept any token: what it does not know may have been revoked.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.hpp"
#include "base/published.hpp"
#include "base/task.hpp"
#include "sessions/revocation_index.hpp"
#include "sql/database.hpp"

namespace safawinet {

inline constexpr std::chrono::milliseconds kFeedLongestWait{500};

// Threading: is_held, index and the figures from any thread; catch_up on any event loop; follow on one.
class RevocationFeed {
 public:
  RevocationFeed(sql::Database& database, const Clock& clock, std::chrono::milliseconds lease)
      : database_(database), clock_(clock), lease_(lease) {}

  // Reads what was committed and publishes it. When this returns, everything that was committed before the call is in
  // index(), and the lease is renewed. Throws Unavailable.
  Task<void> catch_up();

  // Waits for changes and catches up, for ever; a failed read is tried again after a moment, and `on_failure` hears
  // why.
  Task<void> follow(std::function<void(const std::string&)> on_failure);

  // Rebuilds the index from the rows that are still kept, so that it does not grow for ever.
  Task<void> reload();

  // Until when this node may say yes to a token. Whoever uses index() reads this before it, and compares after.
  [[nodiscard]] MonotonicTime lease_held_until() const {
    return MonotonicTime(std::chrono::nanoseconds(held_until_.load()));
  }
  [[nodiscard]] bool is_lease_held() const { return clock_.monotonic() < lease_held_until(); }
  [[nodiscard]] std::shared_ptr<const RevocationIndex> index() const { return index_.get(); }
  // How long the lease still lasts; negative when it has run out.
  [[nodiscard]] std::chrono::nanoseconds lease_left() const { return lease_held_until() - clock_.monotonic(); }
  // From the commit of a revocation (the database's clock) to its being in force here, for the last one seen.
  [[nodiscard]] std::chrono::microseconds last_lag() const { return std::chrono::microseconds(last_lag_.load()); }

 private:
  struct Batch;

  Task<Batch> read_after(std::int64_t seq);
  // False when what was read does not follow what is known: the database is another one than before (restored), and
  // must be read again from the beginning.
  [[nodiscard]] bool apply(const Batch& batch);
  void renew_lease(MonotonicTime began);

  sql::Database& database_;
  const Clock& clock_;
  const std::chrono::milliseconds lease_;
  std::mutex applying_;  // guards cursor_ and incarnation_, and makes updates of the index one after another
  std::int64_t cursor_ = 0;
  std::string incarnation_;
  Published<RevocationIndex> index_{std::make_shared<RevocationIndex>()};
  std::atomic<std::int64_t> held_until_{0};  // nanoseconds of MonotonicTime
  std::atomic<std::int64_t> last_lag_{0};    // microseconds
};

}  // namespace safawinet
