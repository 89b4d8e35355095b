// Accounts that come from another system, many at a time, with the password hashes that they had there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "access/compromise_mode.hpp"
#include "access/operator.hpp"
#include "accounts/email_address.hpp"
#include "accounts/user_store.hpp"
#include "audit/audit_log.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "sql/database.hpp"

namespace safawinet {

inline constexpr std::size_t kImportBatchLimit = 200;  // accounts

struct ImportedAccount {
  EmailAddress email;
  std::string name{};
  std::string locale = "en";
  Role role = Role::customer;
  bool is_verified = false;    // else its owner proves it before the first login, and a registration may replace it
  SecretText password_hash{};  // as crypto/stored_hash.hpp reads it; empty: nobody can log in before a reset
  bool is_active = true;
  std::string email_status = "ok";
  std::optional<std::string> disabled_reason{};
  std::optional<Time> disabled_at{};
  std::optional<Time> created_at{};  // none: now
  std::optional<Time> last_login_at{};
};

enum class ImportKind { created, existing, refused };

struct ImportOutcome {
  ImportKind kind = ImportKind::refused;
  std::optional<UserId> id{};        // of what was created
  std::vector<FieldError> faults{};  // why it is refused
};

enum class ImportMode { for_good, dry_run };

// Threading: any event loop.
class UserImport {
 public:
  UserImport(sql::Database& database, AuditLog& audit, const ModeInForce& in_force, const Clock& clock, Random& random)
      : database_(database), audit_(audit), in_force_(in_force), clock_(clock), random_(random) {}

  // One transaction with one audit row; gives an outcome for each account, in their order. An account whose address is
  // there already stays as it is, so the same again changes nothing. An error in place of an account is refused with
  // its fields, and counted. Mails nobody. Errors: forbidden (the operator may no longer do it), frozen (unless it is a
  // dry run), Unavailable.
  Task<Result<std::vector<ImportOutcome>>> import(Operator acting, std::vector<Result<ImportedAccount>> accounts,
                                                  ImportMode mode, Origin origin);

 private:
  Task<ImportOutcome> take(sql::Transaction& transaction, const Operator& acting,
                           const Result<ImportedAccount>& account, ImportMode mode, Time now);

  sql::Database& database_;
  AuditLog& audit_;
  const ModeInForce& in_force_;
  const Clock& clock_;
  Random& random_;
  UserStore store_;
};

}  // namespace safawinet
