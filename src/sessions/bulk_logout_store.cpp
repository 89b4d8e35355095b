#include "sessions/bulk_logout_store.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

namespace safawinet {
namespace {

using sql::Statement;

// Constant text that is put together by the compiler: statements are found again by their address.
template <std::size_t Size>
struct ConstantText {
  std::array<char, Size + 1> characters{};
};

template <std::size_t Characters>
consteval auto text(const char (&literal)[Characters]) {
  ConstantText<Characters - 1> made;
  for (std::size_t i = 0; i + 1 < Characters; ++i) made.characters[i] = literal[i];
  return made;
}

template <std::size_t Left, std::size_t Right>
consteval auto operator+(const ConstantText<Left>& left, const ConstantText<Right>& right) {
  ConstantText<Left + Right> joined;
  for (std::size_t i = 0; i < Left; ++i) joined.characters[i] = left.characters[i];
  for (std::size_t i = 0; i < Right; ++i) joined.characters[Left + i] = right.characters[i];
  return joined;
}

// Which sessions match, of `refresh_sessions s` and its `users u`. $1 and $2 are the highest rank and the spared
// session; $3 the time of the order, $4 the present, $5… the criteria in the order of LogoutCriteria.
constexpr auto kRank = text("CASE u.role WHEN 'customer' THEN 0 WHEN 'support' THEN 1 WHEN 'admin' THEN 2 ELSE 3 END");

constexpr auto kMatches = text(
    "s.epoch = (SELECT epoch FROM session_epoch) AND s.created_at <= $3 AND s.expires_at > $4 "
    "AND (($5 IS NULL AND $6 IS NULL AND NOT $7) OR (u.last_login_at IS NULL AND $7) "
    "OR (($5 IS NOT NULL OR $6 IS NOT NULL) "
    "AND ($5 IS NULL OR u.last_login_at < $5) AND ($6 IS NULL OR u.last_login_at >= $6))) "
    "AND ($8 IS NULL OR u.created_at < $8) AND ($9 IS NULL OR u.created_at >= $9) "
    "AND ($10 IS NULL OR u.role = $10) "
    "AND ($11 IS NULL OR lower(substr(u.email, instr(u.email, '@') + 1)) = $11) "
    "AND ($12 IS NULL OR in_network(s.ip_address, $12)) "
    "AND ($13 IS NULL OR instr(lower(s.user_agent), lower($13)) > 0) "
    "AND (($14 IS NULL AND $15 IS NULL) OR u.id IN (SELECT value FROM json_each($14)) "
    "OR u.email IN (SELECT value FROM json_each($15))) "
    "AND ($16 IS NULL OR s.created_at < $16) AND ($17 IS NULL OR s.created_at >= $17) "
    "AND ($18 IS NULL OR s.rotated_at < $18) AND ($19 IS NULL OR s.rotated_at >= $19) ");

// An address that cannot be one, which somebody else may have written, must not fail the statement.
constexpr auto kPostgresMatches = text(
    "s.epoch = (SELECT epoch FROM session_epoch) AND s.created_at <= $3::timestamptz AND s.expires_at > "
    "$4::timestamptz "
    "AND (($5::timestamptz IS NULL AND $6::timestamptz IS NULL AND NOT $7::boolean) "
    "OR (u.last_login_at IS NULL AND $7::boolean) "
    "OR (($5::timestamptz IS NOT NULL OR $6::timestamptz IS NOT NULL) "
    "AND ($5::timestamptz IS NULL OR u.last_login_at < $5::timestamptz) "
    "AND ($6::timestamptz IS NULL OR u.last_login_at >= $6::timestamptz))) "
    "AND ($8::timestamptz IS NULL OR u.created_at < $8::timestamptz) "
    "AND ($9::timestamptz IS NULL OR u.created_at >= $9::timestamptz) "
    "AND ($10::text IS NULL OR u.role = $10::text) "
    "AND ($11::text IS NULL OR split_part(lower(u.email::text), '@', 2) = $11::text) "
    "AND ($12::text IS NULL OR CASE WHEN s.ip_address ~ "
    "'^([0-9]{1,3}[.]){3}[0-9]{1,3}$|^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$' "
    "THEN s.ip_address::inet <<= $12::text::inet ELSE false END) "
    "AND ($13::text IS NULL OR strpos(lower(s.user_agent), lower($13::text)) > 0) "
    "AND (($14::text IS NULL AND $15::text IS NULL) "
    "OR u.id IN (SELECT json_array_elements_text($14::text::json)::uuid) "
    "OR u.email IN (SELECT json_array_elements_text($15::text::json)::citext)) "
    "AND ($16::timestamptz IS NULL OR s.created_at < $16::timestamptz) "
    "AND ($17::timestamptz IS NULL OR s.created_at >= $17::timestamptz) "
    "AND ($18::timestamptz IS NULL OR s.rotated_at < $18::timestamptz) "
    "AND ($19::timestamptz IS NULL OR s.rotated_at >= $19::timestamptz) ");

// A count goes through the users in slices of their ids, so that no statement is long however many there are.
constexpr Statement kFindSlice{"SELECT id FROM users WHERE id > $1 ORDER BY id LIMIT 1 OFFSET 19999"};
// Both columns, since a planner that knew it of one would not look for the other.
constexpr auto kInSlice = text("AND u.id > $20 AND u.id <= $21 AND s.user_id > $20 AND s.user_id <= $21 ");
constexpr auto kPostgresInSlice =
    text("AND u.id > $20::uuid AND u.id <= $21::uuid AND s.user_id > $20::uuid AND s.user_id <= $21::uuid ");

// The figures of a slice in every row, with one user of the sample each, or none.
constexpr auto kCountTail = text(
    "GROUP BY u.id, u.role), "
    "totals AS (SELECT "
    "count(CASE WHEN NOT is_above AND sessions > 0 THEN 1 END) AS users, "
    "CAST(coalesce(sum(CASE WHEN is_above THEN 0 ELSE sessions END), 0) AS bigint) AS sessions, "
    "count(CASE WHEN is_above THEN 1 END) AS users_above, "
    "CAST(coalesce(sum(CASE WHEN is_above THEN sessions ELSE 0 END), 0) AS bigint) AS sessions_above, "
    "CAST(coalesce(sum(spared), 0) AS bigint) AS spared FROM matched), "
    "sample AS (SELECT user_id, sessions FROM matched WHERE NOT is_above AND sessions > 0 ORDER BY user_id LIMIT 10) "
    "SELECT t.users, t.sessions, t.users_above, t.sessions_above, t.spared, u.id, u.email, p.sessions, u.last_login_at "
    "FROM totals t LEFT JOIN sample p ON 1 = 1 LEFT JOIN users u ON u.id = p.user_id ORDER BY u.id");
constexpr auto kCountText = text("WITH matched AS MATERIALIZED (SELECT u.id AS user_id, ") + kRank +
                            text(
                                " > $1 AS is_above, count(CASE WHEN $2 IS NULL OR s.id <> $2 THEN 1 END) AS sessions, "
                                "count(CASE WHEN s.id = $2 THEN 1 END) AS spared "
                                "FROM refresh_sessions s JOIN users u ON u.id = s.user_id WHERE ") +
                            kMatches + kInSlice + kCountTail;
constexpr auto kPostgresCountText =
    text("WITH matched AS MATERIALIZED (SELECT u.id AS user_id, ") + kRank +
    text(
        " > $1::integer AS is_above, count(CASE WHEN $2::uuid IS NULL OR s.id <> $2::uuid THEN 1 END) AS sessions, "
        "count(CASE WHEN s.id = $2::uuid THEN 1 END) AS spared "
        "FROM refresh_sessions s JOIN users u ON u.id = s.user_id WHERE ") +
    kPostgresMatches + kPostgresInSlice + kCountTail;
constexpr Statement kCount{kCountText.characters.data(), kPostgresCountText.characters.data()};
static_assert(kSampleUsers == 10);

constexpr auto kMayEnd = text(" <= $1 AND ($2 IS NULL OR s.id <> $2) AND s.id > $20 AND s.id <= $21 AND ");
constexpr auto kPostgresMayEnd =
    text(" <= $1::integer AND ($2::uuid IS NULL OR s.id <> $2::uuid) AND s.id > $20::uuid AND s.id <= $21::uuid AND ");

// The last session that a batch looks at, whether it matches or not.
constexpr Statement kFindWindow{"SELECT id FROM refresh_sessions WHERE id > $1 ORDER BY id LIMIT 1 OFFSET 19999"};
// The last one of a full batch.
constexpr auto kFindBatchText = text("SELECT s.id FROM refresh_sessions s JOIN users u ON u.id = s.user_id WHERE ") +
                                kRank + kMayEnd + kMatches + text("ORDER BY s.id LIMIT 1 OFFSET 499");
constexpr auto kPostgresFindBatchText =
    text("SELECT s.id FROM refresh_sessions s JOIN users u ON u.id = s.user_id WHERE ") + kRank + kPostgresMayEnd +
    kPostgresMatches + text("ORDER BY s.id LIMIT 1 OFFSET 4999");
constexpr Statement kFindBatch{kFindBatchText.characters.data(), kPostgresFindBatchText.characters.data()};

constexpr auto kEndText =
    text("DELETE FROM refresh_sessions AS s WHERE EXISTS (SELECT 1 FROM users u WHERE u.id = s.user_id AND ") + kRank +
    kMayEnd + kMatches + text(") AND s.id > $20 AND s.id <= $21");
constexpr auto kPostgresEndText = text("DELETE FROM refresh_sessions s USING users u WHERE u.id = s.user_id AND ") +
                                  kRank + kPostgresMayEnd + kPostgresMatches;
constexpr Statement kEnd{kEndText.characters.data(), kPostgresEndText.characters.data()};

constexpr Statement kInsert{
    "INSERT INTO bulk_logouts (id, criteria, reason, actor, state, spared, sessions_expected, resume_after, "
    "leased_until, "
    "created_at) VALUES ($1, $2, $3, $4, 'running', $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING"};
constexpr Statement kFind{
    "SELECT id, criteria, reason, actor, state, spared, sessions_expected, sessions_ended, resume_after, leased_until, "
    "created_at, finished_at FROM bulk_logouts WHERE id = $1"};
constexpr Statement kList{
    "SELECT id, criteria, reason, actor, state, spared, sessions_expected, sessions_ended, resume_after, leased_until, "
    "created_at, finished_at FROM bulk_logouts WHERE ($1 IS NULL OR id < $1) ORDER BY id DESC LIMIT $2",
    "SELECT id, criteria, reason, actor, state, spared, sessions_expected, sessions_ended, resume_after, leased_until, "
    "created_at, finished_at FROM bulk_logouts WHERE ($1::uuid IS NULL OR id < $1::uuid) ORDER BY id DESC LIMIT $2"};
constexpr Statement kFindFree{
    "SELECT id FROM bulk_logouts WHERE state = 'running' AND leased_until <= $1 ORDER BY created_at LIMIT 1"};
constexpr Statement kLease{
    "UPDATE bulk_logouts SET leased_until = $3 WHERE id = $1 AND state = 'running' AND leased_until <= $2 "
    "RETURNING id, criteria, reason, actor, state, spared, sessions_expected, sessions_ended, resume_after, "
    "leased_until, "
    "created_at, finished_at"};
constexpr Statement kHold{
    "UPDATE bulk_logouts SET leased_until = $4 "
    "WHERE id = $1 AND state = 'running' AND leased_until = $2 AND resume_after = $3"};
constexpr Statement kAdvance{
    "UPDATE bulk_logouts SET resume_after = $2, sessions_ended = sessions_ended + $3 WHERE id = $1"};
constexpr Statement kFinish{
    "UPDATE bulk_logouts SET state = 'done', finished_at = $3 "
    "WHERE id = $1 AND state = 'running' AND leased_until = $2"};
constexpr Statement kNotify{"SELECT 1", "SELECT pg_notify('safawinet', '')"};

// The column `criteria`: what was confirmed, and what of the caller decides as well.
struct Recorded {
  LogoutCriteria criteria;
  std::string highest_role;
};
BOOST_DESCRIBE_STRUCT(Recorded, (), (criteria, highest_role))

BulkLogout read_order(const sql::Row& row) {
  const auto recorded = from_json<Recorded>(parse_json(row.get<std::string>(1)).value()).value();
  return {.id = row.get<BulkLogoutId>(0),
          .criteria = recorded.criteria,
          .highest_role = parse_role(recorded.highest_role).value(),
          .reason = row.get<std::string>(2),
          .actor = {row.get<std::string>(3)},
          .is_done = row.get<std::string>(4) == "done",
          .spared = row.find<SessionId>(5),
          .sessions_expected = row.get<std::int64_t>(6),
          .sessions_ended = row.get<std::int64_t>(7),
          .resume_after = row.get<SessionId>(8),
          .leased_until = row.get<Time>(9),
          .created_at = row.get<Time>(10),
          .finished_at = row.find<Time>(11)};
}

template <class Items>
std::optional<std::string> list_text(const std::optional<Items>& items) {
  return items ? std::optional(to_json(*items)) : std::nullopt;
}

// The first 19 parameters of what asks which sessions match; $20 and $21 where a range of sessions is meant.
struct Asked {
  int highest_rank;
  std::optional<SessionId> spared;
  Time ordered_at;
  Time now;
  const LogoutCriteria& criteria;
  std::optional<std::string> user_ids = list_text(criteria.user_ids);
  std::optional<std::string> emails = list_text(criteria.emails);

  template <class Execute, class... Further>
  auto with(Execute execute, const Further&... further) const {
    const auto& c = criteria;
    return execute(highest_rank, spared, ordered_at, now, c.last_login_before, c.last_login_after, c.never_logged_in,
                   c.user_created_before, c.user_created_after, c.role, c.email_domain, c.ip_network, c.user_agent,
                   user_ids, emails, c.session_created_before, c.session_created_after, c.session_used_before,
                   c.session_used_after, further...);
  }
};

Asked asked_by(const BulkLogout& order, Time now) {
  return {.highest_rank = static_cast<int>(order.highest_role),
          .spared = order.spared,
          .ordered_at = order.created_at,
          .now = now,
          .criteria = order.criteria};
}

constexpr Uuid kLastOfAll{
    {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

void add(BulkLogoutFigures& figures, const sql::Rows& slice) {
  const auto& first = slice.front();
  figures.users += first.get<std::int64_t>(0);
  figures.sessions += first.get<std::int64_t>(1);
  figures.users_above += first.get<std::int64_t>(2);
  figures.sessions_above += first.get<std::int64_t>(3);
  if (first.get<std::int64_t>(4) > 0) figures.matches_spared = true;
  for (const auto& row : slice) {
    const auto id = row.find<UserId>(5);
    if (!id || figures.sample.size() == kSampleUsers) break;
    figures.sample.push_back({.id = *id,
                              .email = row.get<std::string>(6),
                              .sessions = row.get<std::int64_t>(7),
                              .last_login_at = row.find<Time>(8)});
  }
}

}  // namespace

Task<BulkLogoutFigures> BulkLogoutStore::count(sql::Database& database, const BulkLogoutRequest& request, Time now) {
  const Asked asked{.highest_rank = static_cast<int>(request.acting.rank),
                    .spared = request.spared(),
                    .ordered_at = now,
                    .now = now,
                    .criteria = request.criteria};
  const auto executor = co_await boost::asio::this_coro::executor;
  BulkLogoutFigures figures;
  UserId after;
  for (bool is_last = false; !is_last;) {
    const auto full = co_await database.read(kFindSlice, after);
    is_last = full.empty();
    const auto last = is_last ? UserId{kLastOfAll} : full.front().get<UserId>(0);
    auto reading = asked.with([&](const auto&... values) { return database.read(kCount, values...); }, after, last);
    const auto slice = co_await std::move(reading);
    add(figures, slice);
    after = last;
    co_await boost::asio::post(executor, use_task);  // whatever else this loop has to do
  }
  co_return figures;
}

Task<bool> BulkLogoutStore::insert(sql::Transaction& transaction, const BulkLogout& order) {
  const Recorded recorded{.criteria = order.criteria, .highest_role = std::string(name_of(order.highest_role))};
  const auto criteria = to_json(recorded);
  const auto rows =
      co_await transaction.execute(kInsert, order.id, criteria, order.reason, order.actor.text, order.spared,
                                   order.sessions_expected, order.resume_after, order.leased_until, order.created_at);
  co_return rows.affected > 0;
}

Task<std::optional<BulkLogout>> BulkLogoutStore::find(sql::Database& database, BulkLogoutId id) {
  const auto rows = co_await database.read(kFind, id);
  co_return rows.empty() ? std::nullopt : std::optional(read_order(rows.front()));
}

Task<std::vector<BulkLogout>> BulkLogoutStore::list(sql::Database& database, std::optional<BulkLogoutId> before,
                                                    std::int64_t limit) {
  const auto rows = co_await database.read(kList, before, limit);
  std::vector<BulkLogout> orders;
  orders.reserve(rows.size());
  for (const auto& row : rows) orders.push_back(read_order(row));
  co_return orders;
}

Task<std::optional<BulkLogout>> BulkLogoutStore::lease_next(sql::Database& database, Time now, Time until) {
  const auto free = co_await database.read(kFindFree, now);
  if (free.empty()) co_return std::nullopt;
  const auto id = free.front().get<BulkLogoutId>(0);
  const auto leased = co_await database.write(kLease, id, now, until);
  co_return leased.empty() ? std::nullopt : std::optional(read_order(leased.front()));
}

Task<BulkLogoutStore::Batch> BulkLogoutStore::find_batch(sql::Database& database, const BulkLogout& order, Time now) {
  const auto window = co_await database.read(kFindWindow, order.resume_after);
  const auto end = window.empty() ? SessionId{kLastOfAll} : window.front().get<SessionId>(0);
  const auto asked = asked_by(order, now);
  auto reading =
      asked.with([&](const auto&... values) { return database.read(kFindBatch, values...); }, order.resume_after, end);
  const auto full = co_await std::move(reading);
  Batch batch{.last = full.empty() ? end : full.front().get<SessionId>(0), .is_final = window.empty() && full.empty()};
  co_return batch;
}

Task<bool> BulkLogoutStore::hold(sql::Transaction& transaction, const BulkLogout& order, Time until) {
  const auto rows = co_await transaction.execute(kHold, order.id, order.leased_until, order.resume_after, until);
  co_return rows.affected > 0;
}

Task<std::int64_t> BulkLogoutStore::end_sessions(sql::Transaction& transaction, const BulkLogout& order, SessionId last,
                                                 Time now) {
  const auto asked = asked_by(order, now);
  auto ending =
      asked.with([&](const auto&... values) { return transaction.execute(kEnd, values...); }, order.resume_after, last);
  const auto rows = co_await std::move(ending);
  co_return rows.affected;
}

Task<void> BulkLogoutStore::advance(sql::Transaction& transaction, BulkLogoutId id, SessionId last,
                                    std::int64_t ended) {
  co_await transaction.execute(kAdvance, id, last, ended);
}

Task<bool> BulkLogoutStore::finish(sql::Transaction& transaction, const BulkLogout& order, Time now) {
  const auto rows = co_await transaction.execute(kFinish, order.id, order.leased_until, now);
  co_return rows.affected > 0;
}

Task<void> BulkLogoutStore::notify(sql::Transaction& transaction) { co_await transaction.execute(kNotify); }

}  // namespace safawinet
