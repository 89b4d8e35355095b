// /v1/users/me: one's own account.
#pragma once

#include "accounts/account_service.hpp"
#include "api/call.hpp"
#include "api/types.hpp"

namespace safawinet::api {

class UsersApi {
 public:
  explicit UsersApi(AccountService& accounts) : accounts_(accounts) {}

  Task<Result<UserAnswer>> get_me(Call& call);
  Task<Result<UserAnswer>> patch_me(Call& call, ProfileInput input);
  Task<Result<NoContent>> delete_me(Call& call, PasswordInput input);
  Task<Result<NoContent>> change_password(Call& call, ChangePasswordInput input);
  Task<Result<Accepted>> change_email(Call& call, ChangeEmailInput input);

 private:
  AccountService& accounts_;
};

}  // namespace safawinet::api
