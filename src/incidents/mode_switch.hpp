// The switch of the compromise mode: one for all nodes, in the database.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "access/compromise_mode.hpp"
#include "access/operator.hpp"
#include "audit/audit_log.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/task.hpp"
#include "incidents/mode_store.hpp"
#include "sql/database.hpp"

namespace safawinet {

inline constexpr std::chrono::seconds kShortestMode{1};
inline constexpr std::chrono::days kLongestMode{30};

struct ModeOrder {
  CompromiseMode mode = CompromiseMode::normal;
  std::string reason;
  std::optional<std::chrono::seconds> length;  // none: as is usual for the mode, or what is left of it
  bool is_preview = false;                     // what it would be; nothing is changed or recorded
  Operator acting;
  Origin origin;
};

// A mode ends by itself, once, by whichever node is first to see that its time is over; that is on record. Until then
// it stays in force: a clock that says otherwise does not switch it off. Its time is counted by each node on the
// monotonic clock from when the node first saw it, so a clock that jumps shortens and lengthens nothing. Threading: any
// event loop. Errors besides those named: Unavailable.
class ModeSwitch {
 public:
  struct Parts {
    sql::Database& database;
    AuditLog& audit;
    const Clock& clock;
    ModeInForce& in_force;
    // Hears of each change that this node has learned of: what was before, and what is now.
    std::function<void(const ModeState&, const ModeState&)> on_change{};
  };
  explicit ModeSwitch(Parts parts) : parts_(std::move(parts)) {}

  // Gives the state as it is (or would be) then, in force on this node. Setting the mode that is in force changes its
  // reason and its end, if they are given, and nothing else; where nothing changes, nothing is recorded.
  // Errors: step_up_required (for what restricts less), forbidden (who may no longer do it), invalid_fields (a length
  // out of range, or of `normal`).
  Task<Result<ModeState>> set(ModeOrder order);
  [[nodiscard]] std::shared_ptr<const ModeState> state() const { return parts_.in_force.state(); }

  // Reads what is in the database, and puts it in force on this node.
  Task<void> look();
  // Ends the mode that is in force when its time is over. True if it was this call that ended it.
  Task<bool> end_when_over();

 private:
  void put_in_force(std::uint64_t reading, ModeState state);

  Parts parts_;
  ModeStore store_;
  std::mutex putting_;                    // guards what follows
  std::uint64_t readings_ = 0;            // that have begun
  std::uint64_t put_ = 0;                 // the last of them that was put in force
  std::optional<MonotonicTime> over_at_;  // of what is in force; none: it has no end
};

}  // namespace safawinet
