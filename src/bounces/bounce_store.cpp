#include "bounces/bounce_store.hpp"

namespace safawinet {
namespace {

using sql::Statement;

constexpr Statement kTakeMessage{
    "INSERT INTO sns_messages (message_id, received_at) VALUES ($1, $2) ON CONFLICT (message_id) DO NOTHING"};
constexpr Statement kDeleteMessages{
    "DELETE FROM sns_messages WHERE message_id IN (SELECT message_id FROM sns_messages WHERE received_at < $1 LIMIT "
    "$2)"};
constexpr Statement kFindSent{
    "SELECT id, user_id, email FROM mail_history WHERE id = $1 OR (provider_id = $2 AND $2 <> '') LIMIT 1",
    "SELECT id, user_id, email FROM mail_history WHERE id = $1::uuid UNION ALL "
    "SELECT id, user_id, email FROM mail_history WHERE provider_id = $2 AND $2 <> '' LIMIT 1"};
constexpr Statement kIsWaiting{"SELECT 1 FROM mail_outbox WHERE id = $1"};
constexpr Statement kStanding{
    "SELECT id, email, email_status, bounce_count, is_active, role FROM users WHERE email = $1"};
constexpr Statement kLockStanding{
    "SELECT id, email, email_status, bounce_count, is_active, role FROM users WHERE email = $1 AND role <> "
    "'superadmin'",
    "SELECT id, email, email_status, bounce_count, is_active, role FROM users WHERE email = $1 AND role <> "
    "'superadmin' "
    "FOR UPDATE"};
constexpr Statement kInsert{
    "INSERT INTO mail_feedback (id, feedback_id, email, mail_id, user_id, kind, type, subtype, detail, source, "
    "counted, "
    "at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) "
    "ON CONFLICT (feedback_id, email) DO NOTHING"};
constexpr Statement kSetFeedback{
    "UPDATE mail_history SET feedback = $2, feedback_at = $3 WHERE id = $1 AND (feedback_at IS NULL OR feedback_at <= "
    "$3)"};
constexpr Statement kHasDelivery{
    "SELECT 1 FROM mail_history WHERE email = $1 AND feedback = 'delivered' AND feedback_at > $2 LIMIT 1"};
constexpr Statement kSetStatus{"UPDATE users SET email_status = $2 WHERE id = $1 AND email_status <> $2"};
constexpr Statement kAddBounce{"UPDATE users SET bounce_count = bounce_count + 1 WHERE id = $1 RETURNING bounce_count"};
constexpr Statement kForgetBounces{
    "UPDATE users SET bounce_count = 0, email_status = CASE email_status WHEN 'bounced' THEN 'ok' ELSE email_status "
    "END "
    "WHERE email = $1 AND (bounce_count > 0 OR email_status = 'bounced') AND NOT EXISTS "
    "(SELECT 1 FROM mail_feedback f WHERE f.email = $1 AND f.kind = 'bounce' AND f.counted AND f.at > $2)"};
constexpr Statement kWarn{
    "INSERT INTO mail_warnings (name, detail, count, first_at, last_at) VALUES ($1, $2, 1, $3, $3) "
    "ON CONFLICT (name) DO UPDATE SET detail = excluded.detail, count = mail_warnings.count + 1, "
    "last_at = excluded.last_at"};
constexpr Statement kListWarnings{
    "SELECT name, detail, count, first_at, last_at FROM mail_warnings WHERE last_at >= $1 ORDER BY last_at DESC"};
constexpr Statement kList{
    "SELECT id, feedback_id, email, mail_id, user_id, kind, type, subtype, detail, source, counted, at, created_at "
    "FROM mail_feedback WHERE ($1 = '' OR kind = $1) AND ($2 IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
    "SELECT id, feedback_id, email, mail_id, user_id, kind, type, subtype, detail, source, counted, at, created_at "
    "FROM mail_feedback WHERE ($1 = '' OR kind = $1) AND ($2::uuid IS NULL OR id < $2::uuid) ORDER BY id DESC LIMIT "
    "$3"};
constexpr Statement kListOfAddress{
    "SELECT id, feedback_id, email, mail_id, user_id, kind, type, subtype, detail, source, counted, at, created_at "
    "FROM mail_feedback WHERE ($1 = '' OR kind = $1) AND ($2 IS NULL OR id < $2) AND email = $4 ORDER BY id DESC LIMIT "
    "$3",
    "SELECT id, feedback_id, email, mail_id, user_id, kind, type, subtype, detail, source, counted, at, created_at "
    "FROM mail_feedback WHERE ($1 = '' OR kind = $1) AND ($2::uuid IS NULL OR id < $2::uuid) AND email = $4::citext "
    "ORDER BY id DESC LIMIT $3"};
constexpr Statement kDelete{
    "DELETE FROM mail_feedback WHERE id IN (SELECT id FROM mail_feedback WHERE created_at < $1 LIMIT $2)"};

std::optional<MailStanding> standing_of(const sql::Rows& rows) {
  if (rows.empty()) return std::nullopt;
  const auto& row = rows.front();
  return MailStanding{.user = row.get<UserId>(0),
                      .email = row.get<std::string>(1),
                      .email_status = row.get<std::string>(2),
                      .bounce_count = row.get<std::int64_t>(3),
                      .is_active = row.get<bool>(4),
                      .role = row.get<std::string>(5)};
}

}  // namespace

Task<bool> BounceStore::take_message(sql::Transaction& transaction, std::string_view message_id, Time now) {
  const auto taken = co_await transaction.execute(kTakeMessage, message_id, now);
  co_return taken.affected == 1;
}

Task<bool> BounceStore::delete_messages_before(sql::Database& database, Time before, std::int64_t limit) {
  const auto deleted = co_await database.write(kDeleteMessages, before, limit);
  co_return static_cast<std::int64_t>(deleted.affected) == limit;
}

Task<std::optional<SentMail>> BounceStore::find_sent(sql::Transaction& transaction, std::optional<Uuid> mail,
                                                     std::string_view provider_id) {
  const auto rows = co_await transaction.execute(kFindSent, mail, provider_id);
  if (rows.empty()) co_return std::nullopt;
  const auto& row = rows.front();
  SentMail sent{.id = row.get<Uuid>(0), .user = row.find<UserId>(1), .email = row.get<std::string>(2)};
  co_return sent;
}

Task<bool> BounceStore::is_waiting(sql::Transaction& transaction, Uuid mail) {
  const auto rows = co_await transaction.execute(kIsWaiting, mail);
  co_return !rows.empty();
}

Task<std::optional<MailStanding>> BounceStore::find_standing(sql::Transaction& transaction, std::string_view email) {
  const auto rows = co_await transaction.execute(kStanding, email);
  co_return standing_of(rows);
}

Task<std::optional<MailStanding>> BounceStore::lock_standing_below_superadmin(sql::Transaction& transaction,
                                                                              std::string_view email) {
  const auto rows = co_await transaction.execute(kLockStanding, email);
  co_return standing_of(rows);
}

Task<bool> BounceStore::insert(sql::Transaction& transaction, const KeptFeedback& kept) {
  const auto& feedback = kept.feedback;
  const auto inserted = co_await transaction.execute(
      kInsert, kept.id, feedback.feedback_id, feedback.email, feedback.mail, feedback.user, kept.kind, kept.type,
      feedback.subtype, feedback.detail, kept.source, kept.is_counted, feedback.at, kept.created_at);
  co_return inserted.affected == 1;
}

Task<void> BounceStore::set_feedback(sql::Transaction& transaction, Uuid mail, std::string_view feedback, Time at) {
  co_await transaction.execute(kSetFeedback, mail, feedback, at);
}

Task<bool> BounceStore::has_delivery_after(sql::Transaction& transaction, std::string_view email, Time at) {
  const auto rows = co_await transaction.execute(kHasDelivery, email, at);
  co_return !rows.empty();
}

Task<void> BounceStore::set_email_status(sql::Transaction& transaction, UserId user, std::string_view status) {
  co_await transaction.execute(kSetStatus, user, status);
}

Task<std::int64_t> BounceStore::add_bounce(sql::Transaction& transaction, UserId user) {
  const auto rows = co_await transaction.execute(kAddBounce, user);
  co_return rows.empty() ? 0 : rows.front().get<std::int64_t>(0);
}

Task<void> BounceStore::forget_bounces(sql::Transaction& transaction, std::string_view email, Time delivered_at) {
  co_await transaction.execute(kForgetBounces, email, delivered_at);
}

Task<void> BounceStore::warn(sql::Transaction& transaction, std::string_view name, std::string_view detail, Time now) {
  co_await transaction.execute(kWarn, name, detail, now);
}

Task<std::vector<MailWarning>> BounceStore::list_warnings(sql::Database& database, Time since) {
  const auto rows = co_await database.read(kListWarnings, since);
  std::vector<MailWarning> warnings;
  for (const auto& row : rows) {
    warnings.push_back({.name = row.get<std::string>(0),
                        .detail = row.get<std::string>(1),
                        .count = row.get<std::int64_t>(2),
                        .first_at = row.get<Time>(3),
                        .last_at = row.get<Time>(4)});
  }
  co_return warnings;
}

Task<std::vector<KeptFeedback>> BounceStore::list(sql::Database& database, const FeedbackFilter& filter,
                                                  std::optional<Uuid> before, std::int64_t limit) {
  const auto kind = filter.kind ? name_of(*filter.kind) : std::string_view();
  sql::Rows rows;
  if (filter.email.empty()) {
    rows = co_await database.read(kList, kind, before, limit);
  } else {
    rows = co_await database.read(kListOfAddress, kind, before, limit, filter.email);
  }
  std::vector<KeptFeedback> list;
  for (const auto& row : rows) {
    Feedback feedback{.feedback_id = row.get<std::string>(1),
                      .email = row.get<std::string>(2),
                      .mail = row.find<Uuid>(3),
                      .user = row.find<UserId>(4),
                      .subtype = row.get<std::string>(7),
                      .detail = row.get<std::string>(8),
                      .at = row.get<Time>(11)};
    list.push_back({.id = row.get<Uuid>(0),
                    .feedback = std::move(feedback),
                    .kind = row.get<std::string>(5),
                    .type = row.get<std::string>(6),
                    .source = row.get<std::string>(9),
                    .is_counted = row.get<bool>(10),
                    .created_at = row.get<Time>(12)});
  }
  co_return list;
}

Task<bool> BounceStore::delete_before(sql::Database& database, Time before, std::int64_t limit) {
  const auto deleted = co_await database.write(kDelete, before, limit);
  co_return static_cast<std::int64_t>(deleted.affected) == limit;
}

}  // namespace safawinet
