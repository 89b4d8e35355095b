#include "api/forced_logout_api.hpp"

#include <utility>

namespace safawinet::api {

Task<Result<ForcedLogoutAnswer>> ForcedLogoutApi::force_logout(Call& call, ForceLogoutInput input) {
  const auto user = co_await find_target(input);
  if (!user) co_return std::unexpected(user.error());
  co_return co_await end_sessions(call, user->id, input.reason, input.include_own_session.value_or(false));
}

Task<Result<ForcedLogoutAnswer>> ForcedLogoutApi::force_logout_all(Call& call, ForceLogoutAllInput input) {
  // Awaited here: `input` must outlive what refers to it.
  co_return co_await end_sessions(call, std::nullopt, input.reason, input.include_own_session.value_or(false));
}

Task<Result<User>> ForcedLogoutApi::find_target(const ForceLogoutInput& input) {
  if (input.user_id.has_value() == input.email.has_value()) {
    Error error{.code = ErrorCode::invalid_fields};
    error.fields.push_back({"/userId", "required", "name the user by either userId or email"});
    co_return refuse(std::move(error));
  }
  if (input.email) {
    auto user = co_await accounts_.find(*input.email);
    if (!user) co_return refuse(ErrorCode::not_found);
    co_return std::move(*user);
  }
  co_return co_await accounts_.get(*input.user_id);
}

Task<Result<ForcedLogoutAnswer>> ForcedLogoutApi::end_sessions(Call& call, std::optional<UserId> user,
                                                               const std::optional<BoundedText<0, 500>>& reason,
                                                               bool include_own) {
  ForcedLogout command{.user = user,
                       .spared = include_own ? std::nullopt : call.acting->session,
                       .reason = reason ? reason->value : std::string(),
                       .acting = *call.acting,
                       .origin = call.origin()};
  const auto ended = co_await sessions_.force_logout(std::move(command));
  if (!ended) co_return std::unexpected(ended.error());
  ForcedLogoutAnswer answer{
      .sessions_ended = ended->sessions,
      .spared_session = ended->spared,
      .revocation = {.scope = user ? "user" : "global", .sequence = ended->revocation_sequence, .epoch = ended->epoch}};
  co_return answer;
}

}  // namespace safawinet::api
