#include "sessions/revocation_feed.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <functional>
#include <utility>

namespace safawinet {
namespace {

constexpr std::int64_t kRowsAtOnce = 10'000;
constexpr std::chrono::milliseconds kPauseAfterFailure{50};

// One statement is one snapshot: the epoch and the rows belong together. On the embedded database `seq` is the order of
// commits, since there is one writer.
constexpr sql::Statement kAfter{
    "SELECT e.incarnation, e.epoch, r.seq, r.scope, r.sid, r.user_id, r.token_version, r.epoch, r.created_at "
    "FROM session_epoch e LEFT JOIN revocations r ON r.seq > $1 ORDER BY r.seq LIMIT $2"};

Revocation::Scope parse_scope(const std::string& scope) {
  if (scope == "session") return Revocation::Scope::session;
  if (scope == "user") return Revocation::Scope::user;
  return Revocation::Scope::global;
}

}  // namespace

struct RevocationFeed::Batch {
  std::string incarnation;
  std::int64_t epoch = 0;
  std::int64_t after = 0;  // the cursor from which it was read
  std::int64_t last_seq = 0;
  std::vector<Revocation> revocations;
  std::optional<Time> last_created_at;

  [[nodiscard]] bool is_last() const { return static_cast<std::int64_t>(revocations.size()) < kRowsAtOnce; }
};

Task<void> RevocationFeed::catch_up() {
  for (;;) {
    const auto began = clock_.monotonic();
    std::int64_t cursor = 0;
    {
      const std::lock_guard lock(applying_);
      cursor = cursor_;
    }
    const auto batch = co_await read_after(cursor);
    if (!apply(batch) || !batch.is_last()) continue;
    renew_lease(began);
    co_return;
  }
}

Task<void> RevocationFeed::follow(std::function<void(const std::string&)> on_failure) {
  sql::ChangeMark seen;
  Timer pause(co_await boost::asio::this_coro::executor);
  const auto longest = std::min(kFeedLongestWait, lease_ / 4);
  for (;;) {
    std::string failure;
    try {
      co_await catch_up();
      co_await database_.wait_for_change(seen, longest);
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (failure.empty()) continue;
    on_failure(failure);
    pause.expires_after(kPauseAfterFailure);
    co_await pause.async_wait(use_task);
  }
}

Task<void> RevocationFeed::reload() {
  RevocationIndex fresh;
  std::int64_t cursor = 0;
  std::string incarnation;
  std::int64_t reached = 0;  // before this reading: whatever is still on record up to here will be in it
  std::string reached_in;
  {
    const std::lock_guard lock(applying_);
    reached = cursor_;
    reached_in = incarnation_;
  }
  for (;;) {
    const auto batch = co_await read_after(cursor);
    fresh = fresh.with(batch.revocations, batch.epoch);
    cursor = std::max(cursor, batch.last_seq);
    incarnation = batch.incarnation;
    if (batch.is_last()) break;
  }
  if (incarnation == reached_in) cursor = std::max(cursor, reached);
  const std::lock_guard lock(applying_);
  // Somebody may have caught up further meanwhile: what is newer than this reading stays as it is, for the next reload.
  if (cursor < cursor_ && incarnation == incarnation_) co_return;
  cursor_ = cursor;
  incarnation_ = incarnation;
  index_.set(std::make_shared<RevocationIndex>(std::move(fresh)));
}

Task<RevocationFeed::Batch> RevocationFeed::read_after(std::int64_t seq) {
  const auto rows = co_await database_.read(kAfter, seq, kRowsAtOnce);
  Batch batch{.incarnation = rows.front().get<std::string>(0),
              .epoch = rows.front().get<std::int64_t>(1),
              .after = seq,
              .last_seq = seq,
              .revocations = {},
              .last_created_at = {}};
  for (const auto& row : rows) {
    const auto row_seq = row.find<std::int64_t>(2);
    if (!row_seq) break;  // the outer join's empty row: nothing new
    batch.last_seq = *row_seq;
    batch.revocations.push_back({.scope = parse_scope(row.get<std::string>(3)),
                                 .session = row.find<SessionId>(4),
                                 .user = row.find<UserId>(5),
                                 .token_version = row.find<std::int64_t>(6).value_or(0),
                                 .epoch = row.find<std::int64_t>(7).value_or(0)});
    batch.last_created_at = row.find<Time>(8);
  }
  co_return batch;
}

bool RevocationFeed::apply(const Batch& batch) {
  const std::lock_guard lock(applying_);
  if (batch.incarnation != incarnation_) {
    incarnation_ = batch.incarnation;
    cursor_ = 0;
  }
  // Read from further on than we stand now: applied, it would leave a gap. Somebody who reads at the same time may have
  // found the new incarnation first.
  if (batch.after > cursor_) return false;
  const auto current = index_.get();
  if (!batch.revocations.empty() || batch.epoch > current->epoch()) {
    index_.set(std::make_shared<RevocationIndex>(current->with(batch.revocations, batch.epoch)));
  }
  cursor_ = std::max(cursor_, batch.last_seq);
  if (batch.last_created_at) last_lag_ = std::max<std::int64_t>(0, (clock_.now() - *batch.last_created_at).count());
  return true;
}

void RevocationFeed::renew_lease(MonotonicTime began) {
  const auto until = std::chrono::duration_cast<std::chrono::nanoseconds>((began + lease_).time_since_epoch()).count();
  auto held = held_until_.load();
  while (held < until && !held_until_.compare_exchange_weak(held, until)) {
  }
}

}  // namespace safawinet
