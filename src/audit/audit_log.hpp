// The record of who did what to whom, written in the transaction that it records.
#pragma once

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

// Each row carries a MAC over its columns, so that a row that is changed or made up by other hands is found.
// Threading: any event loop. Errors: those of the database; an operation whose record cannot be written does not
// happen, since both are one transaction.
class AuditLog {
 public:
  AuditLog(const Clock& clock, Random& random, MacKey key) : clock_(clock), random_(random), key_(std::move(key)) {}

  Task<void> record(sql::Transaction& transaction, AuditEntry entry);
  // In a transaction of its own: for refusals, where nothing else is written.
  Task<void> record(sql::Database& database, AuditEntry entry);

 private:
  const Clock& clock_;
  Random& random_;
  MacKey key_;
};

}  // namespace safawinet
