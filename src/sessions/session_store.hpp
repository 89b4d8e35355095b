// The SQL of sessions, and nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/origin.hpp"
#include "base/task.hpp"
#include "sessions/session.hpp"
#include "sql/database.hpp"

namespace safawinet {

// What an access token and the next refresh token are made of: read by the very statement that rotates or inserts.
struct SessionStanding {
  SessionId id;
  UserId user;
  std::int64_t generation = 0;
  std::int64_t epoch = 0;
  Time created_at;
  Time expires_at;
  std::string role;
  std::int64_t token_version = 0;
};

// A session's row as it is, with what decides whether it lives.
struct SessionState {
  SessionStanding standing;
  Time rotated_at;
  std::string device_name;
  std::string email;
  bool is_user_active = false;
  std::int64_t current_epoch = 0;
};

struct Deadlines {
  Time expires_at;  // where use moves the expiry to
  Time ends_at;     // the absolute end
};

// Why sessions end, for the evidence and the revocations that the triggers write.
struct EndingReason {
  std::string reason;  // "logout", "ended-by-user", "reuse", "forced-logout", "password-changed", …
  std::string actor;
  std::optional<SessionId> spared{};  // by a global logout
};

// Threading: any event loop.
class SessionStore {
 public:
  // The login: only if the account is active, verified and its credentials are still those that were checked, in one
  // transaction with what depends on it. None: they are not.
  Task<std::optional<SessionStanding>> insert(sql::Transaction& transaction, SessionId id, UserId user,
                                              std::int64_t credential_version, const Device& device, Time now,
                                              Deadlines deadlines);
  // One statement: moves the session on from exactly this generation, if it lives. None: it does not, or has moved on.
  Task<std::optional<SessionStanding>> rotate(sql::Database& database, SessionId id, std::int64_t generation, Time now,
                                              Time expires_at, std::string_view ip_address);
  Task<std::optional<SessionState>> find(sql::Transaction& transaction, SessionId id);

  // Newest first; `before` continues a list.
  Task<std::vector<Session>> list(sql::Database& database, UserId user, Time now, std::optional<SessionId> before,
                                  std::int64_t limit);

  // From here to forget_reason, rows that are deleted are recorded with this reason.
  Task<void> set_reason(sql::Transaction& transaction, const EndingReason& reason);
  Task<void> forget_reason(sql::Transaction& transaction);

  // How many ended: sessions of an older epoch were dead already and do not count.
  Task<std::int64_t> delete_one(sql::Transaction& transaction, SessionId id, UserId user);
  Task<std::int64_t> delete_all_of(sql::Transaction& transaction, UserId user, std::optional<SessionId> except);
  // The user whose session this is; none if it has ended.
  Task<std::optional<UserId>> find_owner(sql::Transaction& transaction, SessionId id);

  // The global logout; the number of sessions that it ended, and the new epoch.
  struct Raised {
    std::int64_t sessions = 0;
    std::int64_t epoch = 0;
  };
  Task<Raised> raise_epoch(sql::Transaction& transaction, std::optional<SessionId> spared, Time now);

  // The number of the newest revocation, 0 if there is none.
  Task<std::int64_t> newest_revocation(sql::Transaction& transaction);

  // Housekeeping. What to remove is looked up outside the transaction, since it may take a look at every row, and
  // looked at again inside it. Each returns how many rows it removed.
  Task<std::vector<SessionId>> find_of_older_epochs(sql::Database& database, std::int64_t limit);
  Task<std::int64_t> sweep_older_epochs(sql::Transaction& transaction, const std::vector<SessionId>& ids);
  Task<std::vector<SessionId>> find_expired(sql::Database& database, Time expired_before, std::int64_t limit);
  Task<std::int64_t> sweep_expired(sql::Transaction& transaction, const std::vector<SessionId>& ids,
                                   Time expired_before);
  // A batch at a time.
  Task<std::int64_t> purge_revocations(sql::Database& database, Time created_before);
  Task<std::int64_t> purge_evidence(sql::Database& database, Time ended_before);
};

}  // namespace safawinet
