#include "accounts/attempts.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/encoding.hpp"

namespace safawinet {
namespace {

using sql::Statement;

// Also where there is no row yet. A right password writes nothing. (SQLite has one writer.)
constexpr Statement kLock{
    "SELECT $1", "SELECT count(*) FROM pg_advisory_xact_lock(hashtextextended('safawinet attempts ' || $1, 0))"};
constexpr Statement kFind{"SELECT failed_at FROM failed_attempts WHERE subject = $1"};
constexpr Statement kPut{
    "INSERT INTO failed_attempts (subject, failed_at, forget_at) VALUES ($1, $2, $3) "
    "ON CONFLICT (subject) DO UPDATE SET failed_at = excluded.failed_at, forget_at = excluded.forget_at"};
constexpr Statement kForget{"DELETE FROM failed_attempts WHERE subject = $1"};
// The time is asked again: a row that is put meanwhile stays.
constexpr Statement kSweep{
    "DELETE FROM failed_attempts WHERE forget_at <= $1 AND subject IN "
    "(SELECT subject FROM failed_attempts WHERE forget_at <= $1 LIMIT 5000)"};

// Oldest first.
using Failures = std::vector<Time>;

// Those that count. What is further ahead than the window was written by a clock that was wrong; nearer ones count, so
// that nodes whose clocks differ a little count together.
Failures recent_failures(const sql::Rows& rows, Time now, const RateLimit& limit) {
  Failures failures;
  if (rows.empty()) return failures;
  const auto text = rows.front().get<std::string>(0);
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    std::int64_t microseconds = 0;
    const auto [next, error] = std::from_chars(at, end, microseconds);
    if (error != std::errc() || (next != end && *next != ',')) throw sql::BadColumn("failed_at is no list of times");
    at = next == end ? end : next + 1;
    const Time failed_at{std::chrono::microseconds(microseconds)};
    if (failed_at + limit.window > now && failed_at < now + limit.window) failures.push_back(failed_at);
  }
  return failures;
}

std::string to_text(const Failures& failures) {
  std::string text;
  for (const auto& failed_at : failures) {
    text.append(text.empty() ? "" : ",").append(std::to_string(failed_at.time_since_epoch().count()));
  }
  return text;
}

// When so many have grown old that there is room for one; none: there is.
std::optional<Time> locked_until(const Failures& failures, const RateLimit& limit) {
  if (failures.size() < limit.count) return std::nullopt;
  return failures[failures.size() - limit.count] + limit.window;
}

Status with_room(const Failures& failures, Time now, const RateLimit& limit) {
  const auto until = locked_until(failures, limit);
  if (!until) return {};
  return refuse(Error{.code = ErrorCode::too_many_requests,
                      .retry_after = std::chrono::ceil<std::chrono::seconds>(*until - now)});
}

}  // namespace

Task<Status> Attempts::may_try(std::string account, RateLimit limit) {
  const auto rows = co_await database_.read(kFind, subject_of(account, limit));
  const auto now = clock_.now();
  co_return with_room(recent_failures(rows, now, limit), now, limit);
}

Task<Status> Attempts::may_tell(std::string account, Verdict verdict, RateLimit limit) {
  const auto subject = subject_of(account, limit);
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    co_await transaction.execute(kLock, subject);
    const auto rows = co_await transaction.execute(kFind, subject);
    const auto now = clock_.now();
    auto failures = recent_failures(rows, now, limit);
    const auto room = with_room(failures, now, limit);
    if (!room) co_return std::unexpected(room.error());
    if (verdict == Verdict::right) co_return true;
    failures.insert(std::ranges::upper_bound(failures, now), now);
    const auto text = to_text(failures);
    const Time forget_at = failures.back() + limit.window;
    co_await transaction.execute(kPut, subject, text, forget_at);
    co_return true;
  };
  const auto outcome = co_await database_.transact(std::move(body));
  if (!outcome) co_return std::unexpected(outcome.error());
  co_return Status{};
}

Task<Attempts::Failed> Attempts::get(std::string account) {
  constexpr auto limit = kWrongPasswordsPerAccount;
  const auto rows = co_await database_.read(kFind, subject_of(account, limit));
  const auto now = clock_.now();
  try {
    const auto failures = recent_failures(rows, now, limit);
    co_return Failed{.count = static_cast<std::int64_t>(failures.size()),
                     .locked_until = locked_until(failures, limit)};
  } catch (const sql::BadColumn&) {
    co_return Failed{.count = limit.count, .locked_until = now + limit.window};
  }
}

Task<bool> Attempts::forget(sql::Transaction& transaction, std::string account, RateLimit limit) {
  const auto subject = subject_of(account, limit);
  co_await transaction.execute(kLock, subject);
  const auto rows = co_await transaction.execute(kForget, subject);
  co_return rows.affected > 0;
}

Task<void> Attempts::sweep() {
  const auto now = clock_.now();
  co_await database_.write(kSweep, now);
}

std::string Attempts::subject_of(std::string_view account, const RateLimit& limit) const {
  std::string text(limit.name);
  text.append("\n").append(account);
  return to_base64url(key_.sign(as_bytes(text)));
}

}  // namespace safawinet
