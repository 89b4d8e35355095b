#include "sessions/session_store.hpp"

#include <utility>

namespace safawinet {
namespace {

using sql::Statement;

constexpr Statement kSignIn{
    "UPDATE users SET last_login_at = $3 "
    "WHERE id = $1 AND is_active AND credential_version = $2 AND email_verified_at IS NOT NULL "
    "RETURNING role, token_version"};
constexpr Statement kInsert{
    "INSERT INTO refresh_sessions (id, user_id, epoch, generation, created_at, rotated_at, expires_at, ends_at, "
    "device_name, user_agent, ip_address) "
    "SELECT $1, $2, epoch, 1, $3, $3, $4, $5, $6, $7, $8 FROM session_epoch RETURNING epoch"};

// What the access token says comes from this statement, never from a node's memory. No indexed column changes.
constexpr Statement kRotate{
    "UPDATE refresh_sessions "
    "SET generation = generation + 1, rotated_at = $3, expires_at = min(ends_at, $4), ip_address = $5 "
    "WHERE id = $1 AND generation = $2 AND expires_at > $3 AND epoch = (SELECT epoch FROM session_epoch) "
    "AND (SELECT is_active FROM users WHERE users.id = refresh_sessions.user_id) "
    "RETURNING user_id, generation, epoch, created_at, expires_at, "
    "(SELECT role FROM users WHERE users.id = refresh_sessions.user_id), "
    "(SELECT token_version FROM users WHERE users.id = refresh_sessions.user_id)"};
constexpr Statement kFind{
    "SELECT s.user_id, s.generation, s.epoch, s.created_at, s.expires_at, u.role, u.token_version, s.rotated_at, "
    "s.device_name, u.email, u.is_active, e.epoch "
    "FROM refresh_sessions s JOIN users u ON u.id = s.user_id CROSS JOIN session_epoch e WHERE s.id = $1"};
constexpr Statement kList{
    "SELECT id, device_name, user_agent, ip_address, created_at, rotated_at, expires_at FROM refresh_sessions "
    "WHERE user_id = $1 AND expires_at > $2 AND epoch = (SELECT epoch FROM session_epoch) AND id < $3 "
    "ORDER BY id DESC LIMIT $4"};
constexpr Statement kOwner{
    "SELECT user_id FROM refresh_sessions WHERE id = $1 AND epoch = (SELECT epoch FROM session_epoch)"};

constexpr Statement kSetReason{"UPDATE acting SET reason = $1, actor = $2, spared = $3"};
constexpr Statement kForgetReason{"UPDATE acting SET reason = 'sql', actor = 'database', spared = NULL"};

constexpr Statement kDeleteOne{
    "DELETE FROM refresh_sessions "
    "WHERE id = $1 AND user_id = $2 AND epoch = (SELECT epoch FROM session_epoch)"};
constexpr Statement kDeleteAllOf{
    "DELETE FROM refresh_sessions "
    "WHERE user_id = $1 AND id <> coalesce($2, '') AND epoch = (SELECT epoch FROM session_epoch)"};

constexpr Statement kCountAlive{
    "SELECT count(*) FROM refresh_sessions "
    "WHERE epoch = (SELECT epoch FROM session_epoch) AND expires_at > $1 AND id <> coalesce($2, '')"};
constexpr Statement kRaiseEpoch{"UPDATE session_epoch SET epoch = epoch + 1 RETURNING epoch"};
constexpr Statement kNewestRevocation{"SELECT coalesce(max(seq), 0) FROM revocations"};

// The reason of the global logout that ended them, while it is on record.
constexpr Statement kReasonOfEpoch{
    "UPDATE acting SET (reason, actor) = "
    "(SELECT coalesce(max(reason), 'global-logout'), coalesce(max(actor), 'system') FROM revocations "
    "WHERE seq = (SELECT max(seq) FROM revocations WHERE scope = 'global'))"};
constexpr Statement kFindOfOlderEpochs{
    "SELECT id FROM refresh_sessions WHERE epoch < (SELECT epoch FROM session_epoch) LIMIT $1"};
constexpr Statement kSweepOlderEpoch{
    "DELETE FROM refresh_sessions WHERE id = $1 AND epoch < (SELECT epoch FROM session_epoch)"};
constexpr Statement kFindExpired{"SELECT id FROM refresh_sessions WHERE expires_at < $1 LIMIT $2"};
constexpr Statement kSweepExpired{"DELETE FROM refresh_sessions WHERE id = $1 AND expires_at < $2"};
constexpr Statement kPurgeRevocations{
    "DELETE FROM revocations WHERE seq IN (SELECT seq FROM revocations WHERE created_at < $1 LIMIT 5000)"};
constexpr Statement kPurgeEvidence{
    "DELETE FROM ended_sessions WHERE rowid IN (SELECT rowid FROM ended_sessions WHERE ended_at < $1 LIMIT 5000)"};

constexpr std::string_view kAfterEveryId = "g";  // ids are hexadecimal

std::vector<SessionId> ids_of(const sql::Rows& rows) {
  std::vector<SessionId> ids;
  ids.reserve(rows.size());
  for (const auto& row : rows) ids.push_back(row.get<SessionId>(0));
  return ids;
}

}  // namespace

Task<std::optional<SessionStanding>> SessionStore::insert(sql::Transaction& transaction, SessionId id, UserId user,
                                                          std::int64_t credential_version, const Device& device,
                                                          Time now, Deadlines deadlines) {
  const auto signed_in = co_await transaction.execute(kSignIn, user, credential_version, now);
  if (signed_in.empty()) co_return std::nullopt;
  const auto inserted = co_await transaction.execute(kInsert, id, user, now, deadlines.expires_at, deadlines.ends_at,
                                                     device.name, device.user_agent, device.ip_address);
  co_return SessionStanding{.id = id,
                            .user = user,
                            .generation = 1,
                            .epoch = inserted.front().get<std::int64_t>(0),
                            .created_at = now,
                            .expires_at = deadlines.expires_at,
                            .role = signed_in.front().get<std::string>(0),
                            .token_version = signed_in.front().get<std::int64_t>(1)};
}

Task<std::optional<SessionStanding>> SessionStore::rotate(sql::Database& database, SessionId id,
                                                          std::int64_t generation, Time now, Time expires_at,
                                                          std::string_view ip_address) {
  const auto rows = co_await database.write(kRotate, id, generation, now, expires_at, ip_address);
  if (rows.empty()) co_return std::nullopt;
  const auto& row = rows.front();
  co_return SessionStanding{.id = id,
                            .user = row.get<UserId>(0),
                            .generation = row.get<std::int64_t>(1),
                            .epoch = row.get<std::int64_t>(2),
                            .created_at = row.get<Time>(3),
                            .expires_at = row.get<Time>(4),
                            .role = row.get<std::string>(5),
                            .token_version = row.get<std::int64_t>(6)};
}

Task<std::optional<SessionState>> SessionStore::find(sql::Transaction& transaction, SessionId id) {
  const auto rows = co_await transaction.execute(kFind, id);
  if (rows.empty()) co_return std::nullopt;
  const auto& row = rows.front();
  co_return SessionState{.standing = {.id = id,
                                      .user = row.get<UserId>(0),
                                      .generation = row.get<std::int64_t>(1),
                                      .epoch = row.get<std::int64_t>(2),
                                      .created_at = row.get<Time>(3),
                                      .expires_at = row.get<Time>(4),
                                      .role = row.get<std::string>(5),
                                      .token_version = row.get<std::int64_t>(6)},
                         .rotated_at = row.get<Time>(7),
                         .device_name = row.get<std::string>(8),
                         .email = row.get<std::string>(9),
                         .is_user_active = row.get<bool>(10),
                         .current_epoch = row.get<std::int64_t>(11)};
}

Task<std::vector<Session>> SessionStore::list(sql::Database& database, UserId user, Time now,
                                              std::optional<SessionId> before, std::int64_t limit) {
  const auto bound = before ? before->text() : std::string(kAfterEveryId);
  const auto rows = co_await database.read(kList, user, now, bound, limit);
  std::vector<Session> sessions;
  sessions.reserve(rows.size());
  for (const auto& row : rows) {
    sessions.push_back({.id = row.get<SessionId>(0),
                        .user = user,
                        .device = {.name = row.get<std::string>(1),
                                   .user_agent = row.get<std::string>(2),
                                   .ip_address = row.get<std::string>(3)},
                        .created_at = row.get<Time>(4),
                        .last_used_at = row.get<Time>(5),
                        .expires_at = row.get<Time>(6)});
  }
  co_return sessions;
}

Task<void> SessionStore::set_reason(sql::Transaction& transaction, const EndingReason& reason) {
  co_await transaction.execute(kSetReason, reason.reason, reason.actor, reason.spared);
}

Task<void> SessionStore::forget_reason(sql::Transaction& transaction) { co_await transaction.execute(kForgetReason); }

Task<std::int64_t> SessionStore::delete_one(sql::Transaction& transaction, SessionId id, UserId user) {
  const auto rows = co_await transaction.execute(kDeleteOne, id, user);
  co_return rows.affected;
}

Task<std::int64_t> SessionStore::delete_all_of(sql::Transaction& transaction, UserId user,
                                               std::optional<SessionId> except) {
  const auto rows = co_await transaction.execute(kDeleteAllOf, user, except);
  co_return rows.affected;
}

Task<std::optional<UserId>> SessionStore::find_owner(sql::Transaction& transaction, SessionId id) {
  const auto rows = co_await transaction.execute(kOwner, id);
  co_return rows.empty() ? std::nullopt : std::optional(rows.front().get<UserId>(0));
}

Task<SessionStore::Raised> SessionStore::raise_epoch(sql::Transaction& transaction, std::optional<SessionId> spared,
                                                     Time now) {
  const auto counted = co_await transaction.execute(kCountAlive, now, spared);
  const auto raised = co_await transaction.execute(kRaiseEpoch);
  co_return Raised{.sessions = counted.front().get<std::int64_t>(0), .epoch = raised.front().get<std::int64_t>(0)};
}

Task<std::int64_t> SessionStore::newest_revocation(sql::Transaction& transaction) {
  const auto rows = co_await transaction.execute(kNewestRevocation);
  co_return rows.front().get<std::int64_t>(0);
}

Task<std::vector<SessionId>> SessionStore::find_of_older_epochs(sql::Database& database, std::int64_t limit) {
  const auto rows = co_await database.read(kFindOfOlderEpochs, limit);
  co_return ids_of(rows);
}

Task<std::int64_t> SessionStore::sweep_older_epochs(sql::Transaction& transaction, const std::vector<SessionId>& ids) {
  co_await transaction.execute(kReasonOfEpoch);
  std::int64_t removed = 0;
  for (const auto& id : ids) {
    const auto rows = co_await transaction.execute(kSweepOlderEpoch, id);
    removed += rows.affected;
  }
  co_await forget_reason(transaction);
  co_return removed;
}

Task<std::vector<SessionId>> SessionStore::find_expired(sql::Database& database, Time expired_before,
                                                        std::int64_t limit) {
  const auto rows = co_await database.read(kFindExpired, expired_before, limit);
  co_return ids_of(rows);
}

Task<std::int64_t> SessionStore::sweep_expired(sql::Transaction& transaction, const std::vector<SessionId>& ids,
                                               Time expired_before) {
  const EndingReason expired{.reason = "expired", .actor = "system"};
  co_await set_reason(transaction, expired);
  std::int64_t removed = 0;
  for (const auto& id : ids) {
    const auto rows = co_await transaction.execute(kSweepExpired, id, expired_before);
    removed += rows.affected;
  }
  co_await forget_reason(transaction);
  co_return removed;
}

Task<std::int64_t> SessionStore::purge_revocations(sql::Database& database, Time created_before) {
  const auto rows = co_await database.write(kPurgeRevocations, created_before);
  co_return rows.affected;
}

Task<std::int64_t> SessionStore::purge_evidence(sql::Database& database, Time ended_before) {
  const auto rows = co_await database.write(kPurgeEvidence, ended_before);
  co_return rows.affected;
}

}  // namespace safawinet
