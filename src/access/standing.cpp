#include "access/standing.hpp"

#include <string>
#include <utility>

namespace safawinet {
namespace {

constexpr sql::Statement kUser{"SELECT role, is_active FROM users WHERE id = $1",
                               "SELECT role, is_active FROM users WHERE id = $1 FOR SHARE"};

// An owner's row is locked, not the key's: a key changes with every minute of its use.
constexpr sql::Statement kKeyOfUser{
    "SELECT k.permissions, u.role, u.is_active FROM api_keys k JOIN users u ON u.id = k.owner "
    "WHERE k.id = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2)",
    "SELECT k.permissions, u.role, u.is_active FROM api_keys k JOIN users u ON u.id = k.owner "
    "WHERE k.id = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2) FOR SHARE"};
constexpr sql::Statement kKeyOfNobody{
    "SELECT permissions FROM api_keys "
    "WHERE id = $1 AND owner IS NULL AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)",
    "SELECT permissions FROM api_keys "
    "WHERE id = $1 AND owner IS NULL AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2) FOR SHARE"};

Operator cut_to(Operator claimed, Role rank, PermissionSet permissions) {
  claimed.rank = rank;
  claimed.permissions = permissions;
  return claimed;
}

Task<std::optional<Operator>> read_again(sql::Transaction& transaction, Operator claimed, Time now) {
  if (claimed.user) {
    const auto rows = co_await transaction.execute(kUser, *claimed.user);
    if (rows.empty() || !rows.front().get<bool>(1)) co_return std::nullopt;
    const auto role = parse_role(rows.front().get<std::string>(0));
    if (!role) co_return std::nullopt;
    co_return cut_to(std::move(claimed), *role, permissions_of(*role));
  }
  if (!claimed.api_key) co_return claimed;
  const auto owned = co_await transaction.execute(kKeyOfUser, *claimed.api_key, now);
  if (!owned.empty()) {
    const auto role = parse_role(owned.front().get<std::string>(1));
    if (!role || !owned.front().get<bool>(2)) co_return std::nullopt;
    const auto given = parse_permissions(owned.front().get<std::string>(0));
    co_return cut_to(std::move(claimed), *role, given & permissions_of(*role));
  }
  const auto unowned = co_await transaction.execute(kKeyOfNobody, *claimed.api_key, now);
  if (unowned.empty()) co_return std::nullopt;
  const auto given = parse_permissions(unowned.front().get<std::string>(0));
  co_return cut_to(std::move(claimed), Role::superadmin, given);
}

}  // namespace

Task<Result<Operator>> confirm(sql::Transaction& transaction, Operator claimed, Permission permission, Time now) {
  auto current = co_await read_again(transaction, std::move(claimed), now);
  if (!current || !current->may(permission)) {
    co_return refuse(ErrorCode::forbidden, "You may not do this any more.");
  }
  co_return std::move(*current);
}

}  // namespace safawinet
