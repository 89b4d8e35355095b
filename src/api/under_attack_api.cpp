#include "api/under_attack_api.hpp"

#include <chrono>
#include <utility>

namespace safawinet {

std::expected<AttackMode, FieldError> JsonType<AttackMode>::decode(const boost::json::value& value) {
  const auto text = text_of(value);
  if (!text) return std::unexpected(text.error());
  const auto mode = parse_attack_mode(*text);
  if (mode) return *mode;
  return bad_value("not-one-of", "must be one of auto on off");
}

boost::json::object JsonType<AttackMode>::schema() { return {{"type", "string"}, {"enum", {"auto", "on", "off"}}}; }

namespace api {
namespace {

AttackAnswer to_answer(const AttackState& state) {
  return {.is_under_attack = state.is_on,
          .state = state.mode,
          .setting = state.setting,
          .noticed_at = state.noticed_at,
          .reason = state.reason,
          .ordered_by = state.ordered_by,
          .ordered_at = state.ordered_at,
          .expires_at = state.expires_at};
}

}  // namespace

Task<Result<AttackAnswer>> UnderAttackApi::get(Call& /*call*/) {
  const auto state = co_await under_attack_.get();
  co_return to_answer(state);
}

Task<Result<AttackAnswer>> UnderAttackApi::order(Call& call, AttackOrderInput input) {
  if (input.expires_in && (*input.expires_in < kShortestAttackOrder || *input.expires_in > kLongestAttackOrder)) {
    Error error{.code = ErrorCode::invalid_fields};
    error.fields.push_back({"/expiresIn", "out-of-range", "must be from 60 to 2592000 seconds"});
    co_return refuse(std::move(error));
  }
  AttackOrder order{.mode = input.state,
                    .reason = std::move(input.reason.value),
                    .lifetime = {},
                    .acting = *call.acting,
                    .origin = call.origin()};
  if (input.expires_in) order.lifetime = std::chrono::seconds(*input.expires_in);
  const auto state = co_await under_attack_.order(std::move(order));
  if (!state) co_return std::unexpected(state.error());
  co_return to_answer(*state);
}

}  // namespace api
}  // namespace safawinet
