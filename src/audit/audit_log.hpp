// The record of who did what to whom, written in the transaction that it records.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "audit/origin.hpp"
#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "crypto/digest.hpp"
#include "sql/database.hpp"

namespace safawinet {

enum class AuditOutcome { done, refused };

struct AuditEntry {
  std::string_view action;  // "session.force-logout", "user.password-changed", …: a constant
  AuditOutcome outcome = AuditOutcome::done;
  Actor actor;
  std::string target;  // "user:<id>", "session:<id>", "everybody", "route:<method> <path>"
  std::string reason;  // what the actor gave, or why it was refused
  Origin origin;
};

// Each row carries a MAC (audit_entry.hpp), and is linked into a chain once it is committed (audit_chain.hpp).
// Threading: any event loop. Errors: Unavailable, when it cannot be written for whatever reason; an operation whose
// record cannot be written does not happen, since both are one transaction.
class AuditLog {
 public:
  AuditLog(const Clock& clock, Random& random, MacKey key) : clock_(clock), random_(random), key_(std::move(key)) {}

  Task<void> record(sql::Transaction& transaction, AuditEntry entry);
  // In a transaction of its own: for refusals, where nothing else is written.
  Task<void> record(sql::Database& database, AuditEntry entry);
  // For a refusal that is told whether it can be written or not: one that cannot is counted.
  Task<void> try_to_record(sql::Database& database, AuditEntry entry);
  // Counts a refusal that is not written: there were too many.
  void leave_unrecorded() { unrecorded_.fetch_add(1, std::memory_order_relaxed); }
  // Since start. Any thread.
  [[nodiscard]] std::uint64_t unrecorded() const { return unrecorded_.load(std::memory_order_relaxed); }

 private:
  const Clock& clock_;
  Random& random_;
  MacKey key_;
  std::atomic<std::uint64_t> unrecorded_{0};
};

}  // namespace safawinet
