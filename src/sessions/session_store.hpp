// The SQL of sessions, and nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/origin.hpp"
#include "base/task.hpp"
#include "mail/addressee.hpp"
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
  std::string methods;    // how its user has proved who they are: sign_in_methods
  Time authenticated_at;  // and when last
};

// What a login has proved.
struct SignInProof {
  std::int64_t credential_version = 0;  // of what was checked
  std::string_view methods = sign_in_methods::kPassword;
  std::optional<std::int64_t> epoch{};  // where the proof began before: of the sessions then
};

// A step from this generation to the next.
struct Rotation {
  SessionId id;
  std::int64_t generation = 0;
  Time now;
  Time expires_at;
  std::string ip_address;
};

// A session's row as it is, with what decides whether it lives.
struct SessionState {
  SessionStanding standing;
  Time rotated_at;
  std::string device_name;
  Addressee owner;
  bool is_user_active = false;
  std::int64_t current_epoch = 0;
};

// What matters of a user to who ends their sessions.
struct SessionAccount {
  Role role = Role::customer;
  Addressee owner;
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
  // The login: only if the account is active, verified, its credentials are still those that were checked, and a second
  // factor was proved if there is one; in one transaction with what depends on it. None: it is not so.
  Task<std::optional<SessionStanding>> insert(sql::Transaction& transaction, SessionId id, UserId user,
                                              const SignInProof& proof, const Device& device, Time now,
                                              Deadlines deadlines);
  // One statement: moves the session on from exactly this generation, if it lives. None: it does not, or has moved on,
  // or somebody else is just changing the row: this never waits for anybody.
  Task<std::optional<SessionStanding>> rotate(sql::Database& database, const Rotation& rotation);
  Task<std::optional<SessionState>> find(sql::Database& database, SessionId id);
  // Notes that its user has proved who they are again. None: it lives no more.
  Task<std::optional<SessionStanding>> set_proved(sql::Transaction& transaction, SessionId id, UserId user,
                                                  std::string_view methods, Time now);
  // The second factor that it was begun with is gone.
  Task<void> forget_second_factor(sql::Transaction& transaction, SessionId id);

  // Newest first; `before` continues a list.
  Task<std::vector<Session>> list(sql::Database& database, UserId user, Time now, std::optional<SessionId> before,
                                  std::int64_t limit);

  // From here to forget_reason, rows that are deleted are recorded with this reason.
  Task<void> set_reason(sql::Transaction& transaction, const EndingReason& reason);
  Task<void> forget_reason(sql::Transaction& transaction);

  // How many ended: sessions of an older epoch were dead already and do not count. Ending all of a user's ends the
  // logins that are half done as well.
  Task<std::int64_t> delete_one(sql::Transaction& transaction, SessionId id, UserId user);
  Task<std::int64_t> delete_all_of(sql::Transaction& transaction, UserId user, std::optional<SessionId> except);
  // None: there is no such user.
  Task<std::optional<SessionAccount>> find_account(sql::Transaction& transaction, UserId user);
  // The user whose session this is; none if it has ended.
  Task<std::optional<UserId>> find_owner(sql::Transaction& transaction, SessionId id);

  // From here on, other global logouts wait for this transaction.
  Task<void> lock_epoch(sql::Transaction& transaction);
  // The global logout, whatever the number of sessions: the new epoch.
  Task<std::int64_t> raise_epoch(sql::Transaction& transaction);
  // How many sessions lived until `epoch` was raised, and were not spared: of the next ones behind `after`. Right while
  // the sweep leaves them alone (`epoch_to_sweep`).
  struct Count {
    SessionId last;
    bool is_last = false;  // there are none behind it
    std::int64_t sessions = 0;
  };
  Task<Count> count_ended_by(sql::Transaction& transaction, std::int64_t epoch, SessionId after, Time now);

  // The number of this transaction's newest revocation, else of the newest of all, 0 if there is none.
  Task<std::int64_t> newest_revocation(sql::Transaction& transaction);

  // Housekeeping. Several nodes do it; within such a transaction only one of them. False: another one is at it.
  Task<bool> try_to_keep_house(sql::Transaction& transaction);
  // Sessions below this epoch have ended and been counted: no global logout `since` then is still counting them.
  Task<std::int64_t> epoch_to_sweep(sql::Transaction& transaction, Time since);
  // Some hundreds or thousands of sessions, in the order of their ids: those behind `after`, up to `last`.
  struct Page {
    SessionId after;
    SessionId last;
    bool is_last = false;  // there are none behind it
    bool has_older_epochs = false;
    bool has_expired = false;
  };
  Task<Page> look_at_page(sql::Transaction& transaction, SessionId after, std::int64_t epoch, Time expired_before);
  // How many rows went. Leaves a row alone that somebody is just changing.
  Task<std::int64_t> sweep_older_epochs(sql::Transaction& transaction, const Page& page, std::int64_t epoch);
  Task<std::int64_t> sweep_expired(sql::Transaction& transaction, const Page& page, Time expired_before);

  static constexpr std::int64_t kPurgedAtOnce = 5'000;
  // A batch at a time. A revocation counts from when housekeeping first saw it: a transaction can have been open for
  // hours before it was committed.
  Task<void> mark_revocations(sql::Transaction& transaction);
  Task<std::int64_t> purge_revocations(sql::Transaction& transaction, Time before);
  Task<std::int64_t> purge_evidence(sql::Transaction& transaction, Time ended_before);
};

}  // namespace safawinet
