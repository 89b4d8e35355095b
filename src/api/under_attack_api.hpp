// Whether logins are under attack, and saying so.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "accounts/under_attack.hpp"
#include "api/call.hpp"
#include "api/route.hpp"
#include "api/types.hpp"

namespace safawinet {

template <>
struct JsonType<AttackMode> {
  static std::expected<AttackMode, FieldError> decode(const boost::json::value& value);
  static void encode(std::string& out, const AttackMode& mode) { append_json_text(out, name_of(mode)); }
  static boost::json::object schema();
};

namespace api {

inline constexpr std::int64_t kShortestAttackOrder = 60;          // seconds
inline constexpr std::int64_t kLongestAttackOrder = 30 * 86'400;  // seconds

struct AttackOrderInput {
  AttackMode state = AttackMode::automatic;
  BoundedText<1, 500> reason;
  std::optional<std::int64_t> expires_in;  // seconds; none: until the next order
};
BOOST_DESCRIBE_STRUCT(AttackOrderInput, (), (state, reason, expires_in))

struct AttackAnswer {
  bool is_under_attack = false;
  AttackMode state = AttackMode::automatic;  // ordered, else as the setting says
  AttackMode setting = AttackMode::automatic;
  std::optional<Time> noticed_at;
  std::string reason;
  std::string ordered_by;
  std::optional<Time> ordered_at;
  std::optional<Time> expires_at;
};
BOOST_DESCRIBE_STRUCT(AttackAnswer, (),
                      (is_under_attack, state, setting, noticed_at, reason, ordered_by, ordered_at, expires_at))

class UnderAttackApi {
 public:
  explicit UnderAttackApi(UnderAttack& under_attack) : under_attack_(under_attack) {}

  Task<Result<AttackAnswer>> get(Call& call);
  Task<Result<AttackAnswer>> order(Call& call, AttackOrderInput input);

 private:
  UnderAttack& under_attack_;
};

}  // namespace api
}  // namespace safawinet
