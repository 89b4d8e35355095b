// The SQL of forced logout by criteria, and nothing else.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/task.hpp"
#include "sessions/bulk_logout.hpp"
#include "sql/database.hpp"

namespace safawinet {

inline constexpr std::size_t kSampleUsers = 10;

// Threading: any event loop. What reads many sessions is to be called where no request waits behind it.
class BulkLogoutStore {
 public:
  // Looks at all sessions, in many short statements.
  Task<BulkLogoutFigures> count(sql::Database& database, const BulkLogoutRequest& request, Time now);

  // False when there is one with this id.
  Task<bool> insert(sql::Transaction& transaction, const BulkLogout& order);
  Task<std::optional<BulkLogout>> find(sql::Database& database, BulkLogoutId id);
  // Newest first; `before` continues a list.
  Task<std::vector<BulkLogout>> list(sql::Database& database, std::optional<BulkLogoutId> before, std::int64_t limit);

  // Takes the oldest order that is not done and that no node works on. None: there is none.
  Task<std::optional<BulkLogout>> lease_next(sql::Database& database, Time now, Time until);

  // How far the next batch goes: up to and with this session. It looks at 20,000 sessions at most, of which 500 match
  // at most (PostgreSQL: 5,000).
  struct Batch {
    SessionId last;
    bool is_final = false;  // no session lies behind it
  };
  Task<Batch> find_batch(sql::Database& database, const BulkLogout& order, Time now);

  // False when another node has taken the order over since `order` was read. The row stays locked until the transaction
  // ends, so that nobody takes it over meanwhile.
  Task<bool> hold(sql::Transaction& transaction, const BulkLogout& order, Time until);
  // Ends what matches at this moment behind `resume_after`, up to and with `last`.
  Task<std::int64_t> end_sessions(sql::Transaction& transaction, const BulkLogout& order, SessionId last, Time now);
  Task<void> advance(sql::Transaction& transaction, BulkLogoutId id, SessionId last, std::int64_t ended);
  // False when another node has taken the order over or finished it.
  Task<bool> finish(sql::Transaction& transaction, const BulkLogout& order, Time now);

  // Readers of the feed and of the orders look at once, on every node.
  Task<void> notify(sql::Transaction& transaction);
};

}  // namespace safawinet
