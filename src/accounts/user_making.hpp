// Accounts that operators make for others, and all accounts as pages for an export.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "access/operator.hpp"
#include "accounts/account_service.hpp"
#include "accounts/email_address.hpp"
#include "accounts/passwords.hpp"
#include "accounts/user_store.hpp"
#include "audit/audit_log.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "sql/database.hpp"

namespace safawinet {

struct NewAccount {
  EmailAddress email;
  std::string name;
  Role role = Role::customer;
  std::optional<SecretText> password;  // none: the user chooses one by a mailed link, and cannot log in before
  bool is_verified = false;            // the address is known to be theirs
};

// One transaction with its audit row for each call. Threading: any event loop. Errors: forbidden (the operator may no
// longer do it), Unavailable.
class UserMaking {
 public:
  struct Parts {
    sql::Database& database;
    AccountService& accounts;
    Passwords& passwords;
    AuditLog& audit;
    const Clock& clock;
    Random& random;
  };
  explicit UserMaking(Parts parts) : parts_(parts) {}

  // Mails a link to choose a password where there is none, else one to prove an address that is not verified. Errors:
  // forbidden (a role above the operator's), conflict (the address is taken), invalid_fields (the password policy),
  // overloaded (hashing), too_many_requests (mails to this address).
  Task<Result<User>> create(Operator acting, NewAccount account, Visitor visitor);

  // In the order of ids, those behind `after`: whoever goes on from the last one misses none that was there at the
  // start.
  Task<Result<std::vector<User>>> export_page(Operator acting, std::optional<UserId> after, std::int64_t limit,
                                              Origin origin);

 private:
  Parts parts_;
  UserStore store_;
};

}  // namespace safawinet
