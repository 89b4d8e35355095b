#include "sessions/revocation_pages.hpp"

#include <algorithm>
#include <utility>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "sessions/revocation_row.hpp"

namespace safawinet {
namespace {

// One statement is one snapshot: history, epoch and rows belong together. On the embedded database `seq` is the order
// of commits, since there is one writer, and the snapshots are of no use. On PostgreSQL numbers are committed in any
// order: what is read, in the order of its numbers, is what has become visible from one snapshot to another, and both
// stay the same until all of it is read. Of PostgreSQL a row may name a thousand sessions; of SQLite, one.
constexpr std::size_t kSqliteRowsAtOnce = 10'000;
constexpr std::size_t kPostgresqlRowsAtOnce = 200;
constexpr sql::Statement kBehind{
    "SELECT e.incarnation, '', '', e.epoch, NULL, "
    "coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'revocations'), 0), "
    "r.seq, r.scope, coalesce(r.sid, ''), r.user_id, r.token_version, r.epoch "
    "FROM session_epoch e LEFT JOIN revocations r ON r.seq > $1 AND $2 IS NOT NULL AND $3 IS NULL "
    "ORDER BY r.seq LIMIT 10000",
    "SELECT e.incarnation::text, left(pg_walfile_name(pg_current_wal_lsn()), 8), "
    "coalesce(pg_stat_get_bgwriter_stat_reset_time()::text, ''), e.epoch, pg_current_snapshot()::text, NULL::bigint, "
    "r.seq, r.scope, coalesce(array_to_string(r.sids, ','), ''), r.user_id, r.token_version, r.epoch "
    "FROM session_epoch e LEFT JOIN LATERAL ("
    "SELECT seq, scope, sids, user_id, token_version, epoch FROM revocations "
    "WHERE tx >= pg_snapshot_xmin($2::text::pg_snapshot) "
    "AND NOT pg_visible_in_snapshot(tx, $2::text::pg_snapshot) "
    "AND ($3::text IS NULL OR pg_visible_in_snapshot(tx, $3::text::pg_snapshot)) "
    "AND seq > $1::bigint "
    "ORDER BY seq LIMIT 200) r ON true "
    "ORDER BY r.seq"};

constexpr std::string_view kNothing = "1:1:";  // a snapshot that sees nothing

RevocationCursor::History history_of(const sql::Row& row) {
  std::string text;
  for (const std::size_t column : {0U, 1U, 2U}) text.append(row.get<std::string>(column)).append("\n");
  const auto digest = sha256(as_bytes(text));
  RevocationCursor::History history{};
  std::copy_n(digest.begin(), history.size(), history.begin());
  return history;
}

Revocation to_revocation(const sql::Row& row) {
  Revocation revocation{.scope = parse_scope(row.get<std::string>(7)),
                        .sessions = {},
                        .user = row.find<UserId>(9),
                        .token_version = row.find<std::int64_t>(10).value_or(0),
                        .epoch = row.find<std::int64_t>(11).value_or(0)};
  append_sessions(revocation.sessions, row.get<std::string>(8));
  return revocation;
}

bool is_of_sessions(const Revocation& revocation) { return revocation.scope == Revocation::Scope::session; }

// Takes the sessions of `next` into `last` if one item can say both.
bool join(Revocation& last, const Revocation& next) {
  const auto together = last.sessions.size() + next.sessions.size();
  if (!is_of_sessions(last) || !is_of_sessions(next) || together > kSessionsInRevocation) return false;
  last.sessions.insert(last.sessions.end(), next.sessions.begin(), next.sessions.end());
  return true;
}

}  // namespace

struct RevocationPages::Reading {
  sql::Rows rows;
  RevocationCursor::History history;
  std::int64_t epoch = 0;
  std::optional<DatabaseSnapshot> now;  // PostgreSQL
  std::uint64_t newest_seq = 0;         // SQLite

  [[nodiscard]] bool is_full() const { return rows.size() >= (now ? kPostgresqlRowsAtOnce : kSqliteRowsAtOnce); }
};

Task<RevocationPage> RevocationPages::read(std::optional<std::string> after, std::size_t limit) {
  const auto now = clock_.now();
  const RevocationCursor beginning{.history = {}, .opened_at = now, .seq = 0, .from = {}, .up_to = {}};
  auto cursor = after ? RevocationCursor::parse(*after, key_) : beginning;
  RevocationPage page;
  if (!cursor || cursor->opened_at + kRevocationsKept < now) {
    page.is_reset = true;
    cursor = beginning;
  }
  auto reading = co_await read_behind(*cursor);
  const bool is_continued = after && !page.is_reset;
  if (is_continued && !can_continue(*cursor, reading)) {
    page.is_reset = true;
    cursor = beginning;
    reading = co_await read_behind(*cursor);
  }
  if (!feed_.is_lease_held()) throw Unavailable("the revocation lease has run out");

  cursor->history = reading.history;
  const bool is_window_continued = cursor->up_to.has_value();
  if (!is_window_continued) {
    cursor->up_to = reading.now;
    cursor->opened_at = now;
  }
  page.epoch = reading.epoch;
  page.has_more = reading.is_full();
  std::size_t sessions = 0;
  for (const auto& row : reading.rows) {
    const auto seq = row.find<std::int64_t>(6);
    if (!seq) break;  // the one row of an answer without revocations
    auto revocation = to_revocation(row);
    const auto named = revocation.sessions.size();
    if (page.items.empty() || !join(page.items.back().revocation, revocation)) {
      if (page.items.size() == limit || sessions >= kSessionsInRevocationPage) {
        page.has_more = true;
        break;
      }
      if (!page.items.empty()) page.items.back().cursor = cursor->format(key_);
      page.items.push_back({.revocation = std::move(revocation), .cursor = {}});
    }
    sessions += named;
    cursor->seq = static_cast<std::uint64_t>(*seq);
  }
  if (!page.has_more && cursor->up_to) {  // all of the window is read: what comes next is behind it
    page.has_more = is_window_continued && cursor->up_to != reading.now;
    cursor->from = std::exchange(cursor->up_to, std::nullopt);
    cursor->seq = 0;
  }
  page.next = cursor->format(key_);
  if (!page.items.empty()) page.items.back().cursor = page.next;
  co_return page;
}

Task<RevocationPages::Reading> RevocationPages::read_behind(const RevocationCursor& cursor) {
  const auto from = cursor.from ? cursor.from->text() : std::string(kNothing);
  const auto up_to = cursor.up_to ? std::optional(cursor.up_to->text()) : std::nullopt;
  const auto seq = static_cast<std::int64_t>(cursor.seq);
  Reading reading;
  reading.rows = co_await database_.read(kBehind, seq, from, up_to);
  const auto& first = reading.rows.front();
  reading.history = history_of(first);
  reading.epoch = first.get<std::int64_t>(3);
  if (const auto snapshot = first.find<std::string>(4)) {
    reading.now = DatabaseSnapshot::parse(*snapshot);
    if (!reading.now) throw sql::BadColumn("no snapshot: " + *snapshot);
  }
  reading.newest_seq = static_cast<std::uint64_t>(first.find<std::int64_t>(5).value_or(0));
  co_return reading;
}

// Also refuses what lies ahead of the database, as in a copy that was put back without saying so.
bool RevocationPages::can_continue(const RevocationCursor& cursor, const Reading& reading) const {
  if (cursor.history != reading.history) return false;
  if (!reading.now) return cursor.seq <= reading.newest_seq;
  const auto is_past = [&reading](const auto& snapshot) { return !snapshot || snapshot->xmax <= reading.now->xmax; };
  return is_past(cursor.from) && is_past(cursor.up_to);
}

}  // namespace safawinet
