// Who acts where a permission is asked for: a signed-in person, an API key, or somebody at the machine itself.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "access/permission.hpp"
#include "access/role.hpp"
#include "audit/origin.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"

namespace safawinet {

using ApiKeyId = Id<struct ApiKeyTag>;

// As it was when the request was let in; what changes anything asks again in its transaction (standing.hpp).
struct Operator {
  Actor actor;                  // for the record: "user:<id>", "api-key:<id>", "os:<name>"
  Role rank = Role::customer;   // decides whom the acts may be aimed at: the person's role, or that of a key's owner
  PermissionSet permissions{};  // of the rank; of a key: those it was given that its owner still has
  std::optional<UserId> user{};
  std::optional<SessionId> session{};
  std::optional<ApiKeyId> api_key{};
  std::optional<UserId> key_owner{};
  bool has_proved_lately = true;  // within kStepUpLifetime; people alone are asked

  static Operator person(UserId user, SessionId session, Role role);
  // Whoever may read the master key and the database of this machine, by the name of their account there.
  static Operator local(const std::string& account);

  // The person whose power it is: who acts, or who owns the key. None at the machine itself, and for keys made there.
  [[nodiscard]] std::optional<UserId> owner() const { return user ? user : key_owner; }
  [[nodiscard]] bool may(Permission permission) const { return permissions.contains(permission); }
  // Ending sessions, helping with a login: anybody up to the same rank.
  [[nodiscard]] bool may_contain(Role target) const { return target <= rank; }
  // Disabling, deleting, changing a role: those below. Superadmins answer to each other.
  [[nodiscard]] bool may_govern(Role target) const { return target < rank || rank == Role::superadmin; }
  // Nobody grants above themselves.
  [[nodiscard]] bool may_grant(Role role) const { return role <= rank; }
};

// A proof of who one is counts for so long where one is asked for ("step-up").
inline constexpr std::chrono::minutes kStepUpLifetime{10};
// What is refused to somebody whose last proof is older.
Error step_up_required();

// Forbidden, since the user has a higher role than the operator.
Error above_rank(UserId target);
// Forbidden, since the user has the operator's role, or a higher one.
Error not_below(UserId target);

}  // namespace safawinet
