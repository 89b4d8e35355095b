// What operators do about the logins of others: a link to choose a password, unlocking, taking an address as proved,
// ending one session.
#pragma once

#include <string>

#include "access/operator.hpp"
#include "accounts/account_service.hpp"
#include "accounts/administration.hpp"
#include "accounts/attempts.hpp"
#include "accounts/user_store.hpp"
#include "audit/audit_log.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "cache/rate_limiter.hpp"
#include "sessions/session_service.hpp"
#include "sql/database.hpp"

namespace safawinet {

// What counts against a user now. `locked_until`: none while password and codes may be tried from everywhere.
struct WrongGuesses {
  std::int64_t passwords = 0;
  std::int64_t codes = 0;  // of the app and backup codes
  std::optional<Time> locked_until{};
};

// As Administration: one transaction with its audit row for each act, no row where nothing changes. Helping and ending
// sessions is allowed up to the operator's own rank.
//
// Threading: any event loop. Errors: forbidden (the operator may no longer do it, or the user is above them),
// not_found, Unavailable.
class Assistance {
 public:
  struct Parts {
    sql::Database& database;
    AccountService& accounts;
    SessionService& sessions;
    Attempts& attempts;
    RateLimiter& limits;
    AuditLog& audit;
    const Clock& clock;
  };
  explicit Assistance(Parts parts) : parts_(parts) {}

  // Mails a link to choose a new password; the old one stays good until then. Errors: conflict (a disabled account),
  // too_many_requests (mails to this address).
  Task<Status> send_reset(AdministrativeAct act, bool is_exempt_from_limits);
  // What counts against this user now.
  Task<WrongGuesses> wrong_guesses(const User& user);
  // Forgets the wrong passwords and codes, so that the user may try again at once. Errors: conflict (oneself).
  Task<Status> unlock(AdministrativeAct act);
  // Takes the address as proved. Gives the user as the act left them. Only below the operator's rank.
  Task<Result<User>> verify_address(AdministrativeAct act);
  // In force on this node when it returns. Errors: not_found, also when this user has no such session.
  Task<Status> end_session(AdministrativeAct act, SessionId session);

 private:
  // The user, locked, if their rank is not above the operator's of now.
  Task<Result<User>> lock_contained(sql::Transaction& transaction, const AdministrativeAct& act, Permission permission);
  Task<void> record(sql::Transaction& transaction, std::string_view action, const AdministrativeAct& act,
                    std::string target);

  Parts parts_;
  UserStore store_;
};

}  // namespace safawinet
