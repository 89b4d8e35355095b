#include "api/mode_api.hpp"

#include <algorithm>
#include <utility>

namespace safawinet {

std::expected<CompromiseMode, FieldError> JsonType<CompromiseMode>::decode(const boost::json::value& value) {
  const auto text = text_of(value);
  if (!text) return std::unexpected(text.error());
  const auto mode = parse_compromise_mode(*text);
  if (mode) return *mode;
  return bad_value("not-one-of", "must be one of normal, watch, contain, recover");
}

boost::json::object JsonType<CompromiseMode>::schema() {
  return {{"type", "string"}, {"enum", {"normal", "watch", "contain", "recover"}}};
}

namespace api {

Task<Result<ModeAnswer>> ModeApi::get(Call&) {
  co_await modes_.look();
  co_return to_answer(*modes_.state());
}

Task<Result<ModeAnswer>> ModeApi::set(Call& call, ModeInput input) {
  ModeOrder order{.mode = input.mode,
                  .reason = text_or_empty(input.reason),
                  .length = {},
                  .is_preview = input.dry_run.value_or(false),
                  .acting = *call.acting,
                  .origin = call.origin()};
  // Far beyond what may be, so that nothing overflows: the service says what may be.
  constexpr std::int64_t kLongest = 1'000'000'000;
  if (input.expires_in) order.length.emplace(std::clamp<std::int64_t>(*input.expires_in, -1, kLongest));
  const auto state = co_await modes_.set(std::move(order));
  if (!state) co_return std::unexpected(state.error());
  co_return to_answer(*state);
}

ModeAnswer ModeApi::to_answer(const ModeState& state) const {
  const auto& effects = effects_of(state.mode);
  const auto access_lifetime =
      std::min(usual_.access_lifetime, effects.access_lifetime_at_most.value_or(usual_.access_lifetime));
  const auto grace = effects.has_refresh_grace ? usual_.refresh_grace : std::chrono::seconds(0);
  return {.mode = state.mode,
          .reason = state.reason,
          .actor = state.actor,
          .since = state.since,
          .expires_at = state.expires_at,
          .effects = {.access_lifetime_seconds = access_lifetime.count(),
                      .refresh_grace_seconds = grace.count(),
                      .credentials_frozen = effects.freezes_credentials,
                      .step_up_demanded = effects.demands_step_up}};
}

}  // namespace api
}  // namespace safawinet
