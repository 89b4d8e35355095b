// The compromise mode: how much is restricted while an incident is dealt with. compromise_mode.cpp holds the one table
// of it; src/incidents/ has the switch.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/published.hpp"

namespace safawinet {

// In the order in which an incident goes; `contain` restricts the most.
enum class CompromiseMode { normal, watch, contain, recover };
inline constexpr std::array kCompromiseModes{CompromiseMode::normal, CompromiseMode::watch, CompromiseMode::contain,
                                             CompromiseMode::recover};

struct ModeEffects {
  // No access token is good for longer, whenever it was issued and whatever it says; none: as the settings have it.
  std::optional<std::chrono::seconds> access_lifetime_at_most;
  bool has_refresh_grace = true;
  // No password, address, second factor, API key or imported account is changed or made.
  bool freezes_credentials = false;
  // People prove anew who they are: what they proved before the mode counts no more where a proof is asked for, and it
  // is asked for before changes of one's own credentials too (StepUp::guarded in api/route.hpp).
  bool demands_step_up = false;
};

std::string_view name_of(CompromiseMode mode);
std::optional<CompromiseMode> parse_compromise_mode(std::string_view name);
const ModeEffects& effects_of(CompromiseMode mode);
// Whether `one` leaves anything open that `other` does not.
bool restricts_less(const ModeEffects& one, const ModeEffects& other);
// How long it lasts when nobody says otherwise; none: for ever, as `normal` does.
std::optional<std::chrono::seconds> usual_length_of(CompromiseMode mode);

struct ModeState {
  CompromiseMode mode = CompromiseMode::normal;
  std::string reason;  // for operators alone
  std::string actor;   // as in the record: "user:<id>", "system", …
  Time since;
  std::optional<Time> expires_at;  // then it becomes normal by itself; none: normal, or set by SQL without an end

  bool operator==(const ModeState&) const = default;
};

// What this node knows of it. Threading: any thread.
class ModeInForce {
 public:
  [[nodiscard]] std::shared_ptr<const ModeState> state() const;
  [[nodiscard]] const ModeEffects& effects() const { return effects_of(mode_.load(std::memory_order_relaxed)); }
  // What is left of these in this mode.
  [[nodiscard]] std::chrono::seconds access_lifetime(std::chrono::seconds usual) const;
  [[nodiscard]] std::chrono::seconds refresh_grace(std::chrono::seconds usual) const;
  // From when on a proof of who one is counts: since the mode was set, and at the latest since this node first saw it,
  // so that a clock which was ahead then keeps nobody out. None: from ever.
  [[nodiscard]] std::optional<Time> proofs_count_from(const Clock& clock) const;
  // To be asked before credentials are changed or made, and again in the transaction where a hash takes its time in
  // between. Errors: frozen; it says until when, and not why.
  [[nodiscard]] Status check_change_of_credentials(Time now) const;

  void set(ModeState state, MonotonicTime now);

 private:
  struct Seen {
    ModeState state;
    MonotonicTime at;  // first
  };
  std::atomic<CompromiseMode> mode_{CompromiseMode::normal};  // of `seen_`: asked for with every request
  Published<Seen> seen_{std::make_shared<const Seen>()};
};

}  // namespace safawinet
