#include "audit/audit_chain.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include <algorithm>
#include <limits>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/pause.hpp"

namespace safawinet {

using namespace boost::asio::experimental::awaitable_operators;  // NOLINT(google-build-using-namespace)

namespace {

void append(std::vector<AuditFinding>& to, std::vector<AuditFinding> from) {
  for (auto& finding : from) to.push_back(std::move(finding));
}

AuditEntry record_of(const AuditErasure& erasure, std::size_t entries) {
  return {.action = "audit.erased",
          .outcome = AuditOutcome::done,
          .actor = erasure.actor,
          .target = target_of(erasure.user),
          .reason = erasure.reason + " (entries: " + std::to_string(entries) + ")",
          .origin = erasure.origin};
}

AuditEntry record_of_purge(std::int64_t first, std::int64_t last) {
  return {.action = "audit.purged",
          .outcome = AuditOutcome::done,
          .actor = Actor::system(),
          .target = "audit",
          .reason = "kept long enough: positions " + std::to_string(first) + " to " + std::to_string(last),
          .origin = {}};
}

// At the most the greatest number there is: they may be anything that somebody wrote by hand.
std::int64_t plus(std::int64_t number, std::int64_t more) {
  return std::min(number, std::numeric_limits<std::int64_t>::max() - more) + more;
}

// Rows of the chain that follow each other, in pages as they were read.
struct Stretch {
  std::vector<std::vector<LinkedEntry>> pages;
  bool is_last = false;
  std::int64_t ends_at = 0;

  [[nodiscard]] std::int64_t rows() const {
    std::int64_t rows = 0;
    for (const auto& page : pages) rows += static_cast<std::int64_t>(page.size());
    return rows;
  }
  // False: it does not follow, or nothing can.
  bool append(std::int64_t behind, std::vector<LinkedEntry> page) {
    if (is_last || behind != ends_at) return false;
    is_last = static_cast<std::int64_t>(page.size()) < AuditStore::kReadAtOnce;
    if (!page.empty()) ends_at = page.back().position;
    pages.push_back(std::move(page));
    return true;
  }
};

// The rows behind this position, several pages at once, so that the database makes the next one while we take one
// apart. Where a page ends is known only when it is there: it is taken to have no gap, and what follows a gap is left
// out.
Task<Stretch> read_stretch(AuditStore& store, sql::Database& database, std::int64_t behind) {
  constexpr auto kPage = AuditStore::kReadAtOnce;
  auto first = store.linked(database, behind, kPage);
  auto second = store.linked(database, plus(behind, kPage), kPage);
  auto third = store.linked(database, plus(behind, 2 * kPage), kPage);
  auto fourth = store.linked(database, plus(behind, 3 * kPage), kPage);
  auto [one, two, three, four] =
      co_await (std::move(first) && std::move(second) && std::move(third) && std::move(fourth));
  Stretch stretch{.pages = {}, .is_last = false, .ends_at = behind};
  for (auto* const page : {&one, &two, &three, &four}) {
    if (!stretch.append(behind, std::move(*page))) break;
    behind = plus(behind, kPage);
  }
  co_return stretch;
}

// Begins after whatever else waits for this loop.
Task<void> look_at(ChainWalk& walk, const Stretch& stretch) {
  co_await pause_for(std::chrono::milliseconds(0));
  for (const auto& page : stretch.pages) {
    for (const auto& row : page) {
      if (walk.findings().size() >= kAuditFindingsLimit) co_return;
      walk.look_at(row);
    }
  }
}

}  // namespace

Task<std::int64_t> AuditChain::link_waiting(WhenBusy when_busy) {
  auto body = [this, when_busy](sql::Transaction& transaction) -> Task<Result<std::int64_t>> {
    if (when_busy == WhenBusy::wait) {
      co_await store_.lock_chain(transaction);
    } else {
      const bool is_locked = co_await store_.try_to_lock_chain(transaction);
      if (!is_locked) co_return std::int64_t{0};
    }
    const auto waiting = co_await store_.waiting(transaction);
    if (waiting.empty()) co_return std::int64_t{0};
    auto end = co_await store_.newest(transaction);
    if (!end) {
      const auto anchor = co_await store_.anchor(transaction);
      end = anchor ? anchor->point : ChainPoint();
    }
    const auto now = parts_.clock.now();
    std::set<std::string> ids;
    std::vector<ChainRow> rows;
    for (const auto& entry : waiting) {
      if (entry.is_linked || !ids.insert(entry.id).second) continue;
      if (end->position == std::numeric_limits<std::int64_t>::max()) {
        throw std::runtime_error("the audit chain has come to the greatest position that there is: nothing can follow");
      }
      ChainRow row{.position = end->position + 1,
                   .entry_seq = entry.seq,
                   .entry_id = entry.id,
                   .entry_mac = entry.mac,
                   .linked_at = now,
                   .link = {}};
      row.link = link_of(parts_.keys.chain, end->link, row);
      *end = ChainPoint{.position = row.position, .link = row.link};
      rows.push_back(std::move(row));
    }
    co_await store_.append(transaction, rows);
    co_await store_.leave_queue(transaction, waiting);
    co_return static_cast<std::int64_t>(waiting.size());
  };
  const bool has_waiting = co_await store_.has_waiting(parts_.database);
  if (!has_waiting) co_return 0;
  const auto linked = co_await parts_.database.transact(std::move(body));
  co_return linked.value();
}

Task<ChainPoint> AuditChain::head() {
  auto newest = co_await store_.newest(parts_.database);
  if (newest) co_return std::move(*newest);
  auto anchor = co_await store_.anchor(parts_.database);
  if (anchor) co_return std::move(anchor->point);
  co_return ChainPoint{};
}

Task<bool> AuditChain::still_has(ChainPoint point) {
  const auto row = co_await store_.chain_row(parts_.database, point.position);
  if (row) co_return row->link == point.link;
  const auto anchor = co_await store_.anchor(parts_.database);
  co_return anchor&& point.position <= anchor->point.position;
}

Task<AuditVerification> AuditChain::verify(std::optional<std::int64_t> from, std::vector<AuditCheckpoint> checkpoints) {
  auto verifying = verify_here(from, std::move(checkpoints));
  co_return co_await boost::asio::co_spawn(parts_.slow_loop, std::move(verifying), use_task);
}

Task<AuditVerification> AuditChain::verify_here(std::optional<std::int64_t> from,
                                                std::vector<AuditCheckpoint> checkpoints) {
  AuditVerification verified;
  co_await link_all();
  auto start = co_await find_start(from, verified.findings);
  const auto first_seq = co_await store_.seq_at(parts_.database, start.position);
  verified.from = start.position + 1;
  ChainWalk walk(parts_.keys, start.position, std::move(start.link));
  auto stretch = co_await read_stretch(store_, parts_.database, walk.position());
  for (std::int64_t rows = stretch.rows();; rows += stretch.rows()) {
    Stretch next;
    const bool has_next = !stretch.is_last && rows < kVerifiedAtOnce;
    if (has_next) {
      auto reading = read_stretch(store_, parts_.database, stretch.ends_at);
      auto looking = look_at(walk, stretch);  // meanwhile
      next = co_await (std::move(reading) && std::move(looking));
    } else {
      co_await look_at(walk, stretch);
    }
    if (walk.findings().size() >= kAuditFindingsLimit) break;
    verified.is_complete = stretch.is_last;
    if (!has_next) break;
    stretch = std::move(next);
  }
  append(verified.findings, std::move(walk.findings()));
  verified.verified_up_to = walk.position();
  verified.rows = walk.rows();
  verified.head = co_await head();
  SeqRange range;  // the first rows also answer for whatever was numbered below them, the last for what is above
  const auto last_seq = co_await store_.seq_at(parts_.database, walk.position());
  if (from && first_seq) range.first = plus(*first_seq, 1);
  range.last = last_seq.value_or(range.first);
  if (verified.is_complete) range.last = co_await store_.newest_seq(parts_.database);
  const auto anchor = co_await store_.anchor(parts_.database);
  const auto begins_behind = anchor ? anchor->point.position : 0;
  if (!from) co_await find_below_beginning(begins_behind, verified.findings);
  auto unlinked = co_await find_unlinked(range, begins_behind);
  append(verified.findings, std::move(unlinked));
  if (verified.is_complete) co_await compare(checkpoints, verified.head, verified.findings);
  co_return verified;
}

// Also where no server runs beside us. What cannot be linked is verified as it is.
Task<void> AuditChain::link_all() {
  std::int64_t linked = AuditStore::kLinkedAtOnce;
  try {
    while (linked >= AuditStore::kLinkedAtOnce) linked = co_await link_waiting(WhenBusy::wait);
  } catch (const std::exception&) {
    linked = 0;
  }
}

// Behind which position to begin. A beginning in the middle takes the link there as it is.
Task<AuditChain::End> AuditChain::find_start(std::optional<std::int64_t> from, std::vector<AuditFinding>& findings) {
  const auto anchor = co_await store_.anchor(parts_.database);
  End start{.position = 0, .link = std::string()};
  if (anchor) {
    start = End{.position = anchor->point.position, .link = anchor->point.link};
    if (anchor_mac(parts_.keys.chain, anchor->point) != anchor->mac) {
      findings.push_back({.kind = "anchor-forged",
                          .position = anchor->point.position,
                          .entry_id = {},
                          .detail = "where the chain begins was changed by other hands"});
    }
  }
  if (!from || *from <= start.position + 1) co_return start;
  const auto row = co_await store_.chain_row(parts_.database, *from - 1);
  End later{.position = *from - 1, .link = {}};
  if (row) later.link = row->link;
  co_return later;
}

// A limit of their own: however much is wrong with the chain, no entry beside it is passed over in silence.
Task<std::vector<AuditFinding>> AuditChain::find_unlinked(SeqRange range, std::int64_t chain_begins_behind) {
  const auto waiting_since = parts_.clock.now() - kLinkedWithin;
  std::vector<AuditFinding> findings;
  while (findings.size() < kAuditFindingsLimit) {
    const auto end = co_await store_.end_of_entries(parts_.database, range);
    if (!end) co_return findings;
    const SeqRange page{.first = range.first, .last = *end};
    const auto room = static_cast<std::int64_t>(kAuditFindingsLimit - findings.size());
    const auto ids = co_await store_.unlinked(parts_.database, page, chain_begins_behind, waiting_since, room);
    for (const auto& id : ids) {
      findings.push_back({.kind = "entry-not-linked",
                          .position = {},
                          .entry_id = id,
                          .detail = "the entry is in the log and not in the chain"});
    }
    if (*end == range.last) co_return findings;
    range.first = plus(*end, 1);
    co_await pause_for(std::chrono::milliseconds(0));
  }
  findings.back().detail += ", and there may be more: only the first are named";
  co_return findings;
}

// Rows that retention took away, or that there never were: an entry that has one would pass for linked.
Task<void> AuditChain::find_below_beginning(std::int64_t chain_begins_behind, std::vector<AuditFinding>& findings) {
  constexpr std::int64_t kAtMost = 10;
  const auto positions = co_await store_.positions_up_to(parts_.database, chain_begins_behind, kAtMost);
  for (const auto position : positions) {
    findings.push_back({.kind = "link-wrong",
                        .position = position,
                        .entry_id = {},
                        .detail = "a row of the chain stands before the position at which it begins"});
  }
}

// One finding says enough: of what was cut off, the newest checkpoint; of what was rewritten, the oldest.
Task<void> AuditChain::compare(const std::vector<AuditCheckpoint>& checkpoints, const ChainPoint& head,
                               std::vector<AuditFinding>& findings) {
  std::optional<AuditFinding> cut;
  std::optional<AuditFinding> rewritten;
  for (const auto& checkpoint : checkpoints) {
    const auto& point = checkpoint.point;
    AuditFinding finding{.kind = {}, .position = point.position, .entry_id = {}, .detail = {}};
    const auto at = to_rfc3339(checkpoint.at);
    if (!parts_.checkpoint_key.verify(checkpoint)) {
      finding.kind = "checkpoint-forged";
      finding.detail = "the checkpoint was not signed with our key, or was changed";
      findings.push_back(std::move(finding));
      continue;
    }
    if (point.position > head.position) {
      finding.kind = "chain-cut";
      finding.detail = "the chain reached this position at " + at + ", and ends before it now";
      if (!cut || *cut->position < point.position) cut = std::move(finding);
      continue;
    }
    const auto row = co_await store_.chain_row(parts_.database, point.position);
    if (!row || row->link == point.link) continue;  // a row that is missing is found by walking
    finding.kind = "chain-rewritten";
    finding.detail = "the chain had another link at this position at " + at;
    if (!rewritten || *rewritten->position > point.position) rewritten = std::move(finding);
  }
  if (cut) findings.push_back(std::move(*cut));
  if (rewritten) findings.push_back(std::move(*rewritten));
}

Task<std::vector<LinkedEntry>> AuditChain::read(std::int64_t after, std::int64_t limit) {
  auto reading = store_.linked(parts_.database, after, limit);
  co_return co_await boost::asio::co_spawn(parts_.slow_loop, std::move(reading), use_task);
}

Task<std::vector<AuditRow>> AuditChain::list(AuditFilter filter, std::optional<AuditEntryId> before,
                                             std::int64_t limit) {
  auto listing = store_.list(parts_.database, filter, before, limit);
  co_return co_await boost::asio::co_spawn(parts_.slow_loop, std::move(listing), use_task);
}

Task<Result<std::int64_t>> AuditChain::erase(AuditErasure erasure, Approval approval) {
  std::int64_t erased = 0;
  for (;;) {
    auto body = [&](sql::Transaction& transaction) -> Task<Result<std::size_t>> {
      const auto approved = co_await approval(transaction);
      if (!approved) co_return std::unexpected(approved.error());
      const auto entries = co_await store_.entries_of(transaction, erasure.user, erasure.email);
      if (entries.empty() && erased > 0) co_return std::size_t{0};
      const auto now = parts_.clock.now();
      std::vector<std::string> macs;
      for (const auto& entry : entries) macs.push_back(erasure_mac(parts_.keys.chain, entry, now));
      co_await store_.insert_erasures(transaction, entries, macs, now);
      co_await store_.blank(transaction, entries);
      auto record = record_of(erasure, entries.size());
      co_await parts_.audit.record(transaction, std::move(record));
      co_return entries.size();
    };
    const auto batch = co_await parts_.database.transact(std::move(body));
    if (!batch) co_return std::unexpected(batch.error());
    erased += static_cast<std::int64_t>(*batch);
    if (static_cast<std::int64_t>(*batch) < AuditStore::kErasedAtOnce) co_return erased;
  }
}

Task<AuditPurge> AuditChain::purge(Time before) {
  AuditPurge purge;
  const auto anchor = co_await store_.anchor(parts_.database);
  auto start = co_await find_start(std::nullopt, purge.findings);
  const auto first = start.position + 1;
  ChainWalk walk(parts_.keys, start.position, std::move(start.link));
  const auto page = co_await store_.linked(parts_.database, walk.position(), AuditStore::kReadAtOnce);
  ChainAnchor next;
  for (const auto& row : page) {
    if (row.chain && row.chain->linked_at >= before) break;
    walk.look_at(row);
    if (row.chain) next.point = ChainPoint{.position = row.position, .link = row.chain->link};
  }
  append(purge.findings, std::move(walk.findings()));
  if (walk.rows() == 0 || !purge.findings.empty()) co_return purge;
  next.mac = anchor_mac(parts_.keys.chain, next.point);
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    co_await store_.lock_chain(transaction);
    const auto current = co_await store_.anchor(transaction);
    const auto began = anchor ? anchor->point.position : 0;
    if ((current ? current->point.position : 0) != began) co_return false;  // another node has just done it
    co_await store_.purge(transaction, next);
    auto record = record_of_purge(first, next.point.position);
    co_await parts_.audit.record(transaction, std::move(record));
    co_return true;
  };
  const auto is_done = co_await parts_.database.transact(std::move(body));
  if (is_done.value()) purge.rows = walk.rows();
  co_return purge;
}

}  // namespace safawinet
