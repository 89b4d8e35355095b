#include "access/operator.hpp"

#include <utility>

namespace safawinet {

Operator Operator::person(UserId user, SessionId session, Role role) {
  return {.actor = Actor::user(user),
          .rank = role,
          .permissions = permissions_of(role),
          .user = user,
          .session = session,
          .api_key = {}};
}

Operator Operator::local(const std::string& account) {
  return {.actor = Actor::local(account),
          .rank = Role::superadmin,
          .permissions = PermissionSet::all(),
          .user = {},
          .session = {},
          .api_key = {}};
}

Error step_up_required() {
  return {.code = ErrorCode::step_up_required,
          .detail = {"POST /v1/auth/step-up with your password or a code of your second factor first."},
          .max_age = kStepUpLifetime,
          .figures = {{"maxAge", std::chrono::seconds(kStepUpLifetime).count()}}};
}

Error above_rank(UserId target) {
  return {
      .code = ErrorCode::forbidden, .detail = {"This user has a higher role than yours."}, .target = target_of(target)};
}

Error not_below(UserId target) {
  return {
      .code = ErrorCode::forbidden, .detail = {"This user's role is not below yours."}, .target = target_of(target)};
}

}  // namespace safawinet
