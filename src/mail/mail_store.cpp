#include "mail/mail_store.hpp"

#include <utility>

namespace safawinet {
namespace {

constexpr std::chrono::minutes kPoint{15};
constexpr std::uint8_t kShards = 16;

#define WAITING_COLUMNS \
  "id, sealed, kind, priority, user_id, attempts, created_at, next_attempt_at, claimed_until, last_error"

constexpr sql::Statement kFindDuePriority{
    "SELECT CAST(min(level.priority) AS bigint) FROM (SELECT 0 AS priority UNION ALL SELECT 1 UNION ALL SELECT 2 UNION "
    "ALL "
    "SELECT 3) level WHERE level.priority <= $2 AND EXISTS (SELECT 1 FROM mail_outbox WHERE "
    "mail_outbox.priority = level.priority AND next_attempt_at <= $1)"};
constexpr sql::Statement kHasTried{
    "SELECT 1 FROM mail_history WHERE email = $1 AND created_at > $2 AND outcome IN ('sent', 'refused') LIMIT 1"};
constexpr sql::Statement kClaim{
    "UPDATE mail_outbox SET next_attempt_at = $3, claimed_until = $3 WHERE id IN (SELECT id FROM mail_outbox WHERE "
    "priority = $1 AND next_attempt_at <= $2 ORDER BY next_attempt_at LIMIT $4) RETURNING " WAITING_COLUMNS,
    // Whoever is faster gets them, and nobody waits.
    "WITH due AS (SELECT id FROM mail_outbox WHERE priority = $1 AND next_attempt_at <= $2 ORDER BY next_attempt_at "
    "LIMIT $4 FOR UPDATE SKIP LOCKED) "
    "UPDATE mail_outbox o SET next_attempt_at = $3, claimed_until = $3 FROM due WHERE o.id = due.id "
    "RETURNING o.id, o.sealed, o.kind, o.priority, o.user_id, o.attempts, o.created_at, o.next_attempt_at, "
    "o.claimed_until, o.last_error"};
constexpr sql::Statement kPostpone{
    "UPDATE mail_outbox SET attempts = attempts + 1, next_attempt_at = $2, claimed_until = NULL, last_error = $3 "
    "WHERE id = $1 AND claimed_until = $4"};
constexpr sql::Statement kGiveBack{
    "UPDATE mail_outbox SET next_attempt_at = $2, claimed_until = NULL WHERE id = $1 AND claimed_until = $3"};
constexpr sql::Statement kTakeOut{"DELETE FROM mail_outbox WHERE id = $1"};
constexpr sql::Statement kTakeOutUnclaimed{
    "DELETE FROM mail_outbox WHERE id = $1 AND (claimed_until IS NULL OR claimed_until <= $2)"};
constexpr sql::Statement kInsertEnded{
    "INSERT INTO mail_history (id, user_id, email, kind, outcome, attempts, detail, provider_id, created_at, ended_at) "
    "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 "
    "WHERE $2 IS NULL OR EXISTS (SELECT 1 FROM users WHERE id = $2) ON CONFLICT DO NOTHING",
    "INSERT INTO mail_history (id, user_id, email, kind, outcome, attempts, detail, provider_id, created_at, ended_at) "
    "SELECT $1::uuid, $2::uuid, $3, $4, $5, $6, $7, $8, $9::timestamptz, $10::timestamptz "
    "WHERE $2::uuid IS NULL OR EXISTS (SELECT 1 FROM users WHERE id = $2::uuid FOR KEY SHARE) ON CONFLICT DO NOTHING"};
constexpr sql::Statement kListWaiting{
    "SELECT " WAITING_COLUMNS
    " FROM mail_outbox "
    "WHERE ($1 IS NULL OR id > $1) AND (NOT $2 OR last_error IS NOT NULL) ORDER BY id LIMIT $3",
    "SELECT " WAITING_COLUMNS
    " FROM mail_outbox "
    "WHERE ($1::uuid IS NULL OR id > $1::uuid) AND (NOT $2 OR last_error IS NOT NULL) ORDER BY id LIMIT $3"};
constexpr sql::Statement kFindWaiting{"SELECT " WAITING_COLUMNS
                                      " FROM mail_outbox "
                                      "WHERE id = $1"};
constexpr sql::Statement kBacklog{"SELECT count(*), count(last_error), min(created_at) FROM mail_outbox"};
constexpr sql::Statement kListWaitingOf{
    "SELECT " WAITING_COLUMNS
    " FROM mail_outbox WHERE user_id = $1 AND ($2 IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
    "SELECT " WAITING_COLUMNS
    " FROM mail_outbox WHERE user_id = $1 AND ($2::uuid IS NULL OR id < $2::uuid) ORDER BY id DESC LIMIT $3"};
constexpr sql::Statement kMakeDue{
    "UPDATE mail_outbox SET next_attempt_at = $2 WHERE id = $1 AND (claimed_until IS NULL OR claimed_until <= $2)"};
constexpr sql::Statement kListEnded{
    "SELECT id, user_id, email, kind, outcome, attempts, detail, provider_id, created_at, ended_at, feedback, "
    "feedback_at FROM mail_history WHERE user_id = $1 AND ($2 IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
    "SELECT id, user_id, email, kind, outcome, attempts, detail, provider_id, created_at, ended_at, feedback, "
    "feedback_at FROM mail_history WHERE user_id = $1 AND ($2::uuid IS NULL OR id < $2::uuid) ORDER BY id DESC "
    "LIMIT $3"};
constexpr sql::Statement kFindEnded{
    "SELECT id, user_id, email, kind, outcome, attempts, detail, provider_id, created_at, ended_at, feedback, "
    "feedback_at FROM mail_history WHERE id = $1"};
constexpr sql::Statement kSetMailGood{"UPDATE users SET email_status = 'ok', bounce_count = 0 WHERE email = $1"};
constexpr sql::Statement kFindOwner{"SELECT id, role FROM users WHERE email = $1"};
constexpr sql::Statement kFindOwnerById{"SELECT id, role FROM users WHERE id = $1"};
constexpr sql::Statement kDeleteEnded{
    "DELETE FROM mail_history WHERE id IN (SELECT id FROM mail_history WHERE created_at < $1 LIMIT $2)"};

// Of those of an address; 'all' comes before 'not-security', and an operator's word over what bounces say.
#define THE_WIDEST                                                                         \
  "AND NOT EXISTS (SELECT 1 FROM mail_suppressions wider WHERE wider.email = s.email AND " \
  "(wider.scope < s.scope OR (wider.scope = s.scope AND wider.reason > s.reason))) "

constexpr sql::Statement kFindSuppression{
    "SELECT email, scope, reason, detail, created_by, created_at FROM mail_suppressions WHERE email = $1 "
    "ORDER BY scope, reason DESC LIMIT 1"};
constexpr sql::Statement kListSuppressions{
    "SELECT email, scope, reason, detail, created_by, created_at FROM mail_suppressions s "
    "WHERE ($1 = '' OR instr(lower(email), lower($1)) > 0) AND ($2 IS NULL OR email > $2) " THE_WIDEST
    "ORDER BY email LIMIT $3",
    "SELECT email, scope, reason, detail, created_by, created_at FROM mail_suppressions s "
    "WHERE ($1 = '' OR position(lower($1) IN lower(email::text)) > 0) AND ($2::citext IS NULL OR email > "
    "$2::citext) " THE_WIDEST "ORDER BY email LIMIT $3"};
constexpr sql::Statement kSuppress{
    "INSERT INTO mail_suppressions (email, scope, reason, detail, created_by, created_at) "
    "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (email, reason) DO UPDATE SET scope = excluded.scope, "
    "detail = excluded.detail, created_by = excluded.created_by, "
    "created_at = excluded.created_at WHERE mail_suppressions.scope <> 'all'"};
constexpr sql::Statement kLift{"DELETE FROM mail_suppressions WHERE email = $1"};
constexpr sql::Statement kLiftComplaint{"DELETE FROM mail_suppressions WHERE email = $1 AND reason = 'complaint'"};
constexpr sql::Statement kLiftBounce{"DELETE FROM mail_suppressions WHERE email = $1 AND reason = 'bounce'"};

constexpr sql::Statement kCount{
    "INSERT INTO mail_counts (at, name, shard, count) VALUES ($1, $2, $3, 1) "
    "ON CONFLICT (at, name, shard) DO UPDATE SET count = mail_counts.count + 1"};
constexpr sql::Statement kCounts{
    "SELECT at, name, CAST(sum(count) AS bigint) FROM mail_counts WHERE at >= $1 GROUP BY at, name ORDER BY at, name"};
constexpr sql::Statement kDeleteCounts{"DELETE FROM mail_counts WHERE at < $1"};

WaitingMail waiting_of(const sql::Row& row) {
  return {.id = row.get<Uuid>(0),
          .sealed = row.get<std::string>(1),
          .kind = row.get<std::string>(2),
          .priority = row.get<std::int64_t>(3),
          .user = row.find<UserId>(4),
          .attempts = row.get<std::int64_t>(5),
          .created_at = row.get<Time>(6),
          .next_attempt_at = row.get<Time>(7),
          .claimed_until = row.find<Time>(8),
          .last_error = row.find<std::string>(9).value_or("")};
}

std::vector<WaitingMail> waiting_of(const sql::Rows& rows) {
  std::vector<WaitingMail> mails;
  mails.reserve(rows.size());
  for (const auto& row : rows) mails.push_back(waiting_of(row));
  return mails;
}

EndedMail ended_of(const sql::Row& row) {
  return {.id = row.get<Uuid>(0),
          .user = row.find<UserId>(1),
          .email = row.get<std::string>(2),
          .kind = row.get<std::string>(3),
          .outcome = row.get<std::string>(4),
          .attempts = row.get<std::int64_t>(5),
          .detail = row.get<std::string>(6),
          .provider_id = row.find<std::string>(7).value_or(""),
          .created_at = row.get<Time>(8),
          .ended_at = row.get<Time>(9),
          .feedback = row.find<std::string>(10).value_or(""),
          .feedback_at = row.find<Time>(11)};
}

Suppression suppression_of(const sql::Row& row) {
  return {.email = row.get<std::string>(0),
          .scope = row.get<std::string>(1) == "all" ? SuppressionScope::all : SuppressionScope::not_security,
          .reason = row.get<std::string>(2),
          .detail = row.get<std::string>(3),
          .created_by = row.get<std::string>(4),
          .created_at = row.get<Time>(5)};
}

std::optional<MailStore::Owner> owner_of(const sql::Rows& rows) {
  if (rows.empty()) return std::nullopt;
  return MailStore::Owner{.user = rows.front().get<UserId>(0), .role = rows.front().get<std::string>(1)};
}

Time point_of(Time now) {
  const auto since_epoch = now.time_since_epoch();
  return Time(since_epoch - since_epoch % kPoint);
}

}  // namespace

std::string_view name_of(MailOutcome outcome) {
  switch (outcome) {
    case MailOutcome::sent:
      return "sent";
    case MailOutcome::refused:
      return "refused";
    case MailOutcome::given_up:
      return "given-up";
    case MailOutcome::suppressed:
      return "suppressed";
    case MailOutcome::dropped:
      return "dropped";
  }
  std::unreachable();
}

std::string_view name_of(SuppressionScope scope) { return scope == SuppressionScope::all ? "all" : "not-security"; }

Task<std::optional<std::int64_t>> MailStore::find_due_priority(sql::Database& database, Time now, std::int64_t last) {
  const auto rows = co_await database.read(kFindDuePriority, now, last);
  co_return rows.front().find<std::int64_t>(0);
}

Task<bool> MailStore::has_tried_since(sql::Database& database, std::string_view email, Time since) {
  const auto rows = co_await database.read(kHasTried, email, since);
  co_return !rows.empty();
}

Task<std::vector<WaitingMail>> MailStore::claim(sql::Database& database, std::int64_t priority, Time now, Time until,
                                                std::int64_t limit) {
  const auto rows = co_await database.write(kClaim, priority, now, until, limit);
  co_return waiting_of(rows);
}

Task<void> MailStore::postpone(sql::Database& database, const WaitingMail& claimed, Time next,
                               std::string_view failure) {
  co_await database.write(kPostpone, claimed.id, next, failure, claimed.claimed_until);
}

Task<void> MailStore::give_back(sql::Database& database, const WaitingMail& claimed, Time next) {
  co_await database.write(kGiveBack, claimed.id, next, claimed.claimed_until);
}

Task<bool> MailStore::take_out(sql::Transaction& transaction, Uuid id) {
  const auto taken = co_await transaction.execute(kTakeOut, id);
  co_return taken.affected == 1;
}

Task<bool> MailStore::take_out_unclaimed(sql::Transaction& transaction, Uuid id, Time now) {
  const auto taken = co_await transaction.execute(kTakeOutUnclaimed, id, now);
  co_return taken.affected == 1;
}

Task<void> MailStore::insert_ended(sql::Transaction& transaction, const EndedMail& mail) {
  const auto provider_id = mail.provider_id.empty() ? std::nullopt : std::optional(mail.provider_id);
  co_await transaction.execute(kInsertEnded, mail.id, mail.user, mail.email, mail.kind, mail.outcome, mail.attempts,
                               mail.detail, provider_id, mail.created_at, mail.ended_at);
}

Task<std::vector<WaitingMail>> MailStore::list_waiting(sql::Database& database, std::optional<Uuid> after,
                                                       std::int64_t limit, OutboxFilter filter) {
  const auto rows = co_await database.read(kListWaiting, after, filter.is_failing_only, limit);
  co_return waiting_of(rows);
}

Task<std::optional<WaitingMail>> MailStore::find_waiting(sql::Database& database, Uuid id) {
  const auto rows = co_await database.read(kFindWaiting, id);
  if (rows.empty()) co_return std::nullopt;
  co_return waiting_of(rows.front());
}

Task<std::vector<WaitingMail>> MailStore::list_waiting_of(sql::Database& database, UserId user,
                                                          std::optional<Uuid> before, std::int64_t limit) {
  const auto rows = co_await database.read(kListWaitingOf, user, before, limit);
  co_return waiting_of(rows);
}

Task<MailStore::Backlog> MailStore::count_waiting(sql::Database& database) {
  const auto rows = co_await database.read(kBacklog);
  const auto& row = rows.front();
  Backlog backlog{
      .waiting = row.get<std::int64_t>(0), .failing = row.get<std::int64_t>(1), .oldest = row.find<Time>(2)};
  co_return backlog;
}

Task<bool> MailStore::make_due(sql::Transaction& transaction, Uuid id, Time now) {
  const auto made = co_await transaction.execute(kMakeDue, id, now);
  co_return made.affected == 1;
}

Task<std::vector<EndedMail>> MailStore::list_ended_of(sql::Database& database, UserId user, std::optional<Uuid> before,
                                                      std::int64_t limit) {
  const auto rows = co_await database.read(kListEnded, user, before, limit);
  std::vector<EndedMail> mails;
  for (const auto& row : rows) mails.push_back(ended_of(row));
  co_return mails;
}

Task<std::optional<EndedMail>> MailStore::find_ended(sql::Database& database, Uuid id) {
  const auto rows = co_await database.read(kFindEnded, id);
  if (rows.empty()) co_return std::nullopt;
  co_return ended_of(rows.front());
}

Task<void> MailStore::set_mail_good(sql::Transaction& transaction, std::string_view email) {
  co_await transaction.execute(kSetMailGood, email);
}

Task<bool> MailStore::delete_ended_before(sql::Database& database, Time before, std::int64_t limit) {
  const auto deleted = co_await database.write(kDeleteEnded, before, limit);
  co_return static_cast<std::int64_t>(deleted.affected) == limit;
}

Task<std::optional<Suppression>> MailStore::find_suppression(sql::Database& database, std::string_view email) {
  const auto rows = co_await database.read(kFindSuppression, email);
  if (rows.empty()) co_return std::nullopt;
  co_return suppression_of(rows.front());
}

Task<bool> MailStore::is_suppressed(sql::Transaction& transaction, std::string_view email) {
  const auto rows = co_await transaction.execute(kFindSuppression, email);
  co_return !rows.empty();
}

Task<std::vector<Suppression>> MailStore::list_suppressions(sql::Database& database, std::string_view part,
                                                            std::optional<std::string> after, std::int64_t limit) {
  const auto rows = co_await database.read(kListSuppressions, part, after, limit);
  std::vector<Suppression> suppressions;
  for (const auto& row : rows) suppressions.push_back(suppression_of(row));
  co_return suppressions;
}

Task<void> MailStore::suppress(sql::Transaction& transaction, const Suppression& suppression) {
  const auto scope = name_of(suppression.scope);
  co_await transaction.execute(kSuppress, suppression.email, scope, suppression.reason, suppression.detail,
                               suppression.created_by, suppression.created_at);
}

Task<bool> MailStore::lift_suppression(sql::Transaction& transaction, std::string_view email) {
  const auto lifted = co_await transaction.execute(kLift, email);
  co_return lifted.affected > 0;
}

Task<bool> MailStore::lift_complaint(sql::Transaction& transaction, std::string_view email) {
  const auto lifted = co_await transaction.execute(kLiftComplaint, email);
  co_return lifted.affected == 1;
}

Task<bool> MailStore::lift_bounce(sql::Transaction& transaction, std::string_view email) {
  const auto lifted = co_await transaction.execute(kLiftBounce, email);
  co_return lifted.affected == 1;
}

Task<std::optional<MailStore::Owner>> MailStore::find_owner(sql::Transaction& transaction, std::string_view email) {
  const auto rows = co_await transaction.execute(kFindOwner, email);
  co_return owner_of(rows);
}

Task<std::optional<MailStore::Owner>> MailStore::find_owner(sql::Transaction& transaction, UserId user) {
  const auto rows = co_await transaction.execute(kFindOwnerById, user);
  co_return owner_of(rows);
}

Task<void> MailStore::count(sql::Transaction& transaction, std::string_view name, Time now, std::uint8_t chance) {
  const auto at = point_of(now);
  const std::int64_t shard = chance % kShards;
  co_await transaction.execute(kCount, at, name, shard);
}

Task<std::vector<MailStore::Count>> MailStore::counts_since(sql::Database& database, Time since) {
  const auto rows = co_await database.read(kCounts, since);
  std::vector<Count> counts;
  for (const auto& row : rows) {
    counts.push_back({.at = row.get<Time>(0), .name = row.get<std::string>(1), .count = row.get<std::int64_t>(2)});
  }
  co_return counts;
}

Task<void> MailStore::delete_counts_before(sql::Database& database, Time before) {
  co_await database.write(kDeleteCounts, before);
}

}  // namespace safawinet
