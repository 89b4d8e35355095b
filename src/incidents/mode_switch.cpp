#include "incidents/mode_switch.hpp"

#include <algorithm>
#include <utility>

#include "access/standing.hpp"

namespace safawinet {
namespace {

std::string describe(const ModeState& before, const ModeState& after) {
  std::string text = "from " + std::string(name_of(before.mode));
  if (after.expires_at) text += ", until " + to_rfc3339(*after.expires_at);
  if (!after.reason.empty()) text += ": " + after.reason;
  return text;
}

std::string target_of(CompromiseMode mode) { return "mode:" + std::string(name_of(mode)); }

std::unexpected<Error> bad_length(std::string code, std::string detail) {
  Error error{.code = ErrorCode::invalid_fields};
  error.fields.push_back({"/expiresIn", std::move(code), std::move(detail)});
  return refuse(std::move(error));
}

Status check(const ModeOrder& order) {
  if (!order.length) return {};
  if (order.mode == CompromiseMode::normal) return bad_length("invalid", "normal has no end");
  if (*order.length >= kShortestMode && *order.length <= kLongestMode) return {};
  return bad_length("out-of-range", "must be from 1 second to 30 days (2592000)");
}

ModeState state_after(const ModeState& before, const ModeOrder& order, Time now) {
  if (before.mode == order.mode) {
    auto after = before;
    if (order.length) after.expires_at = now + *order.length;
    if (!order.reason.empty() && order.mode != CompromiseMode::normal) after.reason = order.reason;
    if (after != before) after.actor = order.acting.actor.text;
    return after;
  }
  const auto length = order.length ? order.length : usual_length_of(order.mode);
  ModeState after{
      .mode = order.mode, .reason = order.reason, .actor = order.acting.actor.text, .since = now, .expires_at = {}};
  if (length) after.expires_at = now + *length;
  return after;
}

// What restricts less, or for less long.
bool opens_up(const ModeState& before, const ModeState& after) {
  if (before.mode != after.mode) return restricts_less(effects_of(after.mode), effects_of(before.mode));
  return after.expires_at && (!before.expires_at || *after.expires_at < *before.expires_at);
}

}  // namespace

Task<Result<ModeState>> ModeSwitch::set(ModeOrder order) {
  const auto checked = check(order);
  if (!checked) co_return std::unexpected(checked.error());
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<ModeState>> {
    const auto acting = co_await confirm(transaction, order.acting, Permission::mode_write, now);
    if (!acting) co_return std::unexpected(acting.error());
    const auto before = co_await store_.lock(transaction);
    const auto after = state_after(before, order, now);
    if (order.is_preview || after == before) co_return after;
    if (opens_up(before, after) && !order.acting.has_proved_lately) co_return refuse(step_up_required());
    co_await store_.set(transaction, after);
    AuditEntry entry{.action = "mode.set",
                     .outcome = AuditOutcome::done,
                     .actor = order.acting.actor,
                     .target = target_of(after.mode),
                     .reason = describe(before, after),
                     .origin = order.origin};
    co_await parts_.audit.record(transaction, std::move(entry));
    co_return after;
  };
  auto state = co_await parts_.database.transact(std::move(body));
  if (state && !order.is_preview) co_await look();
  co_return state;
}

Task<void> ModeSwitch::look() {
  std::uint64_t reading = 0;
  {
    const std::lock_guard lock(putting_);
    reading = ++readings_;
  }
  auto state = co_await store_.read(parts_.database);
  put_in_force(reading, std::move(state));
}

Task<bool> ModeSwitch::end_when_over() {
  const auto expired = state();
  {
    const std::lock_guard lock(putting_);
    if (!over_at_ || parts_.clock.monotonic() < *over_at_) co_return false;
  }
  const auto now = parts_.clock.now();
  const ModeState normal{
      .mode = CompromiseMode::normal, .reason = {}, .actor = Actor::system().text, .since = now, .expires_at = {}};
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const bool has_ended = co_await store_.expire(transaction, *expired, normal);
    if (!has_ended) co_return false;
    AuditEntry entry{.action = "mode.expired",
                     .outcome = AuditOutcome::done,
                     .actor = Actor::system(),
                     .target = target_of(expired->mode),
                     .reason = "since " + to_rfc3339(expired->since) + ", until " + to_rfc3339(*expired->expires_at),
                     .origin = {}};
    co_await parts_.audit.record(transaction, std::move(entry));
    co_return true;
  };
  const auto has_ended = co_await parts_.database.transact(std::move(body));
  co_await look();
  co_return has_ended.value();
}

// A reading that began earlier than one that is in force already may be of an older state, and is dropped: whoever has
// set the mode reads after it.
void ModeSwitch::put_in_force(std::uint64_t reading, ModeState state) {
  const std::lock_guard lock(putting_);
  if (reading < put_) return;
  put_ = reading;
  const auto before = parts_.in_force.state();
  if (state == *before) return;
  over_at_.reset();
  if (state.expires_at) {
    // Never longer than it was meant to last: `since` may be of a clock that has come back.
    const auto meant = std::max(Time::duration(0), *state.expires_at - state.since);
    over_at_ = parts_.clock.monotonic() + std::clamp(*state.expires_at - parts_.clock.now(), Time::duration(0),
                                                     std::max(meant, Time::duration(1)));
  }
  parts_.in_force.set(state, parts_.clock.monotonic());
  if (parts_.on_change) parts_.on_change(*before, state);
}

}  // namespace safawinet
