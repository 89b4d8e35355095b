#include "api/auth_api.hpp"

#include <utility>

#include "api/bearer.hpp"

namespace safawinet::api {
namespace {

template <class Answer>
Result<Answer> answer_or_error(const Status& status) {
  if (!status) return std::unexpected(status.error());
  return Answer{};
}

std::string text_or_empty(std::optional<BoundedText<0, 100>>& text) {
  return text ? std::move(text->value) : std::string();
}

}  // namespace

Task<Result<Accepted>> AuthApi::register_user(Call& call, RegisterInput input) {
  Registration registration{.email = std::move(input.email),
                            .password = std::move(input.password),
                            .name = text_or_empty(input.name),
                            .invitation = std::move(input.invitation)};
  const auto status = co_await accounts_.register_user(std::move(registration), call.visitor());
  co_return answer_or_error<Accepted>(status);
}

Task<Result<NoContent>> AuthApi::verify_email(Call& call, TokenInput input) {
  const auto status = co_await accounts_.verify_email(std::move(input.token), call.visitor());
  co_return answer_or_error<NoContent>(status);
}

Task<Result<Accepted>> AuthApi::resend_verification(Call& call, EmailInput input) {
  const auto status = co_await accounts_.resend_verification(std::move(input.email), call.visitor());
  co_return answer_or_error<Accepted>(status);
}

Task<Result<Accepted>> AuthApi::forgot_password(Call& call, EmailInput input) {
  const auto status = co_await accounts_.forgot_password(std::move(input.email), call.visitor());
  co_return answer_or_error<Accepted>(status);
}

Task<Result<NoContent>> AuthApi::reset_password(Call& call, ResetPasswordInput input) {
  const auto status =
      co_await accounts_.reset_password(std::move(input.token), std::move(input.new_password), call.visitor());
  co_return answer_or_error<NoContent>(status);
}

Task<Result<LoginAnswer>> AuthApi::log_in(Call& call, LoginInput input) {
  Login login{.email = std::move(input.email),
              .password = std::move(input.password),
              .device_name = text_or_empty(input.device_name)};
  auto logged_in = co_await accounts_.log_in(std::move(login), call.visitor());
  if (!logged_in) co_return std::unexpected(std::move(logged_in.error()));
  co_return to_answer(std::move(*logged_in));
}

Task<Result<RefreshAnswer>> AuthApi::refresh(Call& call, RefreshInput input) {
  auto tokens = co_await sessions_.refresh(input.refresh_token, call.origin());
  if (!tokens) co_return std::unexpected(std::move(tokens.error()));
  RefreshAnswer answer{.access_token = std::move(tokens->access_token),
                       .refresh_token = std::move(tokens->refresh_token),
                       .token_type = "Bearer",
                       .expires_in = tokens->expires_in.count()};
  co_return answer;
}

Task<Result<NoContent>> AuthApi::log_out(Call& call, LogoutInput input) {
  if (input.refresh_token) {
    co_await sessions_.end_by_token(*input.refresh_token, call.origin());
    co_return NoContent{};
  }
  const auto token = bearer_token(call.request);
  if (!token) {
    co_return refuse(
        Error{.code = ErrorCode::invalid_fields,
              .fields = {{"/refreshToken", "required", "send a refresh token, or an access token as Bearer"}}});
  }
  const auto caller = guard_.authenticate(*token);
  if (!caller && caller.error().code != ErrorCode::unauthenticated) co_return std::unexpected(caller.error());
  if (caller) co_await sessions_.end_one(caller->user, caller->session, "logout", call.origin());
  co_return NoContent{};
}

}  // namespace safawinet::api
