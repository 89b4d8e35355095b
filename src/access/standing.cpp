#include "access/standing.hpp"

#include <string>
#include <utility>

namespace safawinet {
namespace {

#define SAFAWINET_USER "SELECT role, is_active FROM users WHERE id = $1"
#define SAFAWINET_KEY_OF_USER                                                                 \
  "SELECT k.permissions, u.role, u.is_active FROM api_keys k JOIN users u ON u.id = k.owner " \
  "WHERE k.id = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2)"
#define SAFAWINET_KEY_OF_NOBODY       \
  "SELECT permissions FROM api_keys " \
  "WHERE id = $1 AND owner IS NULL AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)"

struct Questions {
  sql::Statement user;
  sql::Statement key_of_user;
  sql::Statement key_of_nobody;
};

// The row of a key is locked with its owner's: noting its use, which happens all the time, passes over a locked row.
constexpr Questions kToKeep{.user = {SAFAWINET_USER, SAFAWINET_USER " FOR SHARE"},
                            .key_of_user = {SAFAWINET_KEY_OF_USER, SAFAWINET_KEY_OF_USER " FOR SHARE"},
                            .key_of_nobody = {SAFAWINET_KEY_OF_NOBODY, SAFAWINET_KEY_OF_NOBODY " FOR SHARE"}};
constexpr Questions kToLook{
    .user = {SAFAWINET_USER}, .key_of_user = {SAFAWINET_KEY_OF_USER}, .key_of_nobody = {SAFAWINET_KEY_OF_NOBODY}};

#undef SAFAWINET_USER
#undef SAFAWINET_KEY_OF_USER
#undef SAFAWINET_KEY_OF_NOBODY

template <class... Values>
Task<sql::Rows> ask(sql::Transaction& transaction, const sql::Statement& question, Values... values) {
  return transaction.execute(question, values...);
}

template <class... Values>
Task<sql::Rows> ask(sql::Database& database, const sql::Statement& question, Values... values) {
  return database.read(question, values...);
}

Operator cut_to(Operator claimed, Role rank, PermissionSet permissions) {
  claimed.rank = rank;
  claimed.permissions = permissions;
  return claimed;
}

template <class Source>
Task<std::optional<Operator>> read_again(Source& source, const Questions& questions, Operator claimed, Time now) {
  if (claimed.user) {
    const sql::Rows rows = co_await ask(source, questions.user, *claimed.user);
    if (rows.empty() || !rows.front().get<bool>(1)) co_return std::nullopt;
    const auto role = parse_role(rows.front().get<std::string>(0));
    if (!role) co_return std::nullopt;
    co_return cut_to(std::move(claimed), *role, permissions_of(*role));
  }
  if (!claimed.api_key) co_return claimed;
  const sql::Rows owned = co_await ask(source, questions.key_of_user, *claimed.api_key, now);
  if (!owned.empty()) {
    const auto role = parse_role(owned.front().get<std::string>(1));
    if (!role || !owned.front().get<bool>(2)) co_return std::nullopt;
    const auto given = parse_permissions(owned.front().get<std::string>(0));
    co_return cut_to(std::move(claimed), *role, given & permissions_of(*role));
  }
  const sql::Rows unowned = co_await ask(source, questions.key_of_nobody, *claimed.api_key, now);
  if (unowned.empty()) co_return std::nullopt;
  const auto given = parse_permissions(unowned.front().get<std::string>(0));
  co_return cut_to(std::move(claimed), Role::superadmin, given);
}

}  // namespace

Task<Result<Operator>> confirm(sql::Transaction& transaction, Operator claimed, Permission permission, Time now) {
  auto current = co_await read_again(transaction, kToKeep, std::move(claimed), now);
  if (!current || !current->may(permission)) {
    co_return refuse(ErrorCode::forbidden, "You may not do this any more.");
  }
  co_return std::move(*current);
}

Task<bool> still_may(sql::Database& database, Operator claimed, Permission permission, Time now) {
  const auto current = co_await read_again(database, kToLook, std::move(claimed), now);
  co_return current && current->may(permission);
}

}  // namespace safawinet
