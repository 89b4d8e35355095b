#include "accounts/user_store.hpp"

#include <algorithm>
#include <utility>

namespace safawinet {
namespace {

using sql::Statement;

// A macro, since string literals join and constants do not.
#define USER_COLUMNS                                                                                       \
  "id, email, name, locale, role, email_status, is_active, email_verified_at, last_login_at, created_at, " \
  "disabled_reason, disabled_at"

#define HAS_SECOND_FACTOR \
  "EXISTS (SELECT 1 FROM totp_factors f WHERE f.user_id = users.id AND f.confirmed_at IS NOT NULL)"

constexpr Statement kById{"SELECT " USER_COLUMNS " FROM users WHERE id = $1"};
constexpr Statement kByEmail{"SELECT " USER_COLUMNS " FROM users WHERE email = $1"};
constexpr Statement kLockById{"SELECT " USER_COLUMNS " FROM users WHERE id = $1",
                              "SELECT " USER_COLUMNS " FROM users WHERE id = $1 FOR UPDATE"};
constexpr Statement kLockByEmail{"SELECT " USER_COLUMNS " FROM users WHERE email = $1",
                                 "SELECT " USER_COLUMNS " FROM users WHERE email = $1 FOR UPDATE"};
constexpr Statement kLockInOrder{"SELECT $1, $2", "SELECT id FROM users WHERE id IN ($1, $2) ORDER BY id FOR UPDATE"};
constexpr Statement kLockInOrderWithSuperadmins{"SELECT $1, $2",
                                                "SELECT id FROM users WHERE id IN ($1, $2) OR (role = 'superadmin' AND "
                                                "is_active AND email_verified_at IS NOT NULL) "
                                                "ORDER BY id FOR UPDATE"};
constexpr Statement kCredentialsById{"SELECT " USER_COLUMNS ", password_hash, credential_version, " HAS_SECOND_FACTOR
                                     " FROM users WHERE id = $1"};
constexpr Statement kCredentialsByEmail{"SELECT " USER_COLUMNS ", password_hash, credential_version, " HAS_SECOND_FACTOR
                                        " FROM users WHERE email = $1"};
constexpr Statement kSearch{
    "SELECT " USER_COLUMNS
    " FROM users "
    "WHERE id < $2 AND (email LIKE $1 ESCAPE '\\' OR name LIKE $1 ESCAPE '\\') "
    "AND ($4 IS NULL OR role = $4) AND ($5 IS NULL OR is_active = $5) ORDER BY id DESC LIMIT $3",
    "SELECT " USER_COLUMNS
    " FROM users "
    "WHERE id < $2 AND (email LIKE $1::text ESCAPE '\\' OR name ILIKE $1::text ESCAPE '\\') "
    "AND ($4::text IS NULL OR role = $4::text) AND ($5::boolean IS NULL OR is_active = $5::boolean) "
    "ORDER BY id DESC LIMIT $3"};
constexpr Statement kListById{"SELECT " USER_COLUMNS " FROM users WHERE id > $1 ORDER BY id LIMIT $2"};
constexpr Statement kHasSuperadmin{"SELECT 1 FROM users WHERE role = 'superadmin' LIMIT 1"};
constexpr Statement kHasWorkingSuperadmin{
    "SELECT 1 FROM users WHERE role = 'superadmin' AND is_active AND email_verified_at IS NOT NULL LIMIT 1"};
constexpr Statement kLockSuperadmins{
    "SELECT id FROM users WHERE role = 'superadmin' AND is_active AND email_verified_at IS NOT NULL ORDER BY id",
    "SELECT id FROM users WHERE role = 'superadmin' AND is_active AND email_verified_at IS NOT NULL ORDER BY id "
    "FOR UPDATE"};
// SQLite has one writer: whoever is in a transaction is alone.
constexpr Statement kLockFirstAdministrator{
    "SELECT 1", "SELECT count(*) FROM pg_advisory_xact_lock(hashtextextended('safawinet first administrator', 0))"};
constexpr Statement kLockInvitations{
    "SELECT $1", "SELECT count(*) FROM pg_advisory_xact_lock(hashtextextended('safawinet invitation ' || $1, 0))"};

constexpr Statement kInsert{
    "INSERT INTO users (id, email, name, locale, password_hash, role, email_verified_at, created_at, updated_at) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)"};
constexpr Statement kInsertIfAbsent{
    "INSERT INTO users (id, email, name, locale, password_hash, role, email_status, is_active, email_verified_at, "
    "last_login_at, disabled_reason, disabled_at, created_at, updated_at) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (email) DO NOTHING"};
constexpr Statement kReplaceUnverified{
    "UPDATE users SET email = $2, name = $3, locale = 'en', password_hash = $4, "
    "bounce_count = CASE WHEN is_active THEN bounce_count ELSE 0 END, is_active = true, "
    "credential_version = credential_version + 1, updated_at = $5 WHERE id = $1 AND email_verified_at IS NULL"};
constexpr Statement kSetVerified{
    "UPDATE users SET email_verified_at = coalesce(email_verified_at, $2), bounce_count = 0, "
    "email_status = CASE email_status WHEN 'bounced' THEN 'ok' ELSE email_status END, updated_at = $2 WHERE id = $1"};
constexpr Statement kDisable{
    "UPDATE users SET is_active = false, disabled_reason = $2, disabled_at = $3, updated_at = $3 WHERE id = $1"};
constexpr Statement kEnable{"UPDATE users SET is_active = true, bounce_count = 0, updated_at = $2 WHERE id = $1"};
constexpr Statement kSetRole{"UPDATE users SET role = $2, updated_at = $3 WHERE id = $1"};
constexpr Statement kSetProfile{
    "UPDATE users SET name = coalesce($2, name), locale = coalesce($3, locale), updated_at = $4 WHERE id = $1"};
constexpr Statement kSetPassword{
    "UPDATE users SET password_hash = $3, credential_version = credential_version + 1, updated_at = $4 "
    "WHERE id = $1 AND credential_version = $2"};
constexpr Statement kRaiseCredentialVersion{
    "UPDATE users SET credential_version = credential_version + 1, updated_at = $3 "
    "WHERE id = $1 AND ($2 IS NULL OR credential_version = $2)",
    "UPDATE users SET credential_version = credential_version + 1, updated_at = $3 "
    "WHERE id = $1 AND ($2::bigint IS NULL OR credential_version = $2::bigint)"};
constexpr Statement kSetRehashed{"UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2"};
constexpr Statement kClearName{"UPDATE users SET name = '' WHERE id = $1"};
constexpr Statement kSetEmail{
    "UPDATE users SET email = $2, email_verified_at = $3, email_status = 'ok', bounce_count = 0, updated_at = $3 "
    "WHERE id = $1"};
constexpr Statement kDeleteUser{"DELETE FROM users WHERE id = $1"};
constexpr Statement kDeleteEvidence{"DELETE FROM ended_sessions WHERE user_id = $1"};

constexpr Statement kReplaceTokens{
    "DELETE FROM one_time_tokens WHERE purpose = $1 AND (user_id = $2 OR (user_id IS NULL AND $2 IS NULL AND email = "
    "$3))"};
constexpr Statement kInsertToken{
    "INSERT INTO one_time_tokens (token_hash, user_id, purpose, email, expires_at, created_at, session_id) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7)"};
constexpr Statement kFindToken{
    "SELECT user_id, email, session_id FROM one_time_tokens WHERE token_hash = $1 AND purpose = $2 AND expires_at > "
    "$3"};
constexpr Statement kTakeToken{
    "DELETE FROM one_time_tokens WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3 "
    "RETURNING user_id, email, session_id"};
constexpr Statement kDeleteTokensOf{"DELETE FROM one_time_tokens WHERE user_id = $1"};
constexpr Statement kDeleteExpiredTokens{
    "DELETE FROM one_time_tokens WHERE token_hash IN "
    "(SELECT token_hash FROM one_time_tokens WHERE expires_at <= $1 LIMIT 5000)"};
constexpr Statement kInsertTicket{
    "INSERT INTO login_tickets (ticket_hash, user_id, credential_version, epoch, device_name, expires_at, created_at) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7)"};
constexpr Statement kDeleteOldTickets{
    "DELETE FROM login_tickets WHERE user_id = $1 AND ticket_hash NOT IN "
    "(SELECT ticket_hash FROM login_tickets WHERE user_id = $1 ORDER BY created_at DESC, ticket_hash LIMIT 20)"};
constexpr Statement kEpoch{"SELECT epoch FROM session_epoch"};
constexpr Statement kFindTicket{
    "SELECT t.user_id, t.credential_version, t.epoch, t.device_name FROM login_tickets t "
    "JOIN users u ON u.id = t.user_id AND u.credential_version = t.credential_version AND u.is_active "
    "JOIN session_epoch e ON e.epoch = t.epoch WHERE t.ticket_hash = $1 AND t.expires_at > $2"};
constexpr Statement kTakeTicket{
    "DELETE FROM login_tickets WHERE ticket_hash = $1 AND expires_at > $2 "
    "RETURNING user_id, credential_version, epoch, device_name"};
constexpr Statement kDeleteExpiredTickets{
    "DELETE FROM login_tickets WHERE ticket_hash IN "
    "(SELECT ticket_hash FROM login_tickets WHERE expires_at <= $1 LIMIT 5000)"};
constexpr Statement kDeleteToken{"DELETE FROM one_time_tokens WHERE token_hash = $1"};

#undef USER_COLUMNS
#undef HAS_SECOND_FACTOR

constexpr std::string_view kBeforeEveryId = "00000000-0000-0000-0000-000000000000";
constexpr std::string_view kAfterEveryId = "ffffffff-ffff-ffff-ffff-ffffffffffff";

User to_user(const sql::Row& row) {
  return {.id = row.get<UserId>(0),
          .email = row.get<std::string>(1),
          .name = row.get<std::string>(2),
          .locale = row.get<std::string>(3),
          .role = parse_role(row.get<std::string>(4)).value(),
          .email_status = row.get<std::string>(5),
          .is_active = row.get<bool>(6),
          .email_verified_at = row.find<Time>(7),
          .last_login_at = row.find<Time>(8),
          .created_at = row.get<Time>(9),
          .disabled_reason = row.find<std::string>(10),
          .disabled_at = row.find<Time>(11)};
}

std::optional<User> first_user(const sql::Rows& rows) {
  return rows.empty() ? std::nullopt : std::optional(to_user(rows.front()));
}

std::optional<UserWithCredentials> first_with_credentials(const sql::Rows& rows) {
  if (rows.empty()) return std::nullopt;
  const auto& row = rows.front();
  return UserWithCredentials{to_user(row), {row.get<std::string>(12), row.get<std::int64_t>(13), row.get<bool>(14)}};
}

std::optional<PendingToken> first_token(const sql::Rows& rows) {
  if (rows.empty()) return std::nullopt;
  const auto& row = rows.front();
  return PendingToken{row.find<UserId>(0), row.get<std::string>(1), row.find<SessionId>(2)};
}

std::optional<LoginTicket> first_ticket(const sql::Rows& rows) {
  if (rows.empty()) return std::nullopt;
  const auto& row = rows.front();
  return LoginTicket{.user = row.get<UserId>(0),
                     .credential_version = row.get<std::int64_t>(1),
                     .epoch = row.get<std::int64_t>(2),
                     .device_name = row.get<std::string>(3)};
}

// "%text%" with what LIKE takes as wildcards escaped.
std::string like_pattern(std::string_view text) {
  std::string pattern = "%";
  for (const char c : text) {
    if (c == '%' || c == '_' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern + '%';
}

}  // namespace

Task<std::optional<User>> UserStore::find(sql::Database& database, UserId id) {
  const auto rows = co_await database.read(kById, id);
  co_return first_user(rows);
}

Task<std::optional<UserWithCredentials>> UserStore::find_with_credentials(sql::Database& database, UserId id) {
  const auto rows = co_await database.read(kCredentialsById, id);
  co_return first_with_credentials(rows);
}

Task<std::optional<UserWithCredentials>> UserStore::find_with_credentials(sql::Database& database,
                                                                          const EmailAddress& email) {
  const auto rows = co_await database.read(kCredentialsByEmail, email.text());
  co_return first_with_credentials(rows);
}

Task<std::optional<User>> UserStore::find(sql::Transaction& transaction, UserId id) {
  const auto rows = co_await transaction.execute(kById, id);
  co_return first_user(rows);
}

Task<std::optional<User>> UserStore::find(sql::Transaction& transaction, std::string_view email) {
  const auto rows = co_await transaction.execute(kByEmail, email);
  co_return first_user(rows);
}

Task<std::optional<User>> UserStore::lock(sql::Transaction& transaction, UserId id) {
  const auto rows = co_await transaction.execute(kLockById, id);
  co_return first_user(rows);
}

Task<std::optional<User>> UserStore::lock(sql::Transaction& transaction, const EmailAddress& email) {
  const auto rows = co_await transaction.execute(kLockByEmail, email.text());
  co_return first_user(rows);
}

Task<void> UserStore::lock_in_order(sql::Transaction& transaction, UserId one, UserId other) {
  co_await transaction.execute(kLockInOrder, one, other);
}

Task<void> UserStore::lock_in_order_with_superadmins(sql::Transaction& transaction, UserId one, UserId other) {
  co_await transaction.execute(kLockInOrderWithSuperadmins, one, other);
}

Task<std::vector<User>> UserStore::search(sql::Database& database, std::string_view query, std::optional<UserId> before,
                                          std::int64_t limit, UserFilter filter) {
  const auto role = filter.role ? std::optional(std::string(name_of(*filter.role))) : std::nullopt;
  const auto bound = before ? before->uuid : Uuid::parse(kAfterEveryId).value();
  const auto pattern = like_pattern(query);
  const auto rows = co_await database.read(kSearch, pattern, bound, limit, role, filter.is_active);
  std::vector<User> users;
  users.reserve(rows.size());
  for (const auto& row : rows) users.push_back(to_user(row));
  co_return users;
}

Task<std::vector<User>> UserStore::list_by_id(sql::Transaction& transaction, std::optional<UserId> after,
                                              std::int64_t limit) {
  const auto bound = after ? after->uuid : Uuid::parse(kBeforeEveryId).value();
  const auto rows = co_await transaction.execute(kListById, bound, limit);
  std::vector<User> users;
  users.reserve(rows.size());
  for (const auto& row : rows) users.push_back(to_user(row));
  co_return users;
}

Task<bool> UserStore::has_superadmin(sql::Transaction& transaction) {
  const auto rows = co_await transaction.execute(kHasSuperadmin);
  co_return !rows.empty();
}

Task<bool> UserStore::has_working_superadmin(sql::Transaction& transaction) {
  const auto rows = co_await transaction.execute(kHasWorkingSuperadmin);
  co_return !rows.empty();
}

Task<bool> UserStore::lock_other_superadmins(sql::Transaction& transaction, UserId id) {
  const auto rows = co_await transaction.execute(kLockSuperadmins);
  co_return std::ranges::any_of(rows, [id](const sql::Row& row) { return row.get<UserId>(0) != id; });
}

Task<void> UserStore::lock_first_administrator(sql::Transaction& transaction) {
  co_await transaction.execute(kLockFirstAdministrator);
}

Task<void> UserStore::lock_invitations(sql::Transaction& transaction, const EmailAddress& email) {
  co_await transaction.execute(kLockInvitations, email.key());
}

Task<void> UserStore::insert(sql::Transaction& transaction, const User& user, std::string_view password_hash) {
  co_await transaction.execute(kInsert, user.id, user.email, user.name, user.locale, password_hash, name_of(user.role),
                               user.email_verified_at, user.created_at);
}

Task<bool> UserStore::insert_if_absent(sql::Transaction& transaction, const User& user, std::string_view password_hash,
                                       Time now) {
  const auto rows =
      co_await transaction.execute(kInsertIfAbsent, user.id, user.email, user.name, user.locale, password_hash,
                                   name_of(user.role), user.email_status, user.is_active, user.email_verified_at,
                                   user.last_login_at, user.disabled_reason, user.disabled_at, user.created_at, now);
  co_return rows.affected == 1;
}

Task<void> UserStore::replace_unverified(sql::Transaction& transaction, UserId id, std::string_view email,
                                         std::string_view name, std::string_view password_hash, Time now) {
  co_await transaction.execute(kReplaceUnverified, id, email, name, password_hash, now);
}

Task<void> UserStore::set_verified(sql::Transaction& transaction, UserId id, Time now) {
  co_await transaction.execute(kSetVerified, id, now);
}

Task<void> UserStore::disable(sql::Transaction& transaction, UserId id, std::string_view reason, Time now) {
  co_await transaction.execute(kDisable, id, reason, now);
}

Task<void> UserStore::enable(sql::Transaction& transaction, UserId id, Time now) {
  co_await transaction.execute(kEnable, id, now);
}

Task<void> UserStore::set_role(sql::Transaction& transaction, UserId id, Role role, Time now) {
  co_await transaction.execute(kSetRole, id, name_of(role), now);
}

Task<void> UserStore::set_profile(sql::Database& database, UserId id, std::optional<std::string> name,
                                  std::optional<std::string> locale, Time now) {
  co_await database.write(kSetProfile, id, name, locale, now);
}

Task<bool> UserStore::set_password(sql::Transaction& transaction, UserId id, std::int64_t expected_version,
                                   std::string_view password_hash, Time now) {
  const auto rows = co_await transaction.execute(kSetPassword, id, expected_version, password_hash, now);
  co_return rows.affected == 1;
}

Task<bool> UserStore::raise_credential_version(sql::Transaction& transaction, UserId id,
                                               std::optional<std::int64_t> expected_version, Time now) {
  const auto rows = co_await transaction.execute(kRaiseCredentialVersion, id, expected_version, now);
  co_return rows.affected == 1;
}

Task<void> UserStore::set_rehashed(sql::Database& database, UserId id, std::string_view former_hash,
                                   std::string_view hash) {
  co_await database.write(kSetRehashed, id, former_hash, hash);
}

Task<void> UserStore::clear_name(sql::Transaction& transaction, UserId id) {
  co_await transaction.execute(kClearName, id);
}

Task<void> UserStore::set_email(sql::Transaction& transaction, UserId id, std::string_view email, Time now) {
  co_await transaction.execute(kSetEmail, id, email, now);
}

Task<void> UserStore::delete_user(sql::Transaction& transaction, UserId id) {
  co_await transaction.execute(kDeleteUser, id);
  // After it: the trigger that ends the sessions has just written their evidence.
  co_await transaction.execute(kDeleteEvidence, id);
}

Task<void> UserStore::insert_token(sql::Transaction& transaction, std::optional<UserId> user, const NewToken& token,
                                   Time now) {
  co_await transaction.execute(kReplaceTokens, token.purpose, user, token.email);
  co_await transaction.execute(kInsertToken, token.hash, user, token.purpose, token.email, token.expires_at, now,
                               token.session);
}

Task<void> UserStore::insert_token_in_vain(sql::Transaction& transaction, const NewToken& token, Time now) {
  co_await insert_token(transaction, std::nullopt, token, now);
  co_await transaction.execute(kDeleteToken, token.hash);
}

Task<std::optional<PendingToken>> UserStore::find_token(sql::Database& database, std::string_view hash,
                                                        std::string_view purpose, Time now) {
  const auto rows = co_await database.read(kFindToken, hash, purpose, now);
  co_return first_token(rows);
}

Task<std::optional<PendingToken>> UserStore::find_token(sql::Transaction& transaction, std::string_view hash,
                                                        std::string_view purpose, Time now) {
  const auto rows = co_await transaction.execute(kFindToken, hash, purpose, now);
  co_return first_token(rows);
}

Task<std::optional<PendingToken>> UserStore::take_token(sql::Transaction& transaction, std::string_view hash,
                                                        std::string_view purpose, Time now) {
  const auto rows = co_await transaction.execute(kTakeToken, hash, purpose, now);
  co_return first_token(rows);
}

Task<void> UserStore::delete_tokens_of(sql::Transaction& transaction, UserId user) {
  co_await transaction.execute(kDeleteTokensOf, user);
}

Task<void> UserStore::delete_expired_tokens(sql::Database& database, Time now) {
  co_await database.write(kDeleteExpiredTokens, now);
}

Task<void> UserStore::insert_ticket(sql::Transaction& transaction, const LoginTicket& ticket, std::string_view hash,
                                    Time expires_at, Time now) {
  co_await transaction.execute(kInsertTicket, hash, ticket.user, ticket.credential_version, ticket.epoch,
                               ticket.device_name, expires_at, now);
  co_await transaction.execute(kDeleteOldTickets, ticket.user);
}

Task<std::int64_t> UserStore::find_epoch(sql::Transaction& transaction) {
  const auto rows = co_await transaction.execute(kEpoch);
  co_return rows.front().get<std::int64_t>(0);
}

Task<std::optional<LoginTicket>> UserStore::find_ticket(sql::Database& database, std::string_view hash, Time now) {
  const auto rows = co_await database.read(kFindTicket, hash, now);
  co_return first_ticket(rows);
}

Task<std::optional<LoginTicket>> UserStore::take_ticket(sql::Transaction& transaction, std::string_view hash,
                                                        Time now) {
  const auto rows = co_await transaction.execute(kTakeTicket, hash, now);
  co_return first_ticket(rows);
}

Task<void> UserStore::delete_expired_tickets(sql::Database& database, Time now) {
  co_await database.write(kDeleteExpiredTickets, now);
}

}  // namespace safawinet
