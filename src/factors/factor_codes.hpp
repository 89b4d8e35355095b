// Codes of a second factor: of the app, or backup codes. Wrong ones are counted as wrong passwords are, and each right
// one works once, on whatever node.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "accounts/account_service.hpp"
#include "accounts/attempts.hpp"
#include "accounts/user_store.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"
#include "base/task.hpp"
#include "cache/rate_limiter.hpp"
#include "crypto/sealing.hpp"
#include "factors/factor_store.hpp"
#include "mail/letters.hpp"
#include "mail/outbox.hpp"
#include "sql/database.hpp"

namespace safawinet {

// A code that was right when it was looked at; use() decides.
struct CheckedCode {
  UserId user;
  std::string sealed;  // of the factor that it is a code of
  std::int64_t step = 0;
  std::optional<std::string> backup_mac;  // none: a code of the app

  // sign_in_methods, together with the password.
  [[nodiscard]] std::string_view methods() const;
};

// Which of the user's factors a code may be of.
enum class CodeOf { confirmed, offered };

// Threading: any event loop. Errors besides those named: too_many_requests, Unavailable.
class FactorCodes {
 public:
  struct Parts {
    sql::Database& database;
    AccountService& accounts;
    Attempts& attempts;
    RateLimiter& limits;
    Outbox& outbox;
    const Letters& letters;
    const MasterKey& master_key;
    const Clock& clock;
  };
  explicit FactorCodes(Parts parts) : parts_(parts) {}

  // Errors: invalid_code, also for a code that was used already and for a user without such a factor.
  Task<Result<CheckedCode>> check(UserId user, SecretText code, CodeOf of, const Visitor& visitor);
  // Uses a code of a confirmed factor up, in a transaction that has locked the row of the user. False: somebody else
  // was faster, or the factor is another one by now.
  Task<bool> use(sql::Transaction& transaction, CheckedCode checked);

 private:
  struct Typed;
  Task<std::optional<CheckedCode>> find_match(UserId user, const TotpFactor& factor, const Typed& typed);
  // The last wrong one for a while: whoever sent it knows the password.
  Task<void> warn_owner(UserId user);

  Parts parts_;
  FactorStore store_;
  UserStore users_;
};

}  // namespace safawinet
