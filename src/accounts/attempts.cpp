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

// What is further ahead was written by a clock that was wrong; nearer ones count, so that nodes whose clocks differ a
// little count together.
constexpr auto kMostAhead = kQuarterOfAnHour;
constexpr std::chrono::minutes kNetworksKeptFor{30};    // twice the window
constexpr std::chrono::minutes kNetworkGranularity{1};  // who repeats the same wrong one causes no writes

// Also where there is no row yet. A right password writes nothing. (SQLite has one writer.)
constexpr Statement kLock{
    "SELECT $1", "SELECT count(*) FROM pg_advisory_xact_lock(hashtextextended('safawinet attempts ' || $1, 0))"};
constexpr Statement kFind{"SELECT failed_at FROM failed_attempts WHERE subject = $1"};
constexpr Statement kFindAll{"SELECT failed_at FROM failed_attempts WHERE subject = $1 OR account = $1 LIMIT 5000"};
constexpr Statement kPut{
    "INSERT INTO failed_attempts (subject, account, failed_at, forget_at) VALUES ($1, $2, $3, $4) "
    "ON CONFLICT (subject) DO UPDATE SET failed_at = excluded.failed_at, forget_at = excluded.forget_at"};
constexpr Statement kForget{"DELETE FROM failed_attempts WHERE subject = $1 OR account = $1"};
// The time is asked again: a row that is put meanwhile stays.
constexpr Statement kSweep{
    "DELETE FROM failed_attempts WHERE forget_at <= $1 AND subject IN "
    "(SELECT subject FROM failed_attempts WHERE forget_at <= $1 LIMIT 5000)"};

// The one that has to grow old before there is room: the last of so many, newest first.
constexpr Statement kFindInTheWay{
    "SELECT failed_at FROM network_failures WHERE network = $1 AND failed_at > $2 AND failed_at < $3 "
    "ORDER BY failed_at DESC LIMIT 1 OFFSET $4"};
constexpr Statement kPutOfNetwork{
    "INSERT INTO network_failures (network, subject, failed_at) VALUES ($1, $2, $3) "
    "ON CONFLICT (network, subject) DO UPDATE SET failed_at = excluded.failed_at "
    "WHERE network_failures.failed_at < $4 OR network_failures.failed_at > $3"};
constexpr Statement kSweepNetworks{
    "DELETE FROM network_failures WHERE failed_at <= $1 AND (network, subject) IN "
    "(SELECT network, subject FROM network_failures WHERE failed_at <= $1 LIMIT 5000)"};

// In the order in which they were written.
using Failures = std::vector<Time>;

Failures parse_failures(const std::string& text) {
  Failures failures;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    std::int64_t microseconds = 0;
    const auto [next, error] = std::from_chars(at, end, microseconds);
    if (error != std::errc() || (next != end && *next != ',')) throw sql::BadColumn("failed_at is no list of times");
    at = next == end ? end : next + 1;
    failures.emplace_back(std::chrono::microseconds(microseconds));
  }
  return failures;
}

Failures failures_in(const sql::Rows& rows) {
  return rows.empty() ? Failures() : parse_failures(rows.front().get<std::string>(0));
}

std::string to_text(const Failures& failures) {
  std::string text;
  for (const auto& failed_at : failures) {
    text.append(text.empty() ? "" : ",").append(std::to_string(failed_at.time_since_epoch().count()));
  }
  return text;
}

std::size_t longest_list(const GuessingLimit& limit) {
  std::size_t most = 0;
  for (const auto& wrong_ones : limit.per_account) most = std::max(most, wrong_ones.count);
  return most;
}

// One more. Only as many are kept as can count, and age forgets none: a clock that is far off now may be right again
// when the next one is counted.
void add(Failures& failures, Time now, const GuessingLimit& limit) {
  failures.push_back(now);
  const auto most = longest_list(limit);
  if (failures.size() > most) failures.erase(failures.begin(), failures.end() - static_cast<std::ptrdiff_t>(most));
}

// After the last one. Whoever pauses so long as to be forgotten comes to no more than 96 in a day, and the one try that
// a sprayer makes at each of very many accounts is not kept for a day.
std::chrono::minutes kept_for(const Failures& failures, const GuessingLimit& limit) {
  if (!limit.counts_networks()) return kLongestGuessingWindow;  // only who knows the password comes so far
  return std::min<std::chrono::minutes>(static_cast<std::int64_t>(failures.size()) * kQuarterOfAnHour,
                                        kLongestGuessingWindow);
}

// Oldest first.
Failures counting(const Failures& failures, std::chrono::minutes window, Time now) {
  Failures recent;
  for (const auto failed_at : failures) {
    if (failed_at + window > now && failed_at < now + kMostAhead) recent.push_back(failed_at);
  }
  std::ranges::sort(recent);
  return recent;
}

// When so many have grown old that there is room for one; none: there is.
std::optional<Time> full_until(const Failures& failures, const GuessingLimit& limit, bool is_strict, Time now) {
  std::optional<Time> until;
  for (std::size_t i = 0; i < limit.per_account.size(); ++i) {
    auto [count, window] = limit.per_account[i];
    if (i == 0 && is_strict) count = limit.under_attack_per_account;
    const auto recent = counting(failures, window, now);
    if (recent.size() < count) continue;
    const auto room_at = recent[recent.size() - count] + window;
    if (!until || *until < room_at) until = room_at;
  }
  return until;
}

std::unexpected<Error> wait_until(Time until, Time now) {
  return refuse(
      Error{.code = ErrorCode::too_many_requests, .retry_after = std::chrono::ceil<std::chrono::seconds>(until - now)});
}

// `ask`: of the database, or of a transaction.
template <class Ask>
auto find_in_the_way(const Ask& ask, const GuessingLimit& limit, bool is_strict, const std::string& network, Time now) {
  const auto [count, window] = limit.per_network;
  const std::size_t most = is_strict ? limit.under_attack_per_network : count;
  return ask(kFindInTheWay, network, now - window, now + kMostAhead, static_cast<std::int64_t>(most - 1));
}

std::optional<Time> room_at(const sql::Rows& in_the_way, const GuessingLimit& limit) {
  if (in_the_way.empty()) return std::nullopt;
  return in_the_way.front().get<Time>(0) + limit.per_network.window;
}

}  // namespace

Task<Status> Attempts::may_try(Guess guess) {
  const auto& limit = limit_of(guess.secret);
  const auto subjects = subjects_of(guess);
  const auto now = clock_.now();
  std::optional<Time> until;
  if (limit.names_account()) {
    const bool is_of_network = !subjects.of_network.empty();
    const auto rows = co_await database_.read(kFind, is_of_network ? subjects.of_network : subjects.account);
    until = full_until(failures_in(rows), limit, !is_of_network && is_strict(guess), now);
  } else if (!subjects.network.empty()) {
    const auto ask = [this](const auto&... values) { return database_.read(values...); };
    const auto rows = co_await find_in_the_way(ask, limit, is_strict(guess), subjects.network, now);
    until = room_at(rows, limit);
  }
  if (until) co_return wait_until(*until, now);
  co_return Status{};
}

Task<Status> Attempts::may_tell(Guess guess, Verdict verdict) {
  const auto& limit = limit_of(guess.secret);
  const auto subjects = subjects_of(guess);
  // What is not told counts too, and so the transaction commits in any case.
  struct Outcome {
    std::optional<Time> wait_until;
    Time now;
  };
  auto body = [&](sql::Transaction& transaction) -> Task<Result<Outcome>> {
    const bool has_account = limit.names_account();
    if (has_account) co_await transaction.execute(kLock, subjects.account);
    if (!subjects.network.empty()) co_await transaction.execute(kLock, subjects.network);
    const bool is_strict_now = is_strict(guess);
    const auto now = clock_.now();
    Failures of_account;
    Failures of_network;
    std::optional<Time> strangers_wait;  // until then
    std::optional<Time> network_waits;
    if (has_account) {
      const auto rows = co_await transaction.execute(kFind, subjects.account);
      of_account = failures_in(rows);
      strangers_wait = full_until(of_account, limit, is_strict_now, now);
    }
    if (!subjects.of_network.empty()) {
      const auto rows = co_await transaction.execute(kFind, subjects.of_network);
      of_network = failures_in(rows);
      network_waits = full_until(of_network, limit, false, now);
    }
    if (!subjects.network.empty()) {
      const auto ask = [&](const auto&... values) { return transaction.execute(values...); };
      const auto rows = co_await find_in_the_way(ask, limit, is_strict_now, subjects.network, now);
      strangers_wait = std::max(strangers_wait, room_at(rows, limit));
    }
    Outcome outcome{.wait_until = network_waits, .now = now};
    if (network_waits) co_return outcome;
    const bool is_right = verdict == Verdict::right;
    const bool may_be_known = !subjects.of_network.empty() || !has_account;
    if (is_right && (!strangers_wait || (guess.is_from_known_device && may_be_known))) co_return outcome;

    outcome.wait_until = strangers_wait;
    if (!subjects.of_network.empty()) {
      add(of_network, now, limit);
      const auto text = to_text(of_network);
      const Time forget_at = now + kept_for(of_network, limit);
      co_await transaction.execute(kPut, subjects.of_network, subjects.account, text, forget_at);
    }
    if (strangers_wait) co_return outcome;
    if (has_account) {
      add(of_account, now, limit);
      const auto text = to_text(of_account);
      const Time forget_at = now + kept_for(of_account, limit);
      co_await transaction.execute(kPut, subjects.account, "", text, forget_at);
    }
    if (!subjects.network.empty()) {
      co_await transaction.execute(kPutOfNetwork, subjects.network, subjects.account, now, now - kNetworkGranularity);
    }
    co_return outcome;
  };
  const auto outcome = co_await database_.transact(std::move(body));
  if (!outcome) co_return std::unexpected(outcome.error());
  if (outcome->wait_until) co_return wait_until(*outcome->wait_until, outcome->now);
  co_return Status{};
}

Task<Status> Attempts::may_tell_unknown(Guess guess) {
  auto may = co_await may_try(guess);
  if (!may) co_return may;
  co_return co_await may_tell(std::move(guess), Verdict::wrong);
}

Task<Attempts::Failed> Attempts::get(Guessable secret, std::string account) {
  const auto& limit = limit_of(secret);
  const auto subject = subjects_of(Guess{.secret = secret, .account = std::move(account)}).account;
  const auto rows = co_await database_.read(kFindAll, subject);
  const auto now = clock_.now();
  const auto [count, window] = limit.per_account.front();
  Failed most;
  for (const auto& row : rows) {
    try {
      const auto failures = parse_failures(row.get<std::string>(0));
      most.count = std::max(most.count, static_cast<std::int64_t>(counting(failures, window, now).size()));
      most.locked_until = std::max(most.locked_until, full_until(failures, limit, false, now));
    } catch (const sql::BadColumn&) {
      most.count = static_cast<std::int64_t>(count);
      most.locked_until = std::max(most.locked_until, std::optional<Time>(now + window));
    }
  }
  co_return most;
}

Task<bool> Attempts::forget(sql::Transaction& transaction, Guessable secret, std::string account) {
  const auto subject = subjects_of(Guess{.secret = secret, .account = std::move(account)}).account;
  co_await transaction.execute(kLock, subject);
  const auto rows = co_await transaction.execute(kForget, subject);
  co_return rows.affected > 0;
}

Task<void> Attempts::sweep() {
  const auto now = clock_.now();
  co_await database_.write(kSweep, now);
  co_await database_.write(kSweepNetworks, now - kNetworksKeptFor);
}

bool Attempts::is_strict(const Guess& guess) const {
  // A known device is told by the same rule, so that it does not show; what is right is told it all the same.
  return !guess.is_exempt_from_networks_count && is_under_attack_ && is_under_attack_();
}

Attempts::Subjects Attempts::subjects_of(const Guess& guess) const {
  const auto& limit = limit_of(guess.secret);
  Subjects subjects{.account = hash(limit.name, guess.account), .of_network = {}, .network = {}};
  if (guess.network.empty()) return subjects;
  if (limit.names_account()) subjects.of_network = hash(limit.name, guess.account, guess.network);
  if (limit.counts_networks() && !guess.is_exempt_from_networks_count) {
    subjects.network = hash("network", limit.name, guess.network);
  }
  return subjects;
}

std::string Attempts::hash(std::string_view kind, std::string_view first, std::string_view second) const {
  std::string text(kind);
  text.append("\n").append(first);
  if (!second.empty()) text.append("\n").append(second);
  return to_base64url(key_.sign(as_bytes(text)));
}

}  // namespace safawinet
