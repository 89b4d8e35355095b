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

Operator Operator::local(std::string account) {
  return {.actor = Actor{"os:" + std::move(account)},
          .rank = Role::superadmin,
          .permissions = PermissionSet::all(),
          .user = {},
          .session = {},
          .api_key = {}};
}

Error above_rank(UserId target) {
  return {.code = ErrorCode::forbidden,
          .detail = {"This user has a higher role than yours."},
          .target = "user:" + target.text()};
}

Error not_below(UserId target) {
  return {.code = ErrorCode::forbidden,
          .detail = {"This user's role is not below yours."},
          .target = "user:" + target.text()};
}

}  // namespace safawinet
