// How second factors come and go: offered, confirmed, taken away, and their backup codes made anew.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "accounts/account_service.hpp"
#include "accounts/administration.hpp"
#include "accounts/user_store.hpp"
#include "audit/audit_log.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "crypto/sealing.hpp"
#include "factors/factor_codes.hpp"
#include "factors/factor_store.hpp"
#include "mail/letters.hpp"
#include "mail/outbox.hpp"
#include "sessions/session_service.hpp"
#include "sql/database.hpp"

namespace safawinet {

// What the user's app has to learn, in three spellings.
struct TotpOffer {
  SecretText secret;  // base32
  SecretText uri;     // otpauth://
  SecretText svg;     // the URI as a QR code
  Bytes png;
};

struct FactorState {
  struct Totp {
    Time confirmed_at;
    std::optional<Time> last_used_at;
  };
  std::optional<Totp> totp;
  std::int64_t backup_codes_left = 0;
};

// Each change raises the version of the credentials, ends the other sessions and the logins that are half done,
// withdraws one-time tokens, is on record, and is told to the user by mail, in one transaction.
//
// Threading: any event loop. Errors besides those named: overloaded (hashing), too_many_requests, Unavailable.
class Enrolment {
 public:
  struct Parts {
    sql::Database& database;
    AccountService& accounts;
    SessionService& sessions;
    FactorCodes& codes;
    AuditLog& audit;
    Outbox& outbox;
    const Letters& letters;
    const MasterKey& master_key;
    const Clock& clock;
    Random& random;
    std::string issuer;  // what apps call us
  };
  explicit Enrolment(Parts parts) : parts_(std::move(parts)) {}

  Task<FactorState> get(UserId user);

  // Nothing is asked for yet. In place of an earlier offer. Errors: invalid_fields (the password), conflict (there is
  // one already).
  Task<Result<TotpOffer>> offer_totp(Caller caller, SecretText password, Visitor visitor);
  // A code of the app: from here on one is asked for. Gives the backup codes, this once. The caller's session counts as
  // proved with it. Errors: invalid_fields (the code), conflict (nothing is offered, or no longer).
  Task<Result<std::vector<SecretText>>> confirm_totp(Caller caller, SecretText code, Visitor visitor);
  // With the backup codes. Errors: invalid_fields (password or code), conflict (changed at the same moment).
  Task<Status> remove_totp(Caller caller, SecretText password, SecretText code, Visitor visitor);
  // In place of all earlier ones. Errors: as above.
  Task<Result<std::vector<SecretText>>> renew_backup_codes(Caller caller, SecretText password, SecretText code,
                                                           Visitor visitor);

  // For whoever has lost everything: an operator takes it away. Ends all sessions. No row where there is none. Errors:
  // forbidden (the operator may no longer do it, or the user is not below them), not_found, conflict (one's own).
  Task<Status> reset(AdministrativeAct act);

 private:
  struct Change {
    std::string_view action;
    FactorChange what_happened;  // for the letter
    std::string_view ending;     // why sessions end
  };
  struct Confirmed;
  // Password and code of a caller, both counted.
  // At the beginning of each transaction. Errors: frozen, unauthenticated (deleted).
  Task<Result<User>> lock_unless_frozen(sql::Transaction& transaction, UserId id);
  // The same, and raises the version of the credentials and uses the code up. Errors besides: conflict (changed
  // meanwhile), invalid_fields (the code).
  Task<Result<User>> begin_change(sql::Transaction& transaction, const Confirmed& confirmed, Time now);
  // Before anything is computed, that it is not frozen. Errors: frozen, invalid_fields, conflict (there is no factor).
  Task<Result<Confirmed>> confirm_both(const Caller& caller, SecretText password, SecretText code,
                                       const Visitor& visitor);
  // What all changes share, after the row of the user was locked.
  Task<void> conclude(sql::Transaction& transaction, const User& user, std::optional<SessionId> except, Actor actor,
                      const Change& change, std::string reason, const Origin& origin);
  // The texts of new ones, which are stored.
  Task<std::vector<SecretText>> make_codes(sql::Transaction& transaction, UserId user, std::string_view sealed);

  Parts parts_;
  FactorStore store_;
  UserStore users_;
};

}  // namespace safawinet
