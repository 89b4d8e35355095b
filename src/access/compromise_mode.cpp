#include "access/compromise_mode.hpp"

#include <algorithm>
#include <utility>

namespace safawinet {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

struct Line {
  CompromiseMode mode;
  std::string_view name;
  std::optional<seconds> usual_length;
  ModeEffects effects;
};

// The whole of what a mode does.
//
// clang-format off
constexpr std::array<Line, kCompromiseModes.size()> kTable{{
    {CompromiseMode::normal,  "normal",  {},        {.access_lifetime_at_most = {},          .has_refresh_grace = true,  .freezes_credentials = false, .demands_step_up = false}},
    // Something may be wrong: what leaks now is good for less long. Nobody else notices.
    {CompromiseMode::watch,   "watch",   hours(24), {.access_lifetime_at_most = minutes(5),  .has_refresh_grace = true,  .freezes_credentials = false, .demands_step_up = false}},
    // Somebody is in: they keep nothing for long, and make nothing that lasts.
    {CompromiseMode::contain, "contain", hours(24), {.access_lifetime_at_most = minutes(1),  .has_refresh_grace = false, .freezes_credentials = true,  .demands_step_up = true}},
    // They are out: people choose new passwords, once they have shown that it is they, and still nothing lasts that is stolen.
    {CompromiseMode::recover, "recover", hours(72), {.access_lifetime_at_most = minutes(5),  .has_refresh_grace = false, .freezes_credentials = false, .demands_step_up = true}},
}};
// clang-format on

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<std::size_t>(kTable[i].mode) != i || kCompromiseModes[i] != kTable[i].mode) return false;
  }
  return true;
}
static_assert(is_in_order(), "the table has the order of the enumeration");

const Line& line_of(CompromiseMode mode) { return kTable.at(static_cast<std::size_t>(mode)); }

}  // namespace

std::string_view name_of(CompromiseMode mode) { return line_of(mode).name; }

std::optional<CompromiseMode> parse_compromise_mode(std::string_view name) {
  for (const auto& line : kTable) {
    if (line.name == name) return line.mode;
  }
  return std::nullopt;
}

const ModeEffects& effects_of(CompromiseMode mode) { return line_of(mode).effects; }

bool restricts_less(const ModeEffects& one, const ModeEffects& other) {
  const auto longest = [](const ModeEffects& effects) {
    return effects.access_lifetime_at_most.value_or(seconds::max());
  };
  return longest(one) > longest(other) || (one.has_refresh_grace && !other.has_refresh_grace) ||
         (!one.freezes_credentials && other.freezes_credentials) || (!one.demands_step_up && other.demands_step_up);
}

std::optional<seconds> usual_length_of(CompromiseMode mode) { return line_of(mode).usual_length; }

seconds ModeInForce::access_lifetime(seconds usual) const {
  return std::min(usual, effects().access_lifetime_at_most.value_or(usual));
}

seconds ModeInForce::refresh_grace(seconds usual) const { return effects().has_refresh_grace ? usual : seconds(0); }

std::shared_ptr<const ModeState> ModeInForce::state() const {
  auto seen = seen_.get();
  const auto* const state = &seen->state;
  return {std::move(seen), state};
}

std::optional<Time> ModeInForce::proofs_count_from(const Clock& clock) const {
  if (!effects().demands_step_up) return std::nullopt;
  const auto seen = seen_.get();
  const auto seen_at = clock.now() - std::chrono::duration_cast<Time::duration>(clock.monotonic() - seen->at);
  return std::chrono::floor<seconds>(std::min(seen->state.since, seen_at));  // tokens say it in seconds
}

Status ModeInForce::check_change_of_credentials(Time now) const {
  if (!effects().freezes_credentials) return {};
  Error error{.code = ErrorCode::frozen};
  error.detail.text = "Passwords, addresses and keys cannot be changed at the moment";
  const auto until = state()->expires_at;
  if (until) {
    error.detail.text += "; at the latest after " + to_rfc3339(*until) + " they can";
    error.retry_after = std::max(seconds(1), std::chrono::ceil<seconds>(*until - now));
  }
  error.detail.text += ".";
  return refuse(std::move(error));
}

void ModeInForce::set(ModeState state, MonotonicTime now) {
  const auto mode = state.mode;
  const auto before = seen_.get();
  const bool is_the_same = before->state.mode == mode && before->state.since == state.since;
  seen_.set(std::make_shared<const Seen>(Seen{.state = std::move(state), .at = is_the_same ? before->at : now}));
  mode_.store(mode, std::memory_order_relaxed);
}

}  // namespace safawinet
