#include "access/permission.hpp"

#include <algorithm>
#include <array>

namespace safawinet {
namespace {

struct Line {
  Permission permission;
  std::string_view name;
  Role from;  // and the roles above it
  std::string_view meaning;
};

// The whole of who may do what. Whom an act may be aimed at is in operator.hpp. What contains damage (ending sessions)
// is wide, so that whoever is there at night can do it; what grants, reveals or destroys is narrow.
//
// clang-format off
constexpr std::array<Line, kPermissions> kTable{{
    {Permission::users_read,        "users:read",        Role::support,    "look users up"},
    {Permission::users_assist,      "users:assist",      Role::support,    "mail a link to choose a new password, unlock after wrong ones"},
    {Permission::users_write,       "users:write",       Role::admin,      "create, invite, verify, disable and enable users"},
    {Permission::users_delete,      "users:delete",      Role::admin,      "delete users"},
    {Permission::users_export,      "users:export",      Role::admin,      "read all users, page by page"},
    {Permission::users_import,      "users:import",      Role::admin,      "bring users in from another system, with their password hashes"},
    {Permission::factors_reset,     "factors:reset",     Role::admin,      "take away the second factor of a user who has lost it"},
    {Permission::roles_write,       "roles:write",       Role::admin,      "change roles, up to one's own"},
    {Permission::sessions_read,     "sessions:read",     Role::support,    "see the sessions of a user"},
    {Permission::sessions_find,     "sessions:find",     Role::support,    "find what a leaked token, a log line or an address belongs to"},
    {Permission::sessions_end,      "sessions:end",      Role::support,    "end sessions of one user"},
    {Permission::sessions_end_bulk, "sessions:end-bulk", Role::admin,      "end the sessions that match criteria"},
    {Permission::sessions_end_all,  "sessions:end-all",  Role::admin,      "end everybody's sessions"},
    {Permission::audit_read,        "audit:read",        Role::admin,      "read, verify and export the audit log"},
    {Permission::audit_erase,       "audit:erase",       Role::superadmin, "erase personal data from the audit log"},
    {Permission::api_keys_read,     "api-keys:read",     Role::admin,      "see API keys"},
    {Permission::api_keys_write,    "api-keys:write",    Role::admin,      "create and revoke API keys"},
    {Permission::keys_read,         "keys:read",         Role::admin,      "see which keys make and verify tokens, and how old the secrets are"},
    {Permission::keys_rotate,       "keys:rotate",       Role::admin,      "rotate keys, and distrust those that have leaked"},
    {Permission::tokens_introspect, "tokens:introspect", Role::admin,      "ask whether a token is good (RFC 7662)"},
    {Permission::revocations_read,  "revocations:read",  Role::admin,      "read the revocation feed"},
    {Permission::limits_read,       "limits:read",       Role::support,    "see whether logins are under attack"},
    {Permission::limits_write,      "limits:write",      Role::admin,      "say whether logins are under attack"},
    {Permission::mode_read,         "mode:read",         Role::support,    "see the compromise mode, and why it is so"},
    {Permission::mode_write,        "mode:write",        Role::admin,      "raise and lower the compromise mode"},
    {Permission::mail_read,         "mail:read",         Role::support,    "see what became of mail, what waits, and which addresses get none"},
    {Permission::mail_write,        "mail:write",        Role::admin,      "suppress addresses, record bounces, send and drop waiting mail"},
}};
// clang-format on

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<std::size_t>(kTable[i].permission) != i) return false;
  }
  return true;
}
static_assert(is_in_order(), "the table has the order of the enumeration");

const Line& line_of(Permission permission) { return kTable.at(static_cast<std::size_t>(permission)); }

}  // namespace

std::string_view name_of(Permission permission) { return line_of(permission).name; }

std::string_view meaning_of(Permission permission) { return line_of(permission).meaning; }

std::optional<Permission> parse_permission(std::string_view name) {
  for (const auto& line : kTable) {
    if (line.name == name) return line.permission;
  }
  return std::nullopt;
}

std::vector<Permission> all_permissions() { return PermissionSet::all().list(); }

Role least_role(Permission permission) { return line_of(permission).from; }

PermissionSet PermissionSet::all() {
  PermissionSet set;
  set.bits_.set();
  return set;
}

PermissionSet PermissionSet::operator&(const PermissionSet& other) const {
  PermissionSet both;
  both.bits_ = bits_ & other.bits_;
  return both;
}

std::vector<Permission> PermissionSet::list() const {
  std::vector<Permission> permissions;
  for (const auto& line : kTable) {
    if (contains(line.permission)) permissions.push_back(line.permission);
  }
  return permissions;
}

std::string to_text(const PermissionSet& permissions) {
  std::string text;
  for (const auto permission : permissions.list()) text.append(text.empty() ? "" : " ").append(name_of(permission));
  return text;
}

PermissionSet parse_permissions(std::string_view text) {
  PermissionSet permissions;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    if (const auto permission = parse_permission(text.substr(0, end))) permissions.insert(*permission);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return permissions;
}

PermissionSet permissions_of(Role role) {
  PermissionSet set;
  for (const auto& line : kTable) {
    if (role >= line.from) set.insert(line.permission);
  }
  return set;
}

}  // namespace safawinet
