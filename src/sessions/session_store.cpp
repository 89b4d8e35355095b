#include "sessions/session_store.hpp"

#include <utility>

namespace safawinet {
namespace {

using sql::Statement;

constexpr Statement kSignIn{
    "UPDATE users SET last_login_at = $3 "
    "WHERE id = $1 AND is_active AND credential_version = $2 AND email_verified_at IS NOT NULL "
    "AND ($4 OR NOT EXISTS (SELECT 1 FROM totp_factors f WHERE f.user_id = users.id AND f.confirmed_at IS NOT NULL)) "
    "RETURNING role, token_version"};
constexpr Statement kInsert{
    "INSERT INTO refresh_sessions (id, user_id, epoch, generation, created_at, rotated_at, expires_at, ends_at, "
    "device_name, user_agent, ip_address, amr) "
    "SELECT $1, $2, epoch, 1, $3, $3, $4, $5, $6, $7, $8, $9 FROM session_epoch RETURNING epoch"};

// What the access token says comes from this statement, never from a node's memory. No indexed column changes.
//
// On PostgreSQL many statements share a connection, and none may keep the others waiting: a row that is locked is
// skipped. It is found again by its place, which is cheaper than a second search; a row that has moved meanwhile is not
// found.
constexpr Statement kRotate{
    "UPDATE refresh_sessions "
    "SET generation = generation + 1, rotated_at = $3, expires_at = min(ends_at, $4), ip_address = $5 "
    "WHERE id = $1 AND generation = $2 AND expires_at > $3 AND epoch = (SELECT epoch FROM session_epoch) "
    "AND (SELECT is_active FROM users WHERE users.id = refresh_sessions.user_id) "
    "RETURNING user_id, generation, epoch, created_at, expires_at, "
    "(SELECT role FROM users WHERE users.id = refresh_sessions.user_id), "
    "(SELECT token_version FROM users WHERE users.id = refresh_sessions.user_id), "
    "amr, coalesce(authenticated_at, created_at)",
    "WITH held AS MATERIALIZED ("
    "SELECT s.ctid AS place, u.role, u.token_version "
    "FROM refresh_sessions s JOIN users u ON u.id = s.user_id CROSS JOIN session_epoch e "
    "WHERE s.id = $1 AND s.generation = $2 AND s.expires_at > $3 AND s.epoch = e.epoch AND u.is_active "
    "FOR NO KEY UPDATE OF s SKIP LOCKED) "
    "UPDATE refresh_sessions s "
    "SET generation = s.generation + 1, rotated_at = $3, expires_at = least(s.ends_at, $4), ip_address = $5 "
    "FROM held WHERE s.ctid = held.place "
    "RETURNING s.user_id, s.generation, s.epoch, s.created_at, s.expires_at, held.role, held.token_version, "
    "s.amr, coalesce(s.authenticated_at, s.created_at)",
    "WITH held AS MATERIALIZED ("
    "SELECT s.ctid AS place, u.role, u.token_version, a.rotated_at, a.expires_at, a.ip_address, a.number "
    "FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::text[]) "
    "WITH ORDINALITY AS a (id, generation, rotated_at, expires_at, ip_address, number) "
    "JOIN refresh_sessions s ON s.id = a.id JOIN users u ON u.id = s.user_id CROSS JOIN session_epoch e "
    "WHERE s.generation = a.generation AND s.expires_at > a.rotated_at AND s.epoch = e.epoch AND u.is_active "
    "FOR NO KEY UPDATE OF s SKIP LOCKED) "
    "UPDATE refresh_sessions s SET generation = s.generation + 1, rotated_at = held.rotated_at, "
    "expires_at = least(s.ends_at, held.expires_at), ip_address = held.ip_address "
    "FROM held WHERE s.ctid = held.place "
    "RETURNING s.user_id, s.generation, s.epoch, s.created_at, s.expires_at, held.role, held.token_version, "
    "s.amr, coalesce(s.authenticated_at, s.created_at), held.number"};
constexpr Statement kFind{
    "SELECT s.user_id, s.generation, s.epoch, s.created_at, s.expires_at, u.role, u.token_version, s.rotated_at, "
    "s.device_name, u.email, u.is_active, e.epoch, s.amr, coalesce(s.authenticated_at, s.created_at), u.locale "
    "FROM refresh_sessions s JOIN users u ON u.id = s.user_id CROSS JOIN session_epoch e WHERE s.id = $1"};
constexpr Statement kSetProved{
    "UPDATE refresh_sessions SET amr = $3, authenticated_at = $4 "
    "WHERE id = $1 AND user_id = $2 AND expires_at > $4 AND epoch = (SELECT epoch FROM session_epoch) "
    "AND (SELECT is_active FROM users WHERE users.id = refresh_sessions.user_id) "
    "RETURNING user_id, generation, epoch, created_at, expires_at, "
    "(SELECT role FROM users WHERE users.id = refresh_sessions.user_id), "
    "(SELECT token_version FROM users WHERE users.id = refresh_sessions.user_id), amr, authenticated_at"};
constexpr Statement kForgetSecondFactor{"UPDATE refresh_sessions SET amr = 'pwd' WHERE id = $1"};
constexpr Statement kDeleteTicketsOf{"DELETE FROM login_tickets WHERE user_id = $1"};
constexpr Statement kList{
    "SELECT id, device_name, user_agent, ip_address, created_at, rotated_at, expires_at FROM refresh_sessions "
    "WHERE user_id = $1 AND expires_at > $2 AND epoch = (SELECT epoch FROM session_epoch) AND id < $3 "
    "ORDER BY id DESC LIMIT $4"};
constexpr sql::Statement kAccount{"SELECT role, email, locale FROM users WHERE id = $1"};
constexpr Statement kOwner{
    "SELECT user_id FROM refresh_sessions WHERE id = $1 AND epoch = (SELECT epoch FROM session_epoch)"};

constexpr Statement kSetReason{
    "UPDATE acting SET reason = $1, actor = $2, spared = $3",
    "SELECT set_config('safawinet.reason', $1, true), set_config('safawinet.actor', $2, true), "
    "set_config('safawinet.spared', coalesce($3, ''), true)"};
constexpr Statement kForgetReason{
    "UPDATE acting SET reason = 'sql', actor = 'database', spared = NULL",
    "SELECT set_config('safawinet.reason', '', true), set_config('safawinet.actor', '', true), "
    "set_config('safawinet.spared', '', true)"};

// ">=": a global logout that spares this session can be committed between the look at the epoch and the row's turn.
constexpr Statement kDeleteOne{
    "DELETE FROM refresh_sessions "
    "WHERE id = $1 AND user_id = $2 AND epoch >= (SELECT epoch FROM session_epoch)"};
constexpr Statement kDeleteAllOf{
    "DELETE FROM refresh_sessions "
    "WHERE user_id = $1 AND (id <> $2 OR $2 IS NULL) AND epoch >= (SELECT epoch FROM session_epoch)"};

constexpr Statement kLockEpoch{"SELECT 1", "SELECT 1 FROM session_epoch FOR UPDATE"};
constexpr Statement kRaiseEpoch{"UPDATE session_epoch SET epoch = epoch + 1 RETURNING epoch"};
// In pages: whatever the number of sessions, each statement ends long before its deadline.
constexpr Statement kCountEndedBy{
    "SELECT max(id), count(*) < 100000, coalesce(sum(epoch + 1 = $2 AND expires_at > $3), 0) "
    "FROM (SELECT id, epoch, expires_at FROM refresh_sessions WHERE id > $1 ORDER BY id LIMIT 100000)",
    "SELECT max(id::text), count(*) < 100000, count(*) FILTER (WHERE epoch + 1 = $2 AND expires_at > $3) "
    "FROM (SELECT id, epoch, expires_at FROM refresh_sessions WHERE id > $1 ORDER BY id LIMIT 100000) AS page"};
constexpr Statement kNewestRevocation{
    "SELECT coalesce(max(seq), 0) FROM revocations",
    "SELECT coalesce((SELECT max(seq) FROM revocations WHERE tx = pg_current_xact_id_if_assigned()), "
    "(SELECT max(seq) FROM revocations), 0)"};

constexpr Statement kTryToKeepHouse{"SELECT 1",
                                    "SELECT pg_try_advisory_xact_lock(hashtextextended('safawinet.housekeeping', 0))"};
constexpr Statement kEpochToSweep{
    "SELECT coalesce((SELECT min(epoch) - 1 FROM revocations WHERE scope = 'global' AND created_at >= $1), "
    "(SELECT epoch FROM session_epoch))"};
// A page holds the embedded database's only writer for some milliseconds.
constexpr Statement kLookAtPage{
    "SELECT max(id), count(*) < 500, coalesce(max(epoch < $2), 0), coalesce(max(expires_at < $3), 0) "
    "FROM (SELECT id, epoch, expires_at FROM refresh_sessions WHERE id > $1 ORDER BY id LIMIT 500)",
    "SELECT max(id::text), count(*) < 5000, coalesce(bool_or(epoch < $2), false), "
    "coalesce(bool_or(expires_at < $3), false) "
    "FROM (SELECT id, epoch, expires_at FROM refresh_sessions WHERE id > $1 ORDER BY id LIMIT 5000) AS page"};
// The reason of the global logout that ended them, while it is on record.
constexpr Statement kReasonOfEpoch{
    "UPDATE acting SET (reason, actor) = "
    "(SELECT coalesce(max(reason), 'global-logout'), coalesce(max(actor), 'system') FROM revocations "
    "WHERE seq = (SELECT max(seq) FROM revocations WHERE scope = 'global'))",
    "SELECT set_config('safawinet.reason', coalesce(max(reason), 'global-logout'), true), "
    "set_config('safawinet.actor', coalesce(max(actor), 'system'), true) FROM revocations "
    "WHERE seq = (SELECT max(seq) FROM revocations WHERE scope = 'global')"};
// By their places, so that no plan looks at more than the page.
constexpr Statement kSweepOlderEpochs{
    "DELETE FROM refresh_sessions WHERE id > $1 AND id <= $2 AND epoch < $3",
    "DELETE FROM refresh_sessions WHERE ctid = ANY (ARRAY(SELECT ctid FROM refresh_sessions WHERE "
    "id > $1 AND id <= $2 AND epoch < $3 FOR UPDATE SKIP LOCKED))"};
constexpr Statement kSweepExpired{
    "DELETE FROM refresh_sessions WHERE id > $1 AND id <= $2 AND expires_at < $3",
    "DELETE FROM refresh_sessions WHERE ctid = ANY (ARRAY(SELECT ctid FROM refresh_sessions WHERE "
    "id > $1 AND id <= $2 AND expires_at < $3 FOR UPDATE SKIP LOCKED))"};
// The embedded database has one writer: what is on record was committed when it was made.
constexpr Statement kMarkRevocations{
    "SELECT 1",
    "UPDATE revocations SET seen_at = clock_timestamp() WHERE ctid = ANY (ARRAY(SELECT ctid FROM "
    "revocations WHERE seen_at IS NULL LIMIT 5000 FOR UPDATE SKIP LOCKED))"};
constexpr Statement kPurgeRevocations{
    "DELETE FROM revocations WHERE seq IN (SELECT seq FROM revocations WHERE created_at < $1 LIMIT 5000)",
    "DELETE FROM revocations WHERE ctid = ANY (ARRAY(SELECT ctid FROM revocations WHERE seen_at < $1 "
    "LIMIT 5000))"};
constexpr Statement kPurgeEvidence{
    "DELETE FROM ended_sessions WHERE rowid IN (SELECT rowid FROM ended_sessions WHERE ended_at < $1 LIMIT 5000)",
    "DELETE FROM ended_sessions WHERE ctid = ANY (ARRAY(SELECT ctid FROM ended_sessions WHERE ended_at < $1 LIMIT "
    "5000))"};

constexpr SessionId kGreatestSessionId = [] {
  SessionId greatest;
  greatest.uuid.bytes.fill(0xFF);
  return greatest;
}();

SessionStanding rotated_standing(SessionId id, const sql::Row& row) {
  return {.id = id,
          .user = row.get<UserId>(0),
          .generation = row.get<std::int64_t>(1),
          .epoch = row.get<std::int64_t>(2),
          .created_at = row.get<Time>(3),
          .expires_at = row.get<Time>(4),
          .role = row.get<std::string>(5),
          .token_version = row.get<std::int64_t>(6),
          .methods = row.get<std::string>(7),
          .authenticated_at = row.get<Time>(8)};
}

}  // namespace

Task<std::optional<SessionStanding>> SessionStore::insert(sql::Transaction& transaction, SessionId id, UserId user,
                                                          const SignInProof& proof, const Device& device, Time now,
                                                          Deadlines deadlines) {
  const bool is_second_factor_proved = has_second_factor(proof.methods);
  const auto signed_in =
      co_await transaction.execute(kSignIn, user, proof.credential_version, now, is_second_factor_proved);
  if (signed_in.empty()) co_return std::nullopt;
  const auto inserted = co_await transaction.execute(kInsert, id, user, now, deadlines.expires_at, deadlines.ends_at,
                                                     device.name, device.user_agent, device.ip_address, proof.methods);
  if (proof.epoch && inserted.front().get<std::int64_t>(0) != *proof.epoch) co_return std::nullopt;
  co_return SessionStanding{.id = id,
                            .user = user,
                            .generation = 1,
                            .epoch = inserted.front().get<std::int64_t>(0),
                            .created_at = now,
                            .expires_at = deadlines.expires_at,
                            .role = signed_in.front().get<std::string>(0),
                            .token_version = signed_in.front().get<std::int64_t>(1),
                            .methods = std::string(proof.methods),
                            .authenticated_at = now};
}

Task<std::optional<SessionStanding>> SessionStore::rotate(sql::Database& database, const Rotation& rotation) {
  const auto rows = co_await database.write(kRotate, rotation.id, rotation.generation, rotation.now,
                                            rotation.expires_at, rotation.ip_address);
  if (rows.empty()) co_return std::nullopt;
  co_return rotated_standing(rotation.id, rows.front());
}

Task<std::optional<SessionState>> SessionStore::find(sql::Database& database, SessionId id) {
  const auto rows = co_await database.read(kFind, id);
  if (rows.empty()) co_return std::nullopt;
  const auto& row = rows.front();
  co_return SessionState{
      .standing = {.id = id,
                   .user = row.get<UserId>(0),
                   .generation = row.get<std::int64_t>(1),
                   .epoch = row.get<std::int64_t>(2),
                   .created_at = row.get<Time>(3),
                   .expires_at = row.get<Time>(4),
                   .role = row.get<std::string>(5),
                   .token_version = row.get<std::int64_t>(6),
                   .methods = row.get<std::string>(12),
                   .authenticated_at = row.get<Time>(13)},
      .rotated_at = row.get<Time>(7),
      .device_name = row.get<std::string>(8),
      .owner = {.email = row.get<std::string>(9), .locale = row.get<std::string>(14), .user = row.get<UserId>(0)},
      .is_user_active = row.get<bool>(10),
      .current_epoch = row.get<std::int64_t>(11)};
}

Task<std::optional<SessionStanding>> SessionStore::set_proved(sql::Transaction& transaction, SessionId id, UserId user,
                                                              std::string_view methods, Time now) {
  const auto rows = co_await transaction.execute(kSetProved, id, user, methods, now);
  if (rows.empty()) co_return std::nullopt;
  co_return rotated_standing(id, rows.front());
}

Task<void> SessionStore::forget_second_factor(sql::Transaction& transaction, SessionId id) {
  co_await transaction.execute(kForgetSecondFactor, id);
}

Task<std::vector<Session>> SessionStore::list(sql::Database& database, UserId user, Time now,
                                              std::optional<SessionId> before, std::int64_t limit) {
  const auto bound = before.value_or(kGreatestSessionId);
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
  // The tickets first: whoever is just using one up holds it, and the session that comes of it is there when this goes
  // on.
  co_await transaction.execute(kDeleteTicketsOf, user);
  const auto rows = co_await transaction.execute(kDeleteAllOf, user, except);
  co_return rows.affected;
}

Task<std::optional<SessionAccount>> SessionStore::find_account(sql::Transaction& transaction, UserId user) {
  const auto rows = co_await transaction.execute(kAccount, user);
  if (rows.empty()) co_return std::nullopt;
  const auto& row = rows.front();
  const auto role = parse_role(row.get<std::string>(0));
  if (!role) co_return std::nullopt;
  SessionAccount account{.role = *role,
                         .owner = {.email = row.get<std::string>(1), .locale = row.get<std::string>(2), .user = user}};
  co_return account;
}

Task<std::optional<UserId>> SessionStore::find_owner(sql::Transaction& transaction, SessionId id) {
  const auto rows = co_await transaction.execute(kOwner, id);
  co_return rows.empty() ? std::nullopt : std::optional(rows.front().get<UserId>(0));
}

Task<void> SessionStore::lock_epoch(sql::Transaction& transaction) { co_await transaction.execute(kLockEpoch); }

Task<std::int64_t> SessionStore::raise_epoch(sql::Transaction& transaction) {
  const auto raised = co_await transaction.execute(kRaiseEpoch);
  co_return raised.front().get<std::int64_t>(0);
}

Task<SessionStore::Count> SessionStore::count_ended_by(sql::Transaction& transaction, std::int64_t epoch,
                                                       SessionId after, Time now) {
  const auto rows = co_await transaction.execute(kCountEndedBy, after, epoch, now);
  const auto& row = rows.front();
  co_return Count{.last = row.find<SessionId>(0).value_or(after),
                  .is_last = row.get<bool>(1),
                  .sessions = row.get<std::int64_t>(2)};
}

Task<std::int64_t> SessionStore::newest_revocation(sql::Transaction& transaction) {
  const auto rows = co_await transaction.execute(kNewestRevocation);
  co_return rows.front().get<std::int64_t>(0);
}

Task<bool> SessionStore::try_to_keep_house(sql::Transaction& transaction) {
  const auto rows = co_await transaction.execute(kTryToKeepHouse);
  co_return rows.front().get<bool>(0);
}

Task<std::int64_t> SessionStore::epoch_to_sweep(sql::Transaction& transaction, Time since) {
  const auto rows = co_await transaction.execute(kEpochToSweep, since);
  co_return rows.front().get<std::int64_t>(0);
}

Task<SessionStore::Page> SessionStore::look_at_page(sql::Transaction& transaction, SessionId after, std::int64_t epoch,
                                                    Time expired_before) {
  const auto rows = co_await transaction.execute(kLookAtPage, after, epoch, expired_before);
  const auto& row = rows.front();
  co_return Page{.after = after,
                 .last = row.find<SessionId>(0).value_or(after),
                 .is_last = row.get<bool>(1),
                 .has_older_epochs = row.get<bool>(2),
                 .has_expired = row.get<bool>(3)};
}

Task<std::int64_t> SessionStore::sweep_older_epochs(sql::Transaction& transaction, const Page& page,
                                                    std::int64_t epoch) {
  co_await transaction.execute(kReasonOfEpoch);
  const auto rows = co_await transaction.execute(kSweepOlderEpochs, page.after, page.last, epoch);
  co_await forget_reason(transaction);
  co_return rows.affected;
}

Task<std::int64_t> SessionStore::sweep_expired(sql::Transaction& transaction, const Page& page, Time expired_before) {
  const EndingReason expired{.reason = "expired", .actor = "system"};
  co_await set_reason(transaction, expired);
  const auto rows = co_await transaction.execute(kSweepExpired, page.after, page.last, expired_before);
  co_await forget_reason(transaction);
  co_return rows.affected;
}

Task<void> SessionStore::mark_revocations(sql::Transaction& transaction) {
  co_await transaction.execute(kMarkRevocations);
}

Task<std::int64_t> SessionStore::purge_revocations(sql::Transaction& transaction, Time before) {
  const auto rows = co_await transaction.execute(kPurgeRevocations, before);
  co_return rows.affected;
}

Task<std::int64_t> SessionStore::purge_evidence(sql::Transaction& transaction, Time ended_before) {
  const auto rows = co_await transaction.execute(kPurgeEvidence, ended_before);
  co_return rows.affected;
}

}  // namespace safawinet
