// /v1/auth: signing up, proving an address, logging in and out.
#pragma once

#include "accounts/account_service.hpp"
#include "api/call.hpp"
#include "api/types.hpp"
#include "sessions/access_guard.hpp"
#include "sessions/session_service.hpp"

namespace safawinet::api {

class AuthApi {
 public:
  AuthApi(AccountService& accounts, SessionService& sessions, AccessGuard& guard)
      : accounts_(accounts), sessions_(sessions), guard_(guard) {}

  Task<Result<Accepted>> register_user(Call& call, RegisterInput input);
  Task<Result<NoContent>> verify_email(Call& call, TokenInput input);
  Task<Result<Accepted>> resend_verification(Call& call, EmailInput input);
  Task<Result<Accepted>> forgot_password(Call& call, EmailInput input);
  Task<Result<NoContent>> reset_password(Call& call, ResetPasswordInput input);
  Task<Result<LoginAnswer>> log_in(Call& call, LoginInput input);
  Task<Result<RefreshAnswer>> refresh(Call& call, RefreshInput input);
  // By refresh token or by Bearer; fine when the session has ended already.
  Task<Result<NoContent>> log_out(Call& call, LogoutInput input);

 private:
  AccountService& accounts_;
  SessionService& sessions_;
  AccessGuard& guard_;
};

}  // namespace safawinet::api
