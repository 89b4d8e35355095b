#include "factors/factor_store.hpp"

namespace safawinet {
namespace {

using sql::Statement;

constexpr Statement kFind{
    "SELECT sealed, credential_version, used_steps, created_at, confirmed_at, last_used_at FROM totp_factors "
    "WHERE user_id = $1"};
constexpr Statement kOffer{
    "INSERT INTO totp_factors (user_id, sealed, credential_version, created_at) VALUES ($1, $2, $3, $4) "
    "ON CONFLICT (user_id) DO UPDATE SET sealed = excluded.sealed, credential_version = excluded.credential_version, "
    "created_at = excluded.created_at WHERE totp_factors.confirmed_at IS NULL"};
constexpr Statement kConfirm{
    "UPDATE totp_factors SET confirmed_at = $4, last_used_at = $4, used_steps = $3 "
    "WHERE user_id = $1 AND sealed = $2 AND confirmed_at IS NULL"};
constexpr Statement kSetUsed{"UPDATE totp_factors SET used_steps = $2, last_used_at = $3 WHERE user_id = $1"};
constexpr Statement kRemove{"DELETE FROM totp_factors WHERE user_id = $1 RETURNING confirmed_at"};

constexpr Statement kDeleteBackupCodes{"DELETE FROM backup_codes WHERE user_id = $1"};
constexpr Statement kInsertBackupCode{"INSERT INTO backup_codes (user_id, code_mac) VALUES ($1, $2)"};
constexpr Statement kHasBackupCode{"SELECT 1 FROM backup_codes WHERE user_id = $1 AND code_mac = $2"};
constexpr Statement kTakeBackupCode{"DELETE FROM backup_codes WHERE user_id = $1 AND code_mac = $2"};
constexpr Statement kCountBackupCodes{"SELECT count(*) FROM backup_codes WHERE user_id = $1"};

std::optional<TotpFactor> first_factor(const sql::Rows& rows) {
  if (rows.empty()) return std::nullopt;
  const auto& row = rows.front();
  return TotpFactor{.sealed = row.get<std::string>(0),
                    .credential_version = row.get<std::int64_t>(1),
                    .used = UsedSteps::parse(row.get<std::string>(2)),
                    .created_at = row.get<Time>(3),
                    .confirmed_at = row.find<Time>(4),
                    .last_used_at = row.find<Time>(5)};
}

}  // namespace

Task<std::optional<TotpFactor>> FactorStore::find(sql::Database& database, UserId user) {
  const auto rows = co_await database.read(kFind, user);
  co_return first_factor(rows);
}

Task<std::optional<TotpFactor>> FactorStore::find(sql::Transaction& transaction, UserId user) {
  const auto rows = co_await transaction.execute(kFind, user);
  co_return first_factor(rows);
}

Task<bool> FactorStore::offer(sql::Transaction& transaction, UserId user, std::string_view sealed,
                              std::int64_t credential_version, Time now) {
  const auto rows = co_await transaction.execute(kOffer, user, sealed, credential_version, now);
  co_return rows.affected == 1;
}

Task<bool> FactorStore::confirm(sql::Transaction& transaction, UserId user, std::string_view sealed,
                                const UsedSteps& used, Time now) {
  const auto rows = co_await transaction.execute(kConfirm, user, sealed, used.text(), now);
  co_return rows.affected == 1;
}

Task<void> FactorStore::set_used(sql::Transaction& transaction, UserId user, const UsedSteps& used, Time now) {
  co_await transaction.execute(kSetUsed, user, used.text(), now);
}

Task<bool> FactorStore::remove(sql::Transaction& transaction, UserId user) {
  co_await transaction.execute(kDeleteBackupCodes, user);
  const auto removed = co_await transaction.execute(kRemove, user);
  co_return !removed.empty() && removed.front().find<Time>(0).has_value();
}

Task<void> FactorStore::replace_backup_codes(sql::Transaction& transaction, UserId user,
                                             const std::vector<std::string>& macs) {
  co_await transaction.execute(kDeleteBackupCodes, user);
  for (const auto& mac : macs) co_await transaction.execute(kInsertBackupCode, user, mac);
}

Task<bool> FactorStore::has_backup_code(sql::Database& database, UserId user, std::string_view mac) {
  const auto rows = co_await database.read(kHasBackupCode, user, mac);
  co_return !rows.empty();
}

Task<bool> FactorStore::take_backup_code(sql::Transaction& transaction, UserId user, std::string_view mac) {
  const auto rows = co_await transaction.execute(kTakeBackupCode, user, mac);
  co_return rows.affected == 1;
}

Task<std::int64_t> FactorStore::count_backup_codes(sql::Database& database, UserId user) {
  const auto rows = co_await database.read(kCountBackupCodes, user);
  co_return rows.front().get<std::int64_t>(0);
}

}  // namespace safawinet
