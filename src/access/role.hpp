// Roles.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace safawinet {

// In ascending order: each may do what the ones before it may.
enum class Role { customer, support, admin, superadmin };
inline constexpr std::array kRoles{Role::customer, Role::support, Role::admin, Role::superadmin};

std::string_view name_of(Role role);
std::optional<Role> parse_role(std::string_view name);

}  // namespace safawinet
