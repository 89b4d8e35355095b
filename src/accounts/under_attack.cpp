#include "accounts/under_attack.hpp"

#include <array>
#include <utility>

#include "access/standing.hpp"

namespace safawinet {
namespace {

using sql::Statement;

constexpr std::array<std::pair<AttackMode, std::string_view>, 3> kNames{
    {{AttackMode::automatic, "auto"}, {AttackMode::on, "on"}, {AttackMode::off, "off"}}};

constexpr std::string_view kTarget = "under-attack";
// An attack that goes on is written again when its end is nearer than this.
constexpr auto kRenewedBefore = kAttackCalm - std::chrono::minutes(1);

constexpr Statement kFind{
    "SELECT ordered, reason, ordered_by, ordered_at, expires_at, noticed_at, noticed_until FROM under_attack"};
constexpr Statement kOrder{
    "UPDATE under_attack SET ordered = $1, reason = $2, ordered_by = $3, ordered_at = $4, expires_at = $5"};
// An end that is further ahead than any that is written now ($3) is of a clock that was wrong.
constexpr Statement kNotice{
    "UPDATE under_attack SET noticed_at = $1, noticed_until = $2 "
    "WHERE noticed_until IS NULL OR noticed_until <= $1 OR noticed_until > $3"};
constexpr Statement kRenew{
    "UPDATE under_attack SET noticed_until = $2 WHERE noticed_until > $1 AND noticed_until < $2"};
constexpr Statement kPass{
    "UPDATE under_attack SET noticed_at = NULL, noticed_until = NULL WHERE noticed_until <= $1 OR noticed_until > $2"};

bool is_at_least(const LoginGauge::Minute& minute, std::size_t divisor) {
  return minute.refused >= kAttackRefusals / divisor && minute.networks >= kAttackNetworks / divisor &&
         minute.refused * divisor >= minute.accepted * kAttackRefusalsPerSuccess;
}

Time latest_end(Time now) { return now + 2 * kAttackCalm; }

}  // namespace

std::string_view name_of(AttackMode mode) { return kNames.at(static_cast<std::size_t>(mode)).second; }

std::optional<AttackMode> parse_attack_mode(std::string_view name) {
  for (const auto& [mode, its_name] : kNames) {
    if (its_name == name) return mode;
  }
  return std::nullopt;
}

struct UnderAttack::Row {
  std::optional<AttackMode> ordered;
  std::string reason;
  std::string ordered_by;
  std::optional<Time> ordered_at;
  std::optional<Time> expires_at;
  std::optional<Time> noticed_at;
  std::optional<Time> noticed_until;
};

Task<UnderAttack::Row> UnderAttack::read() {
  const auto rows = co_await parts_.database.read(kFind);
  Row row;
  if (rows.empty()) co_return row;  // somebody has deleted it: nothing is ordered
  const auto& found = rows.front();
  if (const auto name = found.find<std::string>(0)) row.ordered = parse_attack_mode(*name);
  row.reason = found.get<std::string>(1);
  row.ordered_by = found.get<std::string>(2);
  row.ordered_at = found.find<Time>(3);
  row.expires_at = found.find<Time>(4);
  row.noticed_at = found.find<Time>(5);
  row.noticed_until = found.find<Time>(6);
  co_return row;
}

AttackState UnderAttack::judge(const Row& row, Time now) const {
  AttackState state{.is_on = false, .mode = parts_.setting, .setting = parts_.setting};
  if (row.ordered && (!row.expires_at || *row.expires_at > now)) {
    state.mode = *row.ordered;
    state.reason = row.reason;
    state.ordered_by = row.ordered_by;
    state.ordered_at = row.ordered_at;
    state.expires_at = row.expires_at;
  }
  const bool goes_on = row.noticed_until && *row.noticed_until > now && *row.noticed_until <= latest_end(now);
  if (goes_on) state.noticed_at = row.noticed_at;
  state.is_on = state.mode == AttackMode::on || (state.mode == AttackMode::automatic && goes_on);
  return state;
}

void UnderAttack::put_in_force(const AttackState& state) {
  is_on_ = state.is_on;
  parts_.hash_pool.keep_room_for_known_devices(state.is_on);
}

Task<AttackState> UnderAttack::get() {
  const auto row = co_await read();
  const auto state = judge(row, parts_.clock.now());
  put_in_force(state);
  co_return state;
}

Task<Result<AttackState>> UnderAttack::order(AttackOrder order) {
  if (order.mode != AttackMode::on && !order.acting.has_proved_lately) co_return refuse(step_up_required());
  const auto now = parts_.clock.now();
  std::optional<Time> expires_at;
  if (order.lifetime) expires_at = now + *order.lifetime;
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto acting = co_await confirm(transaction, order.acting, Permission::limits_write, now);
    if (!acting) co_return std::unexpected(acting.error());
    co_await transaction.execute(kOrder, name_of(order.mode), order.reason, order.acting.actor.text, now, expires_at);
    auto what = std::string(name_of(order.mode)) + (expires_at ? " until " + to_rfc3339(*expires_at) : "");
    AuditEntry entry{.action = "under-attack.ordered",
                     .outcome = AuditOutcome::done,
                     .actor = order.acting.actor,
                     .target = std::string(kTarget),
                     .reason = std::move(what) + ": " + order.reason,
                     .origin = order.origin};
    co_await parts_.audit.record(transaction, std::move(entry));
    co_return true;
  };
  const auto ordered = co_await parts_.database.transact(std::move(body));
  if (!ordered) co_return std::unexpected(ordered.error());
  co_return co_await get();
}

Task<AttackState> UnderAttack::look() {
  auto row = co_await read();
  const auto now = parts_.clock.now();
  auto state = judge(row, now);
  if (state.mode == AttackMode::automatic) {
    const auto minute = gauge_.last_minute();
    if (!state.noticed_at && is_at_least(minute, 1)) {
      co_await record_noticed(minute);
      row = co_await read();
    } else if (state.noticed_at && is_at_least(minute, 2) && *row.noticed_until < now + kRenewedBefore) {
      co_await parts_.database.write(kRenew, now, now + kAttackCalm);
    }
  }
  if (row.noticed_at && !judge(row, now).noticed_at) {
    co_await record_passed();
    row = co_await read();
  }
  state = judge(row, parts_.clock.now());
  put_in_force(state);
  co_return state;
}

// Of nodes that notice it at once, one writes.
Task<void> UnderAttack::record_noticed(LoginGauge::Minute minute) {
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto noticed = co_await transaction.execute(kNotice, now, now + kAttackCalm, latest_end(now));
    if (noticed.affected == 0) co_return false;
    AuditEntry entry{.action = "under-attack.noticed",
                     .outcome = AuditOutcome::done,
                     .actor = Actor::system(),
                     .target = std::string(kTarget),
                     .reason = std::to_string(minute.refused) + " logins refused in a minute, from " +
                               std::to_string(minute.networks) + " networks; " + std::to_string(minute.accepted) +
                               " succeeded",
                     .origin = {}};
    co_await parts_.audit.record(transaction, std::move(entry));
    co_return true;
  };
  co_await parts_.database.transact(std::move(body));
}

Task<void> UnderAttack::record_passed() {
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto passed = co_await transaction.execute(kPass, now, latest_end(now));
    if (passed.affected == 0) co_return false;
    AuditEntry entry{.action = "under-attack.passed",
                     .outcome = AuditOutcome::done,
                     .actor = Actor::system(),
                     .target = std::string(kTarget),
                     .reason = {},
                     .origin = {}};
    co_await parts_.audit.record(transaction, std::move(entry));
    co_return true;
  };
  co_await parts_.database.transact(std::move(body));
}

}  // namespace safawinet
