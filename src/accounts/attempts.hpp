// Wrong passwords and codes are counted exactly: however many are tried at once, on however many nodes, across
// restarts, and however the account is spelt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/task.hpp"
#include "cache/rate_limiter.hpp"
#include "crypto/digest.hpp"
#include "sql/database.hpp"

namespace safawinet {

// At most ten wrong ones in any quarter of an hour (kWrongPasswordsPerAccount; other things have limits of their own,
// and are counted apart). The count is in the database, under a
// keyed hash of the account, whether there is such an account or not. An attempt asks twice: before its password is
// hashed, so that what has no chance costs nothing, and after it, when the verdict is known and not yet told. Those
// second questions about one account are answered one after the other: a verdict that comes after ten wrong ones is not
// told, whether it is right or wrong, and so a thousand wrong passwords at once get ten verdicts, and a right one is
// believed only if fewer than ten wrong ones came before it.
//
// `account` is one spelling for each account, known or not. Threading: any event loop. Errors: too_many_requests, with
// retry_after; Unavailable: then no verdict is told.
class Attempts {
 public:
  enum class Verdict { right, wrong };

  Attempts(sql::Database& database, const Clock& clock, MacKey key)
      : database_(database), clock_(clock), key_(std::move(key)) {}

  Task<Status> may_try(std::string account, RateLimit limit = kWrongPasswordsPerAccount);
  // Whether the verdict may be told. Takes the same time for both until it is certain that it may.
  Task<Status> may_tell(std::string account, Verdict verdict, RateLimit limit = kWrongPasswordsPerAccount);

  // What counts against an account now. `locked_until`: none while it may be tried. A count that cannot be read lets
  // nobody in until it is forgotten, and is given as a full one.
  struct Failed {
    std::int64_t count = 0;
    std::optional<Time> locked_until{};
  };
  Task<Failed> get(std::string account);

  // Forgets the wrong ones of an account, in a transaction of another feature. False: there were none.
  Task<bool> forget(sql::Transaction& transaction, std::string account, RateLimit limit = kWrongPasswordsPerAccount);

  // Forgets what counts no more.
  Task<void> sweep();

 private:
  [[nodiscard]] std::string subject_of(std::string_view account, const RateLimit& limit) const;

  sql::Database& database_;
  const Clock& clock_;
  MacKey key_;
};

}  // namespace safawinet
