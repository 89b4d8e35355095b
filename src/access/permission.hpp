// What staff and API keys may do. permission.cpp holds the one table of it.
#pragma once

#include <bitset>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/role.hpp"

namespace safawinet {

enum class Permission {
  users_read,
  users_assist,
  users_write,
  users_delete,
  users_export,
  users_import,
  factors_reset,
  roles_write,
  sessions_read,
  sessions_find,
  sessions_end,
  sessions_end_bulk,
  sessions_end_all,
  audit_read,
  audit_erase,
  api_keys_read,
  api_keys_write,
  keys_read,
  keys_rotate,
  tokens_introspect,
  revocations_read,
  limits_read,
  limits_write,
  mode_read,
  mode_write,
  mail_read,
  mail_write,
};
inline constexpr std::size_t kPermissions = static_cast<std::size_t>(Permission::mail_write) + 1;

// "users:read": how API keys, the record and the API's description name it.
std::string_view name_of(Permission permission);
// What it allows, for help texts.
std::string_view meaning_of(Permission permission);
std::optional<Permission> parse_permission(std::string_view name);
// All of them, in the order of the table.
std::vector<Permission> all_permissions();

// The least role that has it.
Role least_role(Permission permission);

class PermissionSet {
 public:
  PermissionSet() = default;
  PermissionSet(std::initializer_list<Permission> permissions) {
    for (const auto permission : permissions) insert(permission);
  }
  static PermissionSet all();

  void insert(Permission permission) { bits_.set(static_cast<std::size_t>(permission)); }
  [[nodiscard]] bool contains(Permission permission) const { return bits_.test(static_cast<std::size_t>(permission)); }
  [[nodiscard]] bool includes(const PermissionSet& other) const { return (other.bits_ & ~bits_).none(); }
  [[nodiscard]] bool empty() const { return bits_.none(); }
  // What is in both.
  [[nodiscard]] PermissionSet operator&(const PermissionSet& other) const;
  // In the order of the table.
  [[nodiscard]] std::vector<Permission> list() const;

  bool operator==(const PermissionSet&) const = default;

 private:
  std::bitset<kPermissions> bits_;
};

// As API keys keep them: names with a space between them. What is no name (any more) is left out.
std::string to_text(const PermissionSet& permissions);
PermissionSet parse_permissions(std::string_view text);

// What a role may do: its own and what the roles below it may.
PermissionSet permissions_of(Role role);

}  // namespace safawinet
