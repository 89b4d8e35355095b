// /v1/auth: signing up, proving an address, logging in and out.
#pragma once

#include "accounts/account_service.hpp"
#include "api/call.hpp"
#include "api/refresh_cookie.hpp"
#include "api/types.hpp"
#include "factors/readmission.hpp"
#include "factors/second_step.hpp"
#include "sessions/access_guard.hpp"
#include "sessions/session_service.hpp"

namespace safawinet::api {

class AuthApi {
 public:
  struct Parts {
    AccountService& accounts;
    SessionService& sessions;
    AccessGuard& guard;
    SecondStep& second_step;
    Readmission& readmission;
    BrowserOrigins origins;
  };
  explicit AuthApi(Parts parts) : parts_(std::move(parts)) {}

  Task<Result<Accepted>> register_user(Call& call, RegisterInput input);
  Task<Result<NoContent>> verify_email(Call& call, TokenInput input);
  Task<Result<Accepted>> resend_verification(Call& call, EmailInput input);
  Task<Result<Accepted>> forgot_password(Call& call, EmailInput input);
  Task<Result<NoContent>> reset_password(Call& call, ResetPasswordInput input);
  Task<Result<LoginAnswer>> log_in(Call& call, LoginInput input);
  // The second step, with the ticket of the first.
  Task<Result<LoginAnswer>> log_in_with_code(Call& call, SecondFactorInput input);
  // For an account that is held because its mails bounce.
  Task<Result<Accepted>> give_new_address(Call& call, NewAddressInput input);
  // By the refresh token in the body, else by that of the cookie; the successor goes where it came from.
  Task<Result<RefreshAnswer>> refresh(Call& call, RefreshInput input);
  // By the refresh token in the body, else by that of the cookie, else by Bearer; fine when the session has ended
  // already.
  Task<Result<NoContent>> log_out(Call& call, LogoutInput input);

 private:
  // None without the cookie. Errors: origin_not_allowed, unreadable_request.
  [[nodiscard]] Result<std::optional<SecretText>> cookie_of(const Call& call) const;

  Parts parts_;
};

}  // namespace safawinet::api
