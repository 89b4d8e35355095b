// The chain of the audit log: a sequencer links what was committed, each entry once; what was linked cannot be changed,
// deleted, added to, put in another order, cut off or put back without its being found.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "audit/audit_log.hpp"
#include "audit/audit_store.hpp"
#include "audit/chain_links.hpp"
#include "audit/chain_walk.hpp"
#include "audit/checkpoint.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/task.hpp"
#include "sql/database.hpp"

namespace safawinet {

inline constexpr std::int64_t kVerifiedAtOnce = 100'000;  // rows of one call
inline constexpr std::size_t kAuditFindingsLimit = 100;   // of one call; as many again of entries beside the chain
inline constexpr std::chrono::seconds kLinkedWithin{30};  // what is unlinked for longer is a finding

struct AuditVerification {
  std::int64_t from = 0;            // the first position that was looked at
  std::int64_t verified_up_to = 0;  // the last one; below `from` when there was none
  std::int64_t rows = 0;
  bool is_complete = false;  // reached the end; else go on behind `verified_up_to`
  std::vector<AuditFinding> findings;
  ChainPoint head;  // the end of the chain
};

struct AuditErasure {
  UserId user;
  std::optional<std::string> email{};  // that invitations went to, where the account is gone or has another one
  std::string reason;
  Actor actor;
  Origin origin;
};

struct AuditPurge {
  std::int64_t rows = 0;
  std::vector<AuditFinding> findings;  // if there are any, nothing was purged: evidence is not thrown away
};

// Threading: any event loop; what looks at many rows does so on the slow loop. Errors: Unavailable.
class AuditChain {
 public:
  struct Parts {
    sql::Database& database;
    AuditLog& audit;
    const Clock& clock;
    EventLoop& slow_loop;
    AuditKeys keys;
    const CheckpointKey& checkpoint_key;
  };
  // The first statement of a transaction: whether whoever asks for it may.
  using Approval = std::function<Task<Status>(sql::Transaction&)>;

  explicit AuditChain(Parts parts) : parts_(std::move(parts)) {}

  // What to do where another node links at this moment.
  enum class WhenBusy { leave_it_to_them, wait };
  // Links what waits, AuditStore::kLinkedAtOnce entries at the most, and says how many.
  Task<std::int64_t> link_waiting(WhenBusy when_busy = WhenBusy::leave_it_to_them);

  // The end of the chain.
  Task<ChainPoint> head();
  // Whether the chain is still the one that had this point; if it reaches back so far.
  Task<bool> still_has(ChainPoint point);

  // Links what waits, begins at position `from` (1, and wherever the chain begins, at the least), and looks at
  // kVerifiedAtOnce rows. With the last of them it also looks for entries beside the chain, and at the checkpoints.
  Task<AuditVerification> verify(std::optional<std::int64_t> from, std::vector<AuditCheckpoint> checkpoints);

  // In order of position, those behind `after`.
  Task<std::vector<LinkedEntry>> read(std::int64_t after, std::int64_t limit);
  // Newest first.
  Task<std::vector<AuditRow>> list(AuditFilter filter, std::optional<AuditEntryId> before, std::int64_t limit);

  // Blanks what is personal in the entries that name the user, in batches, each with its own record. The entries stay,
  // and the chain stays verifiable. Gives their number. Errors: those of `approval`.
  Task<Result<std::int64_t>> erase(AuditErasure erasure, Approval approval);

  // Takes away the oldest part of the chain, as far as it was linked before `before`, kReadAtOnce rows at the most;
  // with a record of it. Verifies it first.
  Task<AuditPurge> purge(Time before);

 private:
  struct End {
    std::int64_t position = 0;
    std::optional<std::string> link;
  };

  Task<AuditVerification> verify_here(std::optional<std::int64_t> from, std::vector<AuditCheckpoint> checkpoints);
  Task<void> link_all();
  Task<End> find_start(std::optional<std::int64_t> from, std::vector<AuditFinding>& findings);
  Task<std::vector<AuditFinding>> find_unlinked(SeqRange range, std::int64_t chain_begins_behind);
  Task<void> find_below_beginning(std::int64_t chain_begins_behind, std::vector<AuditFinding>& findings);
  Task<void> compare(const std::vector<AuditCheckpoint>& checkpoints, const ChainPoint& head,
                     std::vector<AuditFinding>& findings);

  Parts parts_;
  AuditStore store_;
};

}  // namespace safawinet
