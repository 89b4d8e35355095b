#include "access/role.hpp"

#include <utility>

namespace safawinet {

std::string_view name_of(Role role) {
  switch (role) {
    case Role::customer:
      return "customer";
    case Role::support:
      return "support";
    case Role::admin:
      return "admin";
    case Role::superadmin:
      return "superadmin";
  }
  std::unreachable();
}

std::optional<Role> parse_role(std::string_view name) {
  for (const auto role : kRoles) {
    if (name_of(role) == name) return role;
  }
  return std::nullopt;
}

}  // namespace safawinet
