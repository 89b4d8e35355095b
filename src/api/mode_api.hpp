// The compromise mode: what is in force, and the switch.
#pragma once

#include <optional>
#include <string>

#include "api/call.hpp"
#include "api/types.hpp"
#include "incidents/mode_switch.hpp"

namespace safawinet {

template <>
struct JsonType<CompromiseMode> {
  static std::expected<CompromiseMode, FieldError> decode(const boost::json::value& value);
  static void encode(std::string& out, const CompromiseMode& mode) { append_json_text(out, name_of(mode)); }
  static boost::json::object schema();
};

namespace api {

struct ModeInput {
  CompromiseMode mode = CompromiseMode::normal;
  std::optional<BoundedText<0, 500>> reason;
  std::optional<std::int64_t> expires_in;  // seconds
  std::optional<bool> dry_run;
};
BOOST_DESCRIBE_STRUCT(ModeInput, (), (mode, reason, expires_in, dry_run))

struct ModeEffectsAnswer {
  std::int64_t access_lifetime_seconds = 0;
  std::int64_t refresh_grace_seconds = 0;
  bool credentials_frozen = false;
  bool step_up_demanded = false;
};
BOOST_DESCRIBE_STRUCT(ModeEffectsAnswer, (),
                      (access_lifetime_seconds, refresh_grace_seconds, credentials_frozen, step_up_demanded))

struct ModeAnswer {
  CompromiseMode mode = CompromiseMode::normal;
  std::string reason;
  std::string actor;
  Time since;
  std::optional<Time> expires_at;
  ModeEffectsAnswer effects;
};
BOOST_DESCRIBE_STRUCT(ModeAnswer, (), (mode, reason, actor, since, expires_at, effects))

class ModeApi {
 public:
  // The figures: what the settings say, which a mode can only make shorter.
  struct Usual {
    std::chrono::seconds access_lifetime{};
    std::chrono::seconds refresh_grace{};
  };
  ModeApi(ModeSwitch& modes, Usual usual) : modes_(modes), usual_(usual) {}

  Task<Result<ModeAnswer>> get(Call& call);
  Task<Result<ModeAnswer>> set(Call& call, ModeInput input);

 private:
  [[nodiscard]] ModeAnswer to_answer(const ModeState& state) const;

  ModeSwitch& modes_;
  const Usual usual_;
};

}  // namespace api
}  // namespace safawinet
