// The SQL of second factors, and nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/task.hpp"
#include "factors/totp.hpp"
#include "sql/database.hpp"

namespace safawinet {

// Offered, and asked for once it is confirmed.
struct TotpFactor {
  std::string sealed;
  std::int64_t credential_version = 0;  // of the user, when it was offered
  UsedSteps used;
  Time created_at;
  std::optional<Time> confirmed_at;
  std::optional<Time> last_used_at;
};

// Of nodes that write at the same moment, the locks of a transaction make one wait for the other: whoever changes the
// factor of a user, or takes a code of it, locks the row of the user first.
//
// Threading: any event loop.
class FactorStore {
 public:
  Task<std::optional<TotpFactor>> find(sql::Database& database, UserId user);
  Task<std::optional<TotpFactor>> find(sql::Transaction& transaction, UserId user);
  // In place of an earlier offer. False: one is confirmed.
  Task<bool> offer(sql::Transaction& transaction, UserId user, std::string_view sealed, std::int64_t credential_version,
                   Time now);
  // False: what was offered is something else by now, or confirmed.
  Task<bool> confirm(sql::Transaction& transaction, UserId user, std::string_view sealed, const UsedSteps& used,
                     Time now);
  Task<void> set_used(sql::Transaction& transaction, UserId user, const UsedSteps& used, Time now);
  // With the backup codes, and an offer as well. True if one was confirmed.
  Task<bool> remove(sql::Transaction& transaction, UserId user);

  Task<void> replace_backup_codes(sql::Transaction& transaction, UserId user, const std::vector<std::string>& macs);
  Task<bool> has_backup_code(sql::Database& database, UserId user, std::string_view mac);
  // Uses it up: at most one caller gets it.
  Task<bool> take_backup_code(sql::Transaction& transaction, UserId user, std::string_view mac);
  Task<std::int64_t> count_backup_codes(sql::Database& database, UserId user);
};

}  // namespace safawinet
