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

// Puts the refresh token where it was asked for; gives what of it belongs into the body.
Omissible<SecretText> deliver(Call& call, IssuedTokens& tokens, Delivery delivery) {
  if (delivery == Delivery::body) return {std::move(tokens.refresh_token)};
  call.set_cookie = kept_refresh_cookie(tokens.refresh_token, tokens.session_ends_in);
  return {};
}

LoginAnswer to_answer(Call& call, LoggedIn logged_in, Delivery delivery) {
  const auto expires_in = logged_in.tokens.expires_in.count();
  return {.access_token = std::move(logged_in.tokens.access_token),
          .refresh_token = deliver(call, logged_in.tokens, delivery),
          .token_type = "Bearer",
          .expires_in = expires_in,
          .user = api::to_answer(logged_in.user)};
}

std::unexpected<Error> token_required(std::string detail) {
  return refuse(Error{.code = ErrorCode::invalid_fields, .fields = {{"/refreshToken", "required", std::move(detail)}}});
}

}  // namespace

Task<Result<Accepted>> AuthApi::register_user(Call& call, RegisterInput input) {
  Registration registration{.email = std::move(input.email),
                            .password = std::move(input.password),
                            .name = text_or_empty(input.name),
                            .invitation = std::move(input.invitation)};
  const auto status = co_await parts_.accounts.register_user(std::move(registration), call.visitor());
  co_return answer_or_error<Accepted>(status);
}

Task<Result<NoContent>> AuthApi::verify_email(Call& call, TokenInput input) {
  const auto status = co_await parts_.accounts.verify_email(std::move(input.token), call.visitor());
  co_return answer_or_error<NoContent>(status);
}

Task<Result<Accepted>> AuthApi::resend_verification(Call& call, EmailInput input) {
  const auto status = co_await parts_.accounts.resend_verification(std::move(input.email), call.visitor());
  co_return answer_or_error<Accepted>(status);
}

Task<Result<Accepted>> AuthApi::forgot_password(Call& call, EmailInput input) {
  const auto status = co_await parts_.accounts.forgot_password(std::move(input.email), call.visitor());
  co_return answer_or_error<Accepted>(status);
}

Task<Result<NoContent>> AuthApi::reset_password(Call& call, ResetPasswordInput input) {
  const auto status =
      co_await parts_.accounts.reset_password(std::move(input.token), std::move(input.new_password), call.visitor());
  co_return answer_or_error<NoContent>(status);
}

Task<Result<LoginAnswer>> AuthApi::log_in(Call& call, LoginInput input) {
  const auto delivery = input.delivery.value_or(Delivery::body);
  // Before the password is looked at: a page of another site can neither try one nor sign somebody in as somebody else.
  const auto allowed = delivery == Delivery::cookie ? parts_.origins.check(call.request) : Status();
  if (!allowed) co_return std::unexpected(allowed.error());
  Login login{.email = std::move(input.email),
              .password = std::move(input.password),
              .device_name = text_or_empty(input.device_name)};
  auto logged_in = co_await parts_.accounts.log_in(std::move(login), call.visitor());
  if (!logged_in) co_return std::unexpected(std::move(logged_in.error()));
  co_return to_answer(call, std::move(*logged_in), delivery);
}

Task<Result<LoginAnswer>> AuthApi::log_in_with_code(Call& call, SecondFactorInput input) {
  const auto delivery = input.delivery.value_or(Delivery::body);
  const auto allowed = delivery == Delivery::cookie ? parts_.origins.check(call.request) : Status();
  if (!allowed) co_return std::unexpected(allowed.error());
  auto logged_in = co_await parts_.second_step.log_in(std::move(input.ticket), std::move(input.code), call.visitor());
  if (!logged_in) co_return std::unexpected(std::move(logged_in.error()));
  co_return to_answer(call, std::move(*logged_in), delivery);
}

Task<Result<Accepted>> AuthApi::give_new_address(Call& call, NewAddressInput input) {
  NewAddress request{.email = std::move(input.email),
                     .password = std::move(input.password),
                     .new_email = std::move(input.new_email),
                     .code = std::move(input.code)};
  const auto given = co_await parts_.readmission.give_new_address(std::move(request), call.visitor());
  if (!given) co_return std::unexpected(given.error());
  co_return Accepted{};
}

Task<Result<RefreshAnswer>> AuthApi::refresh(Call& call, RefreshInput input) {
  const auto delivery = input.refresh_token ? Delivery::body : Delivery::cookie;
  if (delivery == Delivery::cookie) {
    auto cookie = cookie_of(call);
    if (!cookie) co_return std::unexpected(std::move(cookie.error()));
    input.refresh_token = std::move(*cookie);
  }
  if (!input.refresh_token) co_return token_required("send a refresh token, or the cookie that a login has set");
  auto tokens = co_await parts_.sessions.refresh(*input.refresh_token, call.origin());
  if (!tokens) {
    const bool is_over = tokens.error().code == ErrorCode::unauthenticated;
    if (is_over && delivery == Delivery::cookie) call.set_cookie = cleared_refresh_cookie();
    co_return std::unexpected(std::move(tokens.error()));
  }
  const auto expires_in = tokens->expires_in.count();
  RefreshAnswer answer{.access_token = std::move(tokens->access_token),
                       .refresh_token = deliver(call, *tokens, delivery),
                       .token_type = "Bearer",
                       .expires_in = expires_in};
  co_return answer;
}

Task<Result<NoContent>> AuthApi::log_out(Call& call, LogoutInput input) {
  if (input.refresh_token) {
    co_await parts_.sessions.end_by_token(*input.refresh_token, call.origin());
    co_return NoContent{};
  }
  const auto cookie = cookie_of(call);
  if (!cookie) co_return std::unexpected(cookie.error());
  if (*cookie) {
    co_await parts_.sessions.end_by_token(**cookie, call.origin());
    call.set_cookie = cleared_refresh_cookie();
    co_return NoContent{};
  }
  const auto token = bearer_token(call.request);
  if (!token) co_return token_required("send a refresh token, its cookie, or an access token as Bearer");
  const auto caller = parts_.guard.authenticate(*token);
  if (!caller && caller.error().code != ErrorCode::unauthenticated) co_return std::unexpected(caller.error());
  if (caller) co_await parts_.sessions.end_one(caller->user, caller->session, "logout", call.origin());
  co_return NoContent{};
}

Result<std::optional<SecretText>> AuthApi::cookie_of(const Call& call) const {
  auto cookie = find_refresh_cookie(call.request);
  if (!cookie || !*cookie) return cookie;
  const auto allowed = parts_.origins.check(call.request);
  if (!allowed) return std::unexpected(allowed.error());
  return cookie;
}

}  // namespace safawinet::api
