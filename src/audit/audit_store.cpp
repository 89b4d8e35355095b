#include "audit/audit_store.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <utility>

namespace safawinet {
namespace {

using sql::Statement;

#define ENTRY_COLUMNS                                                                                         \
  "e.seq, e.id, e.at, e.action, e.outcome, e.actor, e.target, e.reason, e.ip_address, e.request_id, e.salt, " \
  "e.personal, e.mac"
#define LINKED_COLUMNS                                                                    \
  "c.position, c.entry_seq, c.entry_id, c.entry_mac, c.linked_at, c.link, " ENTRY_COLUMNS \
  ", "                                                                                    \
  "x.erased_at, x.mac, x.entry_id IS NOT NULL"

constexpr Statement kTryToLock{"SELECT 1",
                               "SELECT pg_try_advisory_xact_lock(hashtextextended('safawinet.audit-chain', 0))"};
constexpr Statement kLock{"SELECT 1",
                          "SELECT count(*) FROM pg_advisory_xact_lock(hashtextextended('safawinet.audit-chain', 0))"};
constexpr Statement kHasWaiting{"SELECT seq FROM audit_queue LIMIT 1"};
constexpr Statement kWaiting{
    "SELECT q.seq, CAST(q.entry_id AS TEXT), CAST(q.entry_mac AS TEXT), EXISTS (SELECT 1 FROM audit_chain c WHERE "
    "c.entry_id = q.entry_id) "
    "FROM audit_queue q ORDER BY q.seq LIMIT $1"};
// Lists come as JSON: a statement has no arrays on both engines.
constexpr Statement kAppend{
    "INSERT INTO audit_chain (position, entry_seq, entry_id, entry_mac, link, linked_at) "
    "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'), "
    "json_extract(value, '$[3]'), json_extract(value, '$[4]'), $2 FROM json_each($1)",
    "INSERT INTO audit_chain (position, entry_seq, entry_id, entry_mac, link, linked_at) "
    "SELECT (value->>0)::bigint, (value->>1)::bigint, (value->>2)::uuid, value->>3, value->>4, $2::timestamptz "
    "FROM jsonb_array_elements($1::text::jsonb)"};
constexpr Statement kLeaveQueue{
    "DELETE FROM audit_queue WHERE seq IN (SELECT value FROM json_each($1))",
    "DELETE FROM audit_queue WHERE seq IN (SELECT value::bigint FROM jsonb_array_elements_text($1::text::jsonb))"};
constexpr Statement kNewest{"SELECT position, link FROM audit_chain ORDER BY position DESC LIMIT 1"};
constexpr Statement kAnchor{"SELECT position, link, mac FROM audit_anchor"};
constexpr Statement kChainRow{
    "SELECT position, entry_seq, entry_id, entry_mac, linked_at, link FROM audit_chain WHERE position = $1"};
// Each page finds its entries by their number, so in the order in which they lie, and whatever the planner believes of
// tables that grow all the time; where nothing was erased, it does not look for that. (SQLite: + keeps it from looking
// them up by id, which costs twice as much.)
constexpr Statement kLinked{
    "SELECT " LINKED_COLUMNS
    " FROM audit_chain c LEFT JOIN audit_log e ON e.seq = c.entry_seq AND +e.id = c.entry_id "
    "LEFT JOIN audit_erasures x ON x.entry_id = c.entry_id WHERE c.position > $1 ORDER BY c.position LIMIT $2",
    "SELECT " LINKED_COLUMNS
    " FROM (SELECT * FROM audit_chain WHERE position > $1 ORDER BY position LIMIT $2) c "
    "LEFT JOIN LATERAL (SELECT * FROM audit_log WHERE seq = c.entry_seq AND id = c.entry_id LIMIT 1) e ON true "
    "LEFT JOIN LATERAL (SELECT * FROM audit_erasures WHERE entry_id = c.entry_id "
    "AND (SELECT true FROM audit_erasures LIMIT 1) LIMIT 1) x ON true "
    "ORDER BY c.position"};
constexpr Statement kSeqAt{"SELECT entry_seq FROM audit_chain WHERE position <= $1 ORDER BY position DESC LIMIT 1"};
constexpr Statement kNewestSeq{"SELECT coalesce(max(seq), 0) FROM audit_log"};
constexpr Statement kEndOfEntries{
    "SELECT max(seq) FROM "
    "(SELECT seq FROM audit_log WHERE seq >= $1 AND seq <= $2 ORDER BY seq LIMIT 100000) AS page"};
constexpr Statement kUnlinked{
    "SELECT CAST(e.id AS TEXT) FROM audit_log e WHERE e.seq >= $1 AND e.seq <= $2 "
    "AND NOT EXISTS (SELECT 1 FROM audit_chain c WHERE c.entry_id = e.id AND c.position > $5) "
    "AND (e.at < $3 OR NOT EXISTS (SELECT 1 FROM audit_queue q WHERE q.seq = e.seq)) ORDER BY e.seq LIMIT $4"};
constexpr Statement kBelowBeginning{
    "SELECT position FROM audit_chain WHERE position <= $1 ORDER BY position DESC LIMIT $2"};
constexpr Statement kList{
    "SELECT " ENTRY_COLUMNS
    " FROM audit_log e WHERE ($1 IS NULL OR e.actor = $1) AND ($2 IS NULL OR e.target = $2) "
    "AND ($3 IS NULL OR e.action = $3) AND ($4 IS NULL OR e.outcome = $4) AND ($5 IS NULL OR e.at >= $5) "
    "AND ($6 IS NULL OR e.at < $6) AND ($7 IS NULL OR e.id < $7) ORDER BY e.id DESC LIMIT $8",
    "SELECT " ENTRY_COLUMNS
    " FROM audit_log e WHERE ($1::text IS NULL OR e.actor = $1) AND ($2::text IS NULL OR e.target = $2) "
    "AND ($3::text IS NULL OR e.action = $3) AND ($4::text IS NULL OR e.outcome = $4) "
    "AND ($5::timestamptz IS NULL OR e.at >= $5) AND ($6::timestamptz IS NULL OR e.at < $6) "
    "AND ($7::uuid IS NULL OR e.id < $7) ORDER BY e.id DESC LIMIT $8"};
// By actor, by target, as one of the user's API keys, and as the address that was invited: that of the account while
// there is one, and the one that is given.
constexpr Statement kEntriesOf{
    "SELECT " ENTRY_COLUMNS
    " FROM audit_log e WHERE (e.actor = $1 OR e.target = $1 OR e.target = 'email:' || lower($4) "
    "OR e.target = (SELECT 'email:' || lower(u.email) FROM users u WHERE u.id = $2) "
    "OR e.actor IN (SELECT 'api-key:' || k.id FROM api_keys k WHERE k.owner = $2)) "
    "AND e.action <> 'audit.erased' ORDER BY e.seq LIMIT $3",
    "SELECT " ENTRY_COLUMNS
    " FROM audit_log e WHERE (e.actor = $1 OR e.target = $1 OR e.target = 'email:' || lower($4::text) "
    "OR e.target = (SELECT 'email:' || lower(u.email::text) FROM users u WHERE u.id = $2) "
    "OR e.actor IN (SELECT 'api-key:' || k.id::text FROM api_keys k WHERE k.owner = $2)) "
    "AND e.action <> 'audit.erased' ORDER BY e.seq LIMIT $3"};
constexpr Statement kInsertErasures{
    "INSERT INTO audit_erasures (entry_id, erased_at, mac) "
    "SELECT json_extract(value, '$[0]'), $2, json_extract(value, '$[1]') FROM json_each($1) WHERE true "
    "ON CONFLICT (entry_id) DO NOTHING",
    "INSERT INTO audit_erasures (entry_id, erased_at, mac) "
    "SELECT (value->>0)::uuid, $2::timestamptz, value->>1 FROM jsonb_array_elements($1::text::jsonb) "
    "ON CONFLICT (entry_id) DO NOTHING"};
constexpr Statement kBlank{
    "UPDATE audit_log SET actor = 'erased', target = 'erased', reason = '', ip_address = '', salt = NULL "
    "WHERE id IN (SELECT value FROM json_each($1))",
    "SELECT erase_audit_entries(ARRAY(SELECT value::uuid FROM jsonb_array_elements_text($1::text::jsonb)))"};
// In this order, each in the same transaction.
constexpr Statement kPurgeErasures{
    "DELETE FROM audit_erasures WHERE entry_id IN (SELECT entry_id FROM audit_chain WHERE position <= $1)",
    "SELECT $1::bigint"};
constexpr Statement kPurgeEntries{
    "DELETE FROM audit_log WHERE id IN (SELECT entry_id FROM audit_chain WHERE position <= $1)", "SELECT $1::bigint"};
constexpr Statement kPurgeChain{"DELETE FROM audit_chain WHERE position <= $1", "SELECT $1::bigint"};
// PostgreSQL does all four here: the server may not delete.
constexpr Statement kSetAnchor{
    "INSERT INTO audit_anchor (position, link, mac) VALUES ($1, $2, $3) "
    "ON CONFLICT (one) DO UPDATE SET position = excluded.position, link = excluded.link, mac = excluded.mac",
    "SELECT purge_audit_log($1, $2, $3)"};

// Takes the texts out of the row: verifying reads millions of them.
AuditRow entry_from(sql::Row& row, std::size_t first) {
  return {.seq = row.get<std::int64_t>(first),
          .id = row.get<AuditEntryId>(first + 1),
          .at = row.get<Time>(first + 2),
          .action = row.take_text(first + 3),
          .outcome = row.take_text(first + 4),
          .actor = row.take_text(first + 5),
          .target = row.take_text(first + 6),
          .reason = row.take_text(first + 7),
          .ip_address = row.take_text(first + 8),
          .request_id = row.take_text(first + 9),
          .salt = row.find<std::string>(first + 10),
          .personal = row.take_text(first + 11),
          .mac = row.take_text(first + 12)};
}

constexpr std::size_t kEntryColumns = 13;

ChainRow chain_row_from(sql::Row& row) {
  return {.position = row.get<std::int64_t>(0),
          .entry_seq = row.get<std::int64_t>(1),
          .entry_id = row.take_text(2),
          .entry_mac = row.take_text(3),
          .linked_at = row.get<Time>(4),
          .link = row.take_text(5)};
}

template <class Read>
auto if_readable(const Read& read) -> std::optional<decltype(read())> {
  try {
    return read();
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

LinkedEntry linked_from(sql::Row& row) {
  constexpr std::size_t kEntry = 6;
  constexpr std::size_t kErasure = kEntry + kEntryColumns;
  LinkedEntry linked{.position = row.get<std::int64_t>(0), .chain = {}, .entry = {}, .erasure = {}};
  linked.chain = if_readable([&row] { return chain_row_from(row); });
  linked.has_entry = row.find<std::int64_t>(kEntry).has_value();
  if (linked.has_entry) linked.entry = if_readable([&row] { return entry_from(row, kEntry); });
  linked.has_erasure = row.find<bool>(kErasure + 2).value_or(false);
  if (!linked.has_erasure) return linked;
  linked.erasure = if_readable(
      [&row] { return ErasureRow{.erased_at = row.get<Time>(kErasure), .mac = row.get<std::string>(kErasure + 1)}; });
  return linked;
}

std::optional<ChainPoint> point_from(const sql::Rows& rows) {
  if (rows.empty()) return std::nullopt;
  return ChainPoint{.position = rows.front().get<std::int64_t>(0), .link = rows.front().get<std::string>(1)};
}

std::optional<ChainAnchor> anchor_from(const sql::Rows& rows) {
  auto point = point_from(rows);
  if (!point) return std::nullopt;
  return ChainAnchor{.point = std::move(*point), .mac = rows.front().get<std::string>(2)};
}

std::string ids_of(const std::vector<AuditRow>& entries) {
  boost::json::array ids;
  for (const auto& entry : entries) ids.emplace_back(entry.id.text());
  return boost::json::serialize(ids);
}

}  // namespace

Task<bool> AuditStore::try_to_lock_chain(sql::Transaction& transaction) {
  const auto rows = co_await transaction.execute(kTryToLock);
  co_return rows.front().get<bool>(0);
}

Task<void> AuditStore::lock_chain(sql::Transaction& transaction) { co_await transaction.execute(kLock); }

Task<bool> AuditStore::has_waiting(sql::Database& database) {
  const auto rows = co_await database.read(kHasWaiting);
  co_return !rows.empty();
}

Task<std::vector<WaitingEntry>> AuditStore::waiting(sql::Transaction& transaction) {
  const auto rows = co_await transaction.execute(kWaiting, kLinkedAtOnce);
  std::vector<WaitingEntry> entries;
  entries.reserve(rows.size());
  for (const auto& row : rows) {
    entries.push_back({.seq = row.get<std::int64_t>(0),
                       .id = row.get<std::string>(1),
                       .mac = row.get<std::string>(2),
                       .is_linked = row.get<bool>(3)});
  }
  co_return entries;
}

Task<void> AuditStore::append(sql::Transaction& transaction, const std::vector<ChainRow>& rows) {
  if (rows.empty()) co_return;
  boost::json::array list;
  for (const auto& row : rows) {
    list.push_back(boost::json::array{row.position, row.entry_seq, row.entry_id, row.entry_mac, row.link});
  }
  const auto text = boost::json::serialize(list);
  co_await transaction.execute(kAppend, text, rows.front().linked_at);
}

Task<void> AuditStore::leave_queue(sql::Transaction& transaction, const std::vector<WaitingEntry>& entries) {
  boost::json::array list;
  for (const auto& entry : entries) list.emplace_back(entry.seq);
  const auto text = boost::json::serialize(list);
  co_await transaction.execute(kLeaveQueue, text);
}

Task<std::optional<ChainPoint>> AuditStore::newest(sql::Transaction& transaction) {
  const auto rows = co_await transaction.execute(kNewest);
  co_return point_from(rows);
}

Task<std::optional<ChainPoint>> AuditStore::newest(sql::Database& database) {
  const auto rows = co_await database.read(kNewest);
  co_return point_from(rows);
}

Task<std::optional<ChainAnchor>> AuditStore::anchor(sql::Transaction& transaction) {
  const auto rows = co_await transaction.execute(kAnchor);
  co_return anchor_from(rows);
}

Task<std::optional<ChainAnchor>> AuditStore::anchor(sql::Database& database) {
  const auto rows = co_await database.read(kAnchor);
  co_return anchor_from(rows);
}

Task<std::optional<ChainRow>> AuditStore::chain_row(sql::Database& database, std::int64_t position) {
  auto rows = co_await database.read(kChainRow, position);
  if (rows.empty()) co_return std::nullopt;
  co_return chain_row_from(rows.rows.front());
}

Task<std::vector<LinkedEntry>> AuditStore::linked(sql::Database& database, std::int64_t after, std::int64_t limit) {
  auto rows = co_await database.read(kLinked, after, limit);
  std::vector<LinkedEntry> page;
  page.reserve(rows.size());
  for (auto& row : rows.rows) page.push_back(linked_from(row));
  co_return page;
}

Task<std::optional<std::int64_t>> AuditStore::seq_at(sql::Database& database, std::int64_t position) {
  const auto rows = co_await database.read(kSeqAt, position);
  if (rows.empty()) co_return std::nullopt;
  co_return rows.front().get<std::int64_t>(0);
}

Task<std::int64_t> AuditStore::newest_seq(sql::Database& database) {
  const auto rows = co_await database.read(kNewestSeq);
  co_return rows.front().get<std::int64_t>(0);
}

Task<std::optional<std::int64_t>> AuditStore::end_of_entries(sql::Database& database, SeqRange range) {
  const auto rows = co_await database.read(kEndOfEntries, range.first, range.last);
  co_return rows.front().find<std::int64_t>(0);
}

Task<std::vector<std::int64_t>> AuditStore::positions_up_to(sql::Database& database, std::int64_t position,
                                                            std::int64_t limit) {
  const auto rows = co_await database.read(kBelowBeginning, position, limit);
  std::vector<std::int64_t> positions;
  for (const auto& row : rows) positions.push_back(row.get<std::int64_t>(0));
  co_return positions;
}

Task<std::vector<std::string>> AuditStore::unlinked(sql::Database& database, SeqRange range,
                                                    std::int64_t chain_begins_behind, Time waiting_since,
                                                    std::int64_t limit) {
  const auto rows =
      co_await database.read(kUnlinked, range.first, range.last, waiting_since, limit, chain_begins_behind);
  std::vector<std::string> ids;
  for (const auto& row : rows) ids.push_back(row.get<std::string>(0));
  co_return ids;
}

Task<std::vector<AuditRow>> AuditStore::list(sql::Database& database, const AuditFilter& filter,
                                             std::optional<AuditEntryId> before, std::int64_t limit) {
  const auto count = static_cast<std::size_t>(limit);
  std::vector<AuditRow> entries;
  std::optional<std::string> behind;
  if (before) behind = before->text();
  bool has_more = true;
  while (has_more && entries.size() < count) {
    auto rows = co_await database.read(kList, filter.actor, filter.target, filter.action, filter.outcome, filter.since,
                                       filter.until, behind, limit);
    for (auto& row : rows.rows) {
      auto entry = if_readable([&row] { return entry_from(row, 0); });
      if (entry && entries.size() < count) entries.push_back(std::move(*entry));
    }
    has_more = rows.size() == count;
    if (has_more) behind = if_readable([&rows] { return rows.rows.back().get<std::string>(1); });
    if (!behind) has_more = false;
  }
  co_return entries;
}

Task<std::vector<AuditRow>> AuditStore::entries_of(sql::Transaction& transaction, UserId user,
                                                   const std::optional<std::string>& email) {
  const auto name = "user:" + user.text();
  auto rows = co_await transaction.execute(kEntriesOf, name, user, kErasedAtOnce, email);
  std::vector<AuditRow> entries;
  entries.reserve(rows.size());
  for (auto& row : rows.rows) {
    auto entry = if_readable([&row] { return entry_from(row, 0); });
    if (entry) entries.push_back(std::move(*entry));
  }
  co_return entries;
}

Task<void> AuditStore::insert_erasures(sql::Transaction& transaction, const std::vector<AuditRow>& entries,
                                       const std::vector<std::string>& macs, Time erased_at) {
  boost::json::array list;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    list.push_back(boost::json::array{entries[i].id.text(), macs.at(i)});
  }
  const auto text = boost::json::serialize(list);
  co_await transaction.execute(kInsertErasures, text, erased_at);
}

Task<void> AuditStore::blank(sql::Transaction& transaction, const std::vector<AuditRow>& entries) {
  const auto ids = ids_of(entries);
  co_await transaction.execute(kBlank, ids);
}

Task<void> AuditStore::purge(sql::Transaction& transaction, const ChainAnchor& anchor) {
  const auto& point = anchor.point;
  co_await transaction.execute(kPurgeErasures, point.position);
  co_await transaction.execute(kPurgeEntries, point.position);
  co_await transaction.execute(kPurgeChain, point.position);
  co_await transaction.execute(kSetAnchor, point.position, point.link, anchor.mac);
}

}  // namespace safawinet
