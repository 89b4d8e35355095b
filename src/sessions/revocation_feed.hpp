// How this node learns of revocations, and how it knows that it knows.
//
// A lease, counted on the monotonic clock, says how long the node may trust what it has read: from before it was proved
// that the database is still the one that everybody writes to, and from before the reading. A node whose lease has run
// out (paused, cut off from the database) must not accept any token: what it does not know may have been revoked.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/published.hpp"
#include "base/suspend.hpp"
#include "base/task.hpp"
#include "sessions/revocation_index.hpp"
#include "sessions/revocation_news.hpp"
#include "sql/database.hpp"

namespace safawinet {

inline constexpr std::chrono::milliseconds kFeedLongestWait{500};
inline constexpr std::chrono::hours kRevocationsKept{3};  // longer than any access token may live (one hour)

// Threading: is_held, index and the figures from any thread; reading on any event loop; follow on one.
class RevocationFeed {
 public:
  // Hears, at each reading and before what was read is in force, which keys there are in which states; from any thread.
  using KeyStates = std::function<void(std::string_view states)>;

  // `database_clock`, if there is one, is set by the database's clock at each reading.
  RevocationFeed(sql::Database& database, const Clock& clock, std::chrono::milliseconds lease,
                 DatabaseClock* database_clock = nullptr, KeyStates on_keys = {})
      : database_(database),
        clock_(clock),
        lease_(lease),
        database_clock_(database_clock),
        on_keys_(std::move(on_keys)) {}

  // Reads what was committed and publishes it: when this returns, everything that was committed before the call is in
  // index(). The lease stays as it is. Throws Unavailable.
  Task<void> read();

  // The same for many callers at once: those who ask while a reading is under way share the next one.
  Task<void> read_together();
  // Before the event loops are destroyed: forgets who still waits.
  void abandon_waiting();

  // Proves that the database is current, reads, and renews the lease. Throws Unavailable.
  Task<void> catch_up();

  // Waits for changes and reads them, for ever, and renews the lease in time; a failed read is tried again after a
  // moment, and `on_failure` hears why.
  Task<void> follow(std::function<void(const std::string&)> on_failure);

  // Rebuilds the index from the rows that are still kept, so that it does not grow for ever. What is read by others
  // meanwhile is kept as well.
  Task<void> reload();

  // What else this node must know to say yes: awaited with each reading that follow() and catch_up() do, so that the
  // lease vouches for it too. Before these are called.
  void also_read(std::function<Task<void>()> reading) { also_read_ = std::move(reading); }

  // Until when this node may say yes to a token. Whoever uses index() reads this before it, and compares after.
  [[nodiscard]] MonotonicTime lease_held_until() const {
    return MonotonicTime(std::chrono::nanoseconds(held_until_.load()));
  }
  [[nodiscard]] bool is_lease_held() const { return clock_.monotonic() < lease_held_until(); }
  [[nodiscard]] std::shared_ptr<const RevocationIndex> index() const { return index_.get(); }
  // Hears when index() has changed.
  [[nodiscard]] RevocationNews& news() { return news_; }
  // How long the lease still lasts; negative when it has run out.
  [[nodiscard]] std::chrono::nanoseconds lease_left() const { return lease_held_until() - clock_.monotonic(); }
  // From the commit of a revocation (the database's clock) to its being in force here, for the last one seen.
  [[nodiscard]] std::chrono::microseconds last_lag() const { return std::chrono::microseconds(last_lag_.load()); }

 private:
  // Which history of the database this is. A restored copy is another; so is what a promoted standby writes, and what
  // is written after a crash: transaction numbers that were never on disk are given out again.
  struct History {
    std::string incarnation;
    std::string timeline;
    std::string recovery;
    bool operator==(const History&) const = default;
  };
  // For either engine: a snapshot that sees nothing, and the number 1.
  static constexpr std::string_view kBeginning = "1:1:";
  struct Position {
    std::string cursor;     // opaque: made by the database for the next reading
    std::uint64_t era = 0;  // how many histories this node has seen: a cursor is good in its own
  };
  struct Batch;

  // One who waits for a reading that begins after having asked.
  struct Waiting {
    std::unique_ptr<Resumption> resumption;
    bool* is_next_to_read = nullptr;  // in the frame of the one who waits
  };

  Task<void> read_all();
  void end_turn(const std::exception_ptr& failure);
  [[nodiscard]] Position position();
  Task<Batch> read_from(const std::string& cursor);
  // Moves `from` on. False when it is of another history than the batch: everything is read again, from the beginning.
  // Doing that is harmless.
  [[nodiscard]] bool apply(const Batch& batch, Position& from);
  void begin_era(const Batch& batch);
  Task<void> restore_epoch(std::int64_t epoch);
  void renew_lease(MonotonicTime began);

  sql::Database& database_;
  const Clock& clock_;
  const std::chrono::milliseconds lease_;
  DatabaseClock* const database_clock_;
  const KeyStates on_keys_;
  std::function<Task<void>()> also_read_;
  std::mutex taking_turns_;  // guards the three that follow
  bool is_turn_taken_ = false;
  std::vector<Waiting> sharing_;  // the reading that is under way
  std::vector<Waiting> waiting_;
  std::mutex applying_;  // guards what follows, and makes updates of the index one after another
  Position position_{std::string(kBeginning), 0};
  History history_;
  std::optional<RevocationIndex> applied_meanwhile_;       // while a reload reads
  std::shared_ptr<const RevocationIndex> of_former_eras_;  // stays in force for as long as its tokens may live
  MonotonicTime former_eras_until_{};
  std::atomic<std::int64_t> lost_epoch_{0};  // this node has seen it and the database no longer knows; 0: none
  Published<RevocationIndex> index_{std::make_shared<RevocationIndex>()};
  RevocationNews news_;
  std::atomic<std::int64_t> held_until_{0};  // nanoseconds of MonotonicTime
  std::atomic<std::int64_t> last_lag_{0};    // microseconds
};

}  // namespace safawinet
