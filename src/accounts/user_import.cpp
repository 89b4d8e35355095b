#include "accounts/user_import.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "access/standing.hpp"
#include "crypto/stored_hash.hpp"

namespace safawinet {
namespace {

using Kind = ImportKind;

std::vector<FieldError> faults_of(const ImportedAccount& account, const Operator& acting, Time now) {
  std::vector<FieldError> faults;
  if (account.role != Role::customer && !acting.may(Permission::roles_write)) {
    faults.push_back({"/role", "forbidden", "needs the permission roles:write"});
  } else if (!acting.may_grant(account.role)) {
    faults.push_back({"/role", "forbidden", "is above your own role"});
  }
  if (!account.password_hash.empty()) {
    if (const auto hash = StoredHash::read(account.password_hash.reveal()); !hash) {
      faults.push_back({"/passwordHash", hash.error().code, hash.error().detail});
    }
  }
  const auto check_past = [&](const std::optional<Time>& time, const char* pointer) {
    if (time && *time > now) faults.push_back({pointer, "out-of-range", "is in the future"});
  };
  check_past(account.created_at, "/createdAt");
  check_past(account.last_login_at, "/lastLoginAt");
  check_past(account.disabled_at, "/disabledAt");
  return faults;
}

User user_of(const ImportedAccount& account, UserId id, Time now) {
  User user{.id = id,
            .email = account.email.text(),
            .name = account.name,
            .locale = account.locale,
            .role = account.role,
            .email_status = account.email_status,
            .is_active = account.is_active,
            .email_verified_at = {},
            .last_login_at = account.last_login_at,
            .created_at = account.created_at.value_or(now)};
  if (account.is_verified) user.email_verified_at = now;
  if (!account.is_active) {
    user.disabled_reason = account.disabled_reason;
    user.disabled_at = account.disabled_at.value_or(now);
  }
  return user;
}

// By address, so that batches with the same addresses wait for each other, and none is ended for a deadlock. Of one
// address, the first one given comes first.
std::vector<std::size_t> in_one_order(const std::vector<Result<ImportedAccount>>& accounts) {
  std::vector<std::pair<std::string, std::size_t>> keys;
  keys.reserve(accounts.size());
  for (std::size_t i = 0; i < accounts.size(); ++i) {
    keys.emplace_back(accounts[i] ? accounts[i]->email.key() : std::string(), i);
  }
  std::ranges::sort(keys);
  std::vector<std::size_t> order;
  order.reserve(keys.size());
  for (const auto& [key, i] : keys) order.push_back(i);
  return order;
}

std::string summary_of(const std::vector<ImportOutcome>& outcomes) {
  const auto count = [&](Kind kind) {
    return std::to_string(std::ranges::count(outcomes, kind, &ImportOutcome::kind));
  };
  return "created: " + count(Kind::created) + ", existing: " + count(Kind::existing) +
         ", refused: " + count(Kind::refused);
}

}  // namespace

Task<Result<std::vector<ImportOutcome>>> UserImport::import(Operator acting,
                                                            std::vector<Result<ImportedAccount>> accounts,
                                                            ImportMode mode, Origin origin) {
  const auto now = clock_.now();
  const auto allowed = mode == ImportMode::dry_run ? Status() : in_force_.check_change_of_credentials(now);
  if (!allowed) co_return std::unexpected(allowed.error());
  auto body = [&](sql::Transaction& transaction) -> Task<Result<std::vector<ImportOutcome>>> {
    const auto current = co_await confirm(transaction, acting, Permission::users_import, now);
    if (!current) co_return std::unexpected(current.error());
    std::vector<ImportOutcome> outcomes(accounts.size());
    std::set<std::string> seen;
    for (const auto i : in_one_order(accounts)) {
      outcomes[i] = co_await take(transaction, *current, accounts[i], mode, now);
      // A dry run inserts nothing, so what was to be created before in the same batch is not found.
      if (outcomes[i].kind == Kind::created && !seen.insert(accounts[i]->email.key()).second) {
        outcomes[i].kind = Kind::existing;
      }
    }
    AuditEntry entry{.action = mode == ImportMode::dry_run ? "users.import-tried" : "users.imported",
                     .outcome = AuditOutcome::done,
                     .actor = acting.actor,
                     .target = "everybody",
                     .reason = summary_of(outcomes),
                     .origin = origin};
    co_await audit_.record(transaction, std::move(entry));
    co_return outcomes;
  };
  co_return co_await database_.transact(std::move(body));
}

Task<ImportOutcome> UserImport::take(sql::Transaction& transaction, const Operator& acting,
                                     const Result<ImportedAccount>& account, ImportMode mode, Time now) {
  if (!account) co_return ImportOutcome{.kind = Kind::refused, .id = {}, .faults = account.error().fields};
  if (auto faults = faults_of(*account, acting, now); !faults.empty()) {
    ImportOutcome refused{.kind = Kind::refused, .id = {}, .faults = std::move(faults)};
    co_return refused;
  }
  ImportOutcome outcome{.kind = Kind::existing, .id = {}, .faults = {}};
  if (mode == ImportMode::dry_run) {
    const auto holder = co_await store_.find(transaction, account->email.text());
    if (!holder) outcome.kind = Kind::created;
    co_return outcome;
  }
  const auto user = user_of(*account, UserId{Uuid::version7(now, random_)}, now);
  const bool is_new = co_await store_.insert_if_absent(transaction, user, account->password_hash.reveal(), now);
  if (is_new) {
    outcome.kind = Kind::created;
    outcome.id = user.id;
  }
  co_return outcome;
}

}  // namespace safawinet
