// For staff: finding users, seeing their sessions, inviting, disabling, roles, and forced logout.
#pragma once

#include "accounts/account_service.hpp"
#include "accounts/administration.hpp"
#include "api/admin_bodies.hpp"
#include "api/call.hpp"
#include "api/types.hpp"
#include "sessions/session_service.hpp"

namespace safawinet::api {

class AdminApi {
 public:
  AdminApi(AccountService& accounts, SessionService& sessions, Administration& administration)
      : accounts_(accounts), sessions_(sessions), administration_(administration) {}

  Task<Result<UserPage>> list_users(Call& call);
  Task<Result<AdminUserAnswer>> get_user(Call& call);
  Task<Result<SessionPage>> list_sessions_of(Call& call);
  Task<Result<Accepted>> invite(Call& call, EmailInput input);

  Task<Result<AdminUserAnswer>> disable(Call& call, DisableInput input);
  Task<Result<AdminUserAnswer>> enable(Call& call, EnableInput input);
  Task<Result<AdminUserAnswer>> change_role(Call& call, ChangeRoleInput input);

  // The caller's own session is spared unless asked otherwise. Who has a higher role than the caller is not signed out.
  Task<Result<ForcedLogoutAnswer>> force_logout(Call& call, ForceLogoutInput input);
  Task<Result<ForcedLogoutAnswer>> force_logout_all(Call& call, ForceLogoutAllInput input);

 private:
  Task<Result<User>> find_target(const ForceLogoutInput& input);
  Task<Result<ForcedLogoutAnswer>> end_sessions(Call& call, std::optional<UserId> user,
                                                const std::optional<BoundedText<0, 500>>& reason, bool include_own);

  AccountService& accounts_;
  SessionService& sessions_;
  Administration& administration_;
};

}  // namespace safawinet::api
