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

std::optional<seconds> usual_length_of(CompromiseMode mode) { return line_of(mode).usual_length; }

seconds ModeInForce::access_lifetime(seconds usual) const {
  return std::min(usual, effects().access_lifetime_at_most.value_or(usual));
}

seconds ModeInForce::refresh_grace(seconds usual) const { return effects().has_refresh_grace ? usual : seconds(0); }

std::optional<Time> ModeInForce::proofs_count_from() const {
  if (!effects().demands_step_up) return std::nullopt;
  return std::chrono::floor<std::chrono::seconds>(state()->since);  // tokens say it in seconds
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

void ModeInForce::set(ModeState state) {
  const auto mode = state.mode;
  state_.set(std::make_shared<const ModeState>(std::move(state)));
  mode_.store(mode, std::memory_order_relaxed);
}

}  // namespace safawinet
