// For staff: ending all sessions of one user, or of everybody.
#pragma once

#include <optional>

#include "accounts/account_service.hpp"
#include "api/admin_bodies.hpp"
#include "api/call.hpp"
#include "sessions/session_service.hpp"

namespace safawinet::api {

// The caller's own session is spared unless asked otherwise. Who has a higher role than the caller is not signed out.
class ForcedLogoutApi {
 public:
  ForcedLogoutApi(AccountService& accounts, SessionService& sessions) : accounts_(accounts), sessions_(sessions) {}

  Task<Result<ForcedLogoutAnswer>> force_logout(Call& call, ForceLogoutInput input);
  Task<Result<ForcedLogoutAnswer>> force_logout_all(Call& call, ForceLogoutAllInput input);

 private:
  Task<Result<User>> find_target(const ForceLogoutInput& input);
  Task<Result<ForcedLogoutAnswer>> end_sessions(Call& call, std::optional<UserId> user,
                                                const std::optional<BoundedText<0, 500>>& reason, bool include_own);

  AccountService& accounts_;
  SessionService& sessions_;
};

}  // namespace safawinet::api
