#include "sessions/revocation_feed.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <functional>
#include <utility>

#include "base/pause.hpp"
#include "sessions/revocation_row.hpp"
#include "sessions/session_store.hpp"

namespace safawinet {
namespace {

constexpr std::size_t kRowsAtOnce = 10'000;  // on the embedded database, whose reader keeps its event loop waiting
constexpr std::chrono::milliseconds kPauseAfterFailure{50};

// One statement is one snapshot: the epoch and the rows belong together. On the embedded database `seq` is the order of
// commits, since there is one writer, and the cursor is the next number. On PostgreSQL numbers are committed in any
// order, and the cursor is a snapshot: what was not visible to the last reading is read by the next one, however long
// its transaction took. The states of the keys come with the first row.
constexpr sql::Statement kAfter{
    "SELECT e.incarnation, '', '', e.epoch, CAST(r.seq + 1 AS TEXT), NULL, "
    "r.scope, coalesce(r.sid, ''), r.user_id, r.token_version, r.epoch, r.created_at, "
    "CASE WHEN r.seq IS NULL OR r.seq = (SELECT min(seq) FROM revocations WHERE seq >= CAST($1 AS INTEGER)) THEN "
    "(SELECT coalesce(group_concat(purpose || '/' || id || '/' || state), '') "
    "FROM (SELECT id, purpose, state FROM keys ORDER BY purpose, id)) END "
    "FROM session_epoch e LEFT JOIN revocations r ON r.seq >= CAST($1 AS INTEGER) ORDER BY r.seq LIMIT 10000",
    "SELECT incarnation::text, left(pg_walfile_name(pg_current_wal_lsn()), 8), "
    "coalesce(pg_stat_get_bgwriter_stat_reset_time()::text, ''), epoch, pg_current_snapshot()::text, "
    "clock_timestamp(), "
    "NULL::text, NULL::text, NULL::uuid, NULL::bigint, NULL::bigint, NULL::timestamptz, "
    "(SELECT coalesce(string_agg(purpose || '/' || id || '/' || state, ',' ORDER BY purpose, id), '') FROM keys) "
    "FROM session_epoch "
    "UNION ALL "
    "SELECT NULL, NULL, NULL, NULL, NULL, NULL, "
    "scope, array_to_string(sids, ','), user_id, token_version, epoch, created_at, NULL "
    "FROM revocations "
    "WHERE tx >= pg_snapshot_xmin($1::pg_snapshot) AND NOT pg_visible_in_snapshot(tx, $1::pg_snapshot)"};

constexpr sql::Statement kRaiseEpochTo{"UPDATE session_epoch SET epoch = $1 WHERE epoch < $1"};

}  // namespace

struct RevocationFeed::Batch {
  History history;
  std::int64_t epoch = 0;
  std::optional<std::string> next;  // the cursor behind it; none: as before
  std::vector<Revocation> revocations;
  std::optional<Time> last_created_at;
  std::optional<std::string> key_states;
  bool is_last = true;
};

Task<void> RevocationFeed::read() {
  auto from = position();
  for (;;) {
    const auto batch = co_await read_from(from.cursor);
    if (!apply(batch, from)) {
      from = position();
    } else if (batch.is_last) {
      break;
    }
  }
  if (const auto lost = lost_epoch_.load(); lost > 0) co_await restore_epoch(lost);
}

// One reads at a time, and for all who had asked by the time that it began. Whoever asks later has the next reading,
// done by the first of them. So a million sessions that end at once are read by a few, and not by everybody who signs
// out.
Task<void> RevocationFeed::read_together() {
  bool is_mine = false;
  {
    const std::lock_guard lock(taking_turns_);
    is_mine = !std::exchange(is_turn_taken_, true);
  }
  if (!is_mine) {
    auto wait = [this, &is_mine](std::unique_ptr<Resumption> resumption) {
      const std::lock_guard lock(taking_turns_);
      if (!is_turn_taken_) {  // since then it has become free
        is_turn_taken_ = is_mine = true;
        resumption->resume(nullptr);
        return;
      }
      try {
        waiting_.emplace_back();
      } catch (...) {
        resumption->resume(std::current_exception());
        return;
      }
      waiting_.back() = {std::move(resumption), &is_mine};
    };
    co_await suspend(std::move(wait));
  }
  if (!is_mine) co_return;  // another one has read for us

  {
    const std::lock_guard lock(taking_turns_);
    sharing_ = std::exchange(waiting_, {});
  }
  std::exception_ptr failure;
  try {
    co_await read();
  } catch (...) {
    failure = std::current_exception();
  }
  end_turn(failure);
  if (failure) std::rethrow_exception(failure);
}

void RevocationFeed::end_turn(const std::exception_ptr& failure) {
  const std::lock_guard lock(taking_turns_);
  for (auto& other : std::exchange(sharing_, {})) other.resumption->resume(failure);
  is_turn_taken_ = !waiting_.empty();
  if (waiting_.empty()) return;
  const auto next = std::move(waiting_.front());
  waiting_.erase(waiting_.begin());
  *next.is_next_to_read = true;
  next.resumption->resume(nullptr);
}

void RevocationFeed::abandon_waiting() {
  const std::lock_guard lock(taking_turns_);
  sharing_.clear();
  waiting_.clear();
}

Task<void> RevocationFeed::read_all() {
  co_await read();
  if (also_read_) co_await also_read_();
}

Task<void> RevocationFeed::catch_up() {
  const auto began = clock_.monotonic();
  co_await database_.prove_current();
  co_await read_all();
  renew_lease(began);
}

Task<void> RevocationFeed::follow(std::function<void(const std::string&)> on_failure) {
  sql::ChangeMark seen;
  const auto interval = std::min(kFeedLongestWait, lease_ / 4);
  MonotonicTime renewal_due{};
  for (;;) {
    std::string failure;
    try {
      // What is new is published first: the proof may take its time.
      co_await read_all();
      if (const auto now = clock_.monotonic(); now >= renewal_due) {
        co_await catch_up();
        renewal_due = now + interval;
      }
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(renewal_due - clock_.monotonic());
      co_await database_.wait_for_change(seen, std::clamp(left, std::chrono::milliseconds(1), interval));
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (failure.empty()) continue;
    on_failure(failure);
    co_await pause_for(kPauseAfterFailure);
  }
}

Task<void> RevocationFeed::reload() {
  struct Collecting {
    explicit Collecting(RevocationFeed& feed) : of(feed) {}
    ~Collecting() {
      const std::lock_guard lock(of.applying_);
      of.applied_meanwhile_.reset();
    }
    Collecting(const Collecting&) = delete;
    Collecting& operator=(const Collecting&) = delete;
    RevocationFeed& of;
  };
  Position from;
  History history;
  RevocationIndex fresh;
  {
    const std::lock_guard lock(applying_);
    if (applied_meanwhile_) co_return;  // somebody else is at it
    applied_meanwhile_.emplace();
    from = {std::string(kBeginning), position_.era};
    history = history_;
    if (of_former_eras_ && clock_.monotonic() >= former_eras_until_) of_former_eras_.reset();
    if (of_former_eras_) fresh = *of_former_eras_;
  }
  const Collecting collecting(*this);
  for (;;) {
    const auto batch = co_await read_from(from.cursor);
    if (batch.history != history) co_return;  // the next reading finds out
    fresh = fresh.with(batch.revocations, batch.epoch);
    if (batch.is_last) break;
    from.cursor = batch.next.value();
  }
  const std::lock_guard lock(applying_);
  if (from.era != position_.era) co_return;  // that of the next round will do
  index_.set(std::make_shared<RevocationIndex>(fresh.with(*applied_meanwhile_)));
}

RevocationFeed::Position RevocationFeed::position() {
  const std::lock_guard lock(applying_);
  return position_;
}

Task<RevocationFeed::Batch> RevocationFeed::read_from(const std::string& cursor) {
  const auto began = clock_.monotonic();
  const auto rows = co_await database_.read(kAfter, cursor);
  const auto ended = clock_.monotonic();
  Batch batch;
  batch.is_last = rows.size() < kRowsAtOnce;
  std::vector<SessionId> ended_sessions;
  for (const auto& row : rows) {
    if (const auto incarnation = row.find<std::string>(0)) {
      batch.history = {*incarnation, row.get<std::string>(1), row.get<std::string>(2)};
      batch.epoch = row.get<std::int64_t>(3);
    }
    if (auto next = row.find<std::string>(4)) batch.next = std::move(next);
    if (auto key_states = row.find<std::string>(12)) batch.key_states = std::move(key_states);
    const auto there = row.find<Time>(5);
    if (there && database_clock_ != nullptr) database_clock_->observe(began, ended, *there);
    const auto scope = row.find<std::string>(6);
    if (!scope) continue;
    Revocation revocation{.scope = parse_scope(*scope),
                          .sessions = {},
                          .user = row.find<UserId>(8),
                          .token_version = row.find<std::int64_t>(9).value_or(0),
                          .epoch = row.find<std::int64_t>(10).value_or(0)};
    const bool is_of_sessions = revocation.scope == Revocation::Scope::session;
    append_sessions(is_of_sessions ? ended_sessions : revocation.sessions, row.get<std::string>(7));
    if (!is_of_sessions) batch.revocations.push_back(std::move(revocation));
    batch.last_created_at = std::max(batch.last_created_at, row.find<Time>(11));
  }
  // All together, and sorted here: whoever applies them keeps others waiting.
  std::ranges::sort(ended_sessions);
  if (!ended_sessions.empty()) {
    batch.revocations.push_back(
        {.scope = Revocation::Scope::session, .sessions = std::move(ended_sessions), .user = {}});
  }
  co_return batch;
}

bool RevocationFeed::apply(const Batch& batch, Position& from) {
  const std::lock_guard lock(applying_);
  if (from.era != position_.era) return false;
  if (batch.history != history_) {
    begin_era(batch);
    news_.announce();
    if (from.cursor != kBeginning) return false;
  }
  if (batch.key_states && on_keys_) on_keys_(*batch.key_states);
  const auto current = index_.get();
  if (!batch.revocations.empty() || batch.epoch > current->epoch()) {
    index_.set(std::make_shared<RevocationIndex>(current->with(batch.revocations, batch.epoch)));
    if (applied_meanwhile_) *applied_meanwhile_ = applied_meanwhile_->with(batch.revocations, batch.epoch);
    news_.announce();
  }
  if (batch.next) position_.cursor = *batch.next;
  from = position_;
  if (batch.last_created_at) last_lag_ = std::max<std::int64_t>(0, (clock_.now() - *batch.last_created_at).count());
  return true;
}

// What was in force stays so, although the database may have lost it.
void RevocationFeed::begin_era(const Batch& batch) {
  const bool is_same_incarnation = batch.history.incarnation == history_.incarnation;
  if (is_same_incarnation && batch.history.timeline < history_.timeline) {
    throw Unavailable("the database is on timeline " + batch.history.timeline + ", which " + history_.timeline +
                      " has replaced: an old primary");
  }
  if (!history_.incarnation.empty()) {
    of_former_eras_ = index_.get();
    former_eras_until_ = clock_.monotonic() + kRevocationsKept;
    if (batch.epoch < of_former_eras_->epoch()) lost_epoch_ = of_former_eras_->epoch();
  }
  history_ = batch.history;
  ++position_.era;
  position_.cursor = kBeginning;
}

// A global logout that this node knows and the database has forgotten is made good there: what it ended stays dead, and
// new sessions get an epoch that everybody accepts.
Task<void> RevocationFeed::restore_epoch(std::int64_t epoch) {
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    SessionStore store;
    const EndingReason reason{.reason = "global-logout", .actor = "system"};
    co_await store.set_reason(transaction, reason);
    co_await transaction.execute(kRaiseEpochTo, epoch);
    co_await store.forget_reason(transaction);
    co_return true;
  };
  co_await database_.transact(std::move(body));
  lost_epoch_.compare_exchange_strong(epoch, 0);
}

void RevocationFeed::renew_lease(MonotonicTime began) {
  const auto until = std::chrono::duration_cast<std::chrono::nanoseconds>((began + lease_).time_since_epoch()).count();
  auto held = held_until_.load();
  while (held < until && !held_until_.compare_exchange_weak(held, until)) {
  }
}

}  // namespace safawinet
