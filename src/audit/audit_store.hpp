// What the database holds of the audit log and its chain. SQL, nothing else.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "audit/audit_entry.hpp"
#include "base/clock.hpp"
#include "base/task.hpp"
#include "sql/database.hpp"

namespace safawinet {

// A place in the chain. Position 0 is before its first entry; its link is empty.
struct ChainPoint {
  std::int64_t position = 0;
  std::string link;
};

struct ChainAnchor {
  ChainPoint point;
  std::string mac;
};

// Ids are texts where other hands may have put anything into the column.
struct WaitingEntry {
  std::int64_t seq = 0;
  std::string id;
  std::string mac;
  bool is_linked = false;  // already in the chain: put into the queue once more, by other hands
};

struct ChainRow {
  std::int64_t position = 0;
  std::int64_t entry_seq = 0;
  std::string entry_id;
  std::string entry_mac;
  Time linked_at;
  std::string link;
};

struct ErasureRow {
  Time erased_at;
  std::string mac;
};

// A row of the chain with what belongs to it. What is there and is none could not be read: its columns hold what we
// never write.
struct LinkedEntry {
  std::int64_t position = 0;
  std::optional<ChainRow> chain;
  bool has_entry = false;  // else it is gone
  std::optional<AuditRow> entry;
  bool has_erasure = false;
  std::optional<ErasureRow> erasure;
};

struct AuditFilter {
  std::optional<std::string> actor;
  std::optional<std::string> target;
  std::optional<std::string> action;
  std::optional<std::string> outcome;
  std::optional<Time> since;
  std::optional<Time> until;  // exclusive
};

// Of entries, by their number; both ends are in it.
struct SeqRange {
  std::int64_t first = std::numeric_limits<std::int64_t>::min();
  std::int64_t last = std::numeric_limits<std::int64_t>::max();
};

class AuditStore {
 public:
  static constexpr std::int64_t kLinkedAtOnce = 1'000;
  static constexpr std::int64_t kReadAtOnce = 1'000;
  static constexpr std::int64_t kErasedAtOnce = 1'000;

  // One at a time writes the chain, on whatever node; until the transaction ends. False: somebody else is at it.
  Task<bool> try_to_lock_chain(sql::Transaction& transaction);
  Task<void> lock_chain(sql::Transaction& transaction);  // waits

  Task<bool> has_waiting(sql::Database& database);
  // In order of `seq`, kLinkedAtOnce of them at the most.
  Task<std::vector<WaitingEntry>> waiting(sql::Transaction& transaction);
  Task<void> append(sql::Transaction& transaction, const std::vector<ChainRow>& rows);
  Task<void> leave_queue(sql::Transaction& transaction, const std::vector<WaitingEntry>& entries);

  // The newest row of the chain; none if there is no row.
  Task<std::optional<ChainPoint>> newest(sql::Transaction& transaction);
  Task<std::optional<ChainPoint>> newest(sql::Database& database);
  Task<std::optional<ChainAnchor>> anchor(sql::Transaction& transaction);
  Task<std::optional<ChainAnchor>> anchor(sql::Database& database);
  Task<std::optional<ChainRow>> chain_row(sql::Database& database, std::int64_t position);
  // In order of position, those behind `after`.
  Task<std::vector<LinkedEntry>> linked(sql::Database& database, std::int64_t after, std::int64_t limit);

  // The `seq` of the entry at `position`, or of the last one before it; none if there is none.
  Task<std::optional<std::int64_t>> seq_at(sql::Database& database, std::int64_t position);
  Task<std::int64_t> newest_seq(sql::Database& database);
  // The `seq` of the last one of the first 100,000 entries of the range; none if there are none.
  Task<std::optional<std::int64_t>> end_of_entries(sql::Database& database, SeqRange range);
  // Entries of the range that are neither in the chain behind position `chain_begins_behind` nor in the queue, or have
  // been in the queue since before `waiting_since`.
  Task<std::vector<std::string>> unlinked(sql::Database& database, SeqRange range, std::int64_t chain_begins_behind,
                                          Time waiting_since, std::int64_t limit);
  // The last positions of the chain up to `position`.
  Task<std::vector<std::int64_t>> positions_up_to(sql::Database& database, std::int64_t position, std::int64_t limit);

  // Newest first, those older than `before`; without those that other hands have made unreadable, which `linked` gives.
  Task<std::vector<AuditRow>> list(sql::Database& database, const AuditFilter& filter,
                                   std::optional<AuditEntryId> before, std::int64_t limit);

  // Entries that name the user, one of the user's API keys, the address that the account has or this one, and are
  // neither erased nor themselves the record of an erasure; kErasedAtOnce at the most.
  Task<std::vector<AuditRow>> entries_of(sql::Transaction& transaction, UserId user,
                                         const std::optional<std::string>& email);
  Task<void> insert_erasures(sql::Transaction& transaction, const std::vector<AuditRow>& entries,
                             const std::vector<std::string>& macs, Time erased_at);
  // What insert_erasures was called for.
  Task<void> blank(sql::Transaction& transaction, const std::vector<AuditRow>& entries);

  // Takes the chain up to `anchor` away, with its entries and erasures.
  Task<void> purge(sql::Transaction& transaction, const ChainAnchor& anchor);
};

}  // namespace safawinet
