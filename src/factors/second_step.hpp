// The second step of a login, and proving again who one is ("step-up").
#pragma once

#include <optional>

#include "accounts/account_service.hpp"
#include "accounts/user_store.hpp"
#include "audit/audit_log.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "factors/factor_codes.hpp"
#include "factors/factor_store.hpp"
#include "sessions/session_service.hpp"
#include "sql/database.hpp"

namespace safawinet {

// Threading: any event loop. Errors besides those named: overloaded (hashing), too_many_requests, Unavailable.
class SecondStep {
 public:
  struct Parts {
    sql::Database& database;
    AccountService& accounts;
    SessionService& sessions;
    FactorCodes& codes;
    AuditLog& audit;
    const Clock& clock;
  };
  explicit SecondStep(Parts parts) : parts_(parts) {}

  // One transaction: the ticket and the code are used up, and the session begins, or nothing of it. Errors:
  // invalid_token (the ticket), invalid_code.
  Task<Result<LoggedIn>> log_in(SecretText ticket, SecretText code, Visitor visitor);

  // By a code where there is a second factor, by the password where there is none. The session's next tokens say so,
  // these at once; the refresh token stays the one that the client has. Errors: invalid_fields (the wrong one of both,
  // or a wrong one), unauthenticated (the session has ended).
  Task<Result<IssuedTokens>> step_up(Caller caller, std::optional<SecretText> password, std::optional<SecretText> code,
                                     Visitor visitor);

 private:
  Parts parts_;
  FactorStore store_;
  UserStore users_;
};

// The refusal of a code as that of a field of a body.
Error as_field(Error error);

}  // namespace safawinet
