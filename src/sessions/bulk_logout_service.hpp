// Forced logout by criteria: looked at before it is done, confirmed, and carried out in batches that any node goes on
// with.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/audit_log.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "crypto/digest.hpp"
#include "sessions/bulk_logout.hpp"
#include "sessions/bulk_logout_store.hpp"
#include "sessions/revocation_feed.hpp"
#include "sessions/session_store.hpp"
#include "sql/database.hpp"

namespace safawinet {

inline constexpr std::chrono::seconds kBulkLogoutLease{5};  // after which another node goes on

// An order that was confirmed. Its reason and origin are for the record.
struct BulkLogoutOrder {
  BulkLogoutRequest request;
  std::string confirmation;
  std::string reason;
  Origin origin;
};

// Threading: any event loop. Errors: Unavailable when the database is.
class BulkLogoutService {
 public:
  struct Parts {
    sql::Database& database;
    RevocationFeed& feed;
    AuditLog& audit;
    const Clock& clock;
    Random& random;
    EventLoop& slow_loop;     // where every session is looked at, so that no request waits behind it
    MacKey confirmation_key;  // the same on every node
  };
  explicit BulkLogoutService(Parts parts) : parts_(std::move(parts)) {}

  // Changes nothing. The confirmation is good for ten minutes, for this caller and exactly this request.
  Task<BulkLogoutPreview> preview(BulkLogoutRequest request);

  // Begins what was confirmed; the audit row is in the same transaction. The same confirmation again gives the order
  // that it began. Refuses (invalid_fields, /confirmation) what is no confirmation of this request, and (conflict) one
  // that has expired, and when the number of sessions has moved by more than a tenth since the preview.
  Task<Result<BulkLogout>> order(BulkLogoutOrder order);

  // Refuses (not_found) an unknown id.
  Task<Result<BulkLogout>> get(BulkLogoutId id);
  Task<std::vector<BulkLogout>> list(std::optional<BulkLogoutId> before, std::int64_t limit);

  // Goes on with one order that no other node works on, to its end, and returns it. None: there is nothing to do, or
  // another node took the order over. Each batch is one transaction with what it ended, so that a node may die at any
  // moment; what ended is in force on this node before the order is done. On the slow loop.
  Task<std::optional<BulkLogout>> work();

 private:
  enum class Step { more, last, lost };

  Task<BulkLogoutFigures> count(const BulkLogoutRequest& request);
  Task<Step> end_batch(BulkLogout& order);
  Task<bool> finish(BulkLogout& order);

  Parts parts_;
  BulkLogoutStore store_;
  SessionStore sessions_;
};

}  // namespace safawinet
