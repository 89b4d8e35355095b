// Accounts: signing up, proving an address, passwords, the profile, the end.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "access/compromise_mode.hpp"
#include "access/operator.hpp"
#include "accounts/attempts.hpp"
#include "accounts/clock_watch.hpp"
#include "accounts/email_address.hpp"
#include "accounts/known_origins.hpp"
#include "accounts/passwords.hpp"
#include "accounts/under_attack.hpp"
#include "accounts/user.hpp"
#include "accounts/user_store.hpp"
#include "audit/audit_log.hpp"
#include "base/error.hpp"
#include "cache/rate_limiter.hpp"
#include "crypto/one_time_token.hpp"
#include "mail/letters.hpp"
#include "mail/outbox.hpp"
#include "sessions/session_service.hpp"
#include "sql/database.hpp"

namespace safawinet {

enum class RegistrationMode { open, invite, closed };

// Who asks: for the record, for limits, and for a fair place in the hashing queue.
struct Visitor {
  Origin origin;
  std::function<bool()> has_gone;
  bool is_exempt_from_limits = false;

  [[nodiscard]] HashClient hash_client(bool is_known_device = false) const {
    return {.network = origin.network, .has_gone = has_gone, .is_known_device = is_known_device};
  }
};

struct Registration {
  EmailAddress email;
  SecretText password;
  std::string name;
  std::optional<SecretText> invitation;
};

struct Login {
  EmailAddress email;
  SecretText password;
  std::string device_name;  // empty: made from the user agent
};

struct LoggedIn {
  User user;
  IssuedTokens tokens;
};

// What anybody may ask answers the same, at the same cost, whether the address has an account or not; what happened is
// told by mail. Every change of credentials is one transaction with its audit row, its mail and the end of the
// sessions, and is refused (frozen) while the compromise mode says so. Threading: any event loop. Errors besides those
// named: overloaded (hashing), too_many_requests (limits), Unavailable.
class AccountService {
 public:
  struct Parts {
    sql::Database& database;
    SessionService& sessions;
    Passwords& passwords;
    Attempts& attempts;
    KnownOrigins& known_origins;
    UnderAttack& under_attack;
    RateLimiter& limits;
    const ModeInForce& mode;
    AuditLog& audit;
    Outbox& outbox;
    const Letters& letters;
    const Clock& clock;
    Random& random;
    EventLoop& slow_loop;  // where what may take long is read, so that no request waits behind it
    RegistrationMode registration;
    // Hears that a superadmin has a new password, after it is on disk.
    std::function<void()> on_superadmin_password_changed;
  };
  explicit AccountService(Parts parts) : parts_(std::move(parts)), clock_watch_(parts_.clock) {}

  // Errors: invalid_fields (the password policy), forbidden (closed, or no valid invitation).
  Task<Status> register_user(Registration registration, Visitor visitor);
  // Takes a token of a registration or of a change of address. Errors: invalid_token.
  Task<Status> verify_email(SecretText token, Visitor visitor);
  Task<Status> resend_verification(EmailAddress email, Visitor visitor);
  Task<Status> forgot_password(EmailAddress email, Visitor visitor);
  // Proves the address too, and ends all sessions. Errors: invalid_token, invalid_fields.
  Task<Status> reset_password(SecretText token, SecretText new_password, Visitor visitor);

  // Errors: invalid_credentials, email_not_verified (only for the right password), account_held (the same, where its
  // mails bounce), second_factor_required (the same,
  // where the account has one: `texts` has a ticket for the second step, which ends after five minutes and with
  // whatever ends the sessions of the user).
  Task<Result<LoggedIn>> log_in(Login login, Visitor visitor);

  // The account of a right password that is held because its mails bounce, counted as a login. Errors:
  // invalid_credentials, conflict (the right password of an account that is not held for that).
  Task<Result<UserWithCredentials>> confirm_held(EmailAddress email, SecretText password, Visitor visitor);

  // Errors: not_found, for a user that has just been deleted.
  Task<Result<User>> get(UserId id);
  Task<Result<User>> set_profile(UserId id, std::optional<std::string> name, std::optional<std::string> locale);
  // Ends the other sessions. Errors: invalid_fields (the current password is wrong, or the policy), conflict (changed
  // by somebody else meanwhile).
  Task<Status> change_password(Caller caller, SecretText current, SecretText new_password, Visitor visitor);
  // Mails the new address; nothing changes before it is proved. Errors: invalid_fields.
  Task<Status> change_email(Caller caller, SecretText password, EmailAddress new_email, Visitor visitor);
  // Errors: invalid_fields (wrong password), conflict (the last superadmin).
  Task<Status> delete_account(Caller caller, SecretText password, Visitor visitor);

  // For staff.
  Task<std::vector<User>> search(std::string query, std::optional<UserId> before, std::int64_t limit,
                                 UserFilter filter = {});
  Task<std::optional<User>> find(EmailAddress email);
  // Errors: forbidden, when the operator may no longer do it.
  Task<Status> invite(Operator acting, EmailAddress email, Visitor visitor);

  // Whether there is one at all, also one who was disabled.
  Task<bool> has_superadmin();
  // Whether there is one who is active and verified.
  Task<bool> has_working_superadmin();
  // Makes a superadmin unless there is one. Errors: invalid_fields (the password policy). True if it was made.
  Task<Result<bool>> ensure_superadmin(EmailAddress email, SecretText password);

  // That this user has logged in from there, in the transaction in which the session begins. Tells them, if they never
  // have before.
  Task<void> remember_origin(sql::Transaction& transaction, const User& user, std::string_view device_name,
                             const Visitor& visitor);
  // Whether credentials may be changed at the moment. Errors: frozen.
  [[nodiscard]] Status check_not_frozen() const { return parts_.mode.check_change_of_credentials(parts_.clock.now()); }
  // The password of a signed-in user, counted as an attempt, also of this session. Errors: invalid_fields at `pointer`,
  // unauthenticated (deleted).
  Task<Result<UserWithCredentials>> confirm_password(const Caller& caller, SecretText password, std::string pointer,
                                                     const Visitor& visitor);
  // A wrong password or code, or whatever else a login is refused for. Told whether it can be written or not; so many
  // of a network in a minute are written (kRefusedLoginsPerNetwork), the others counted.
  Task<void> record_refusal(std::string_view action, Actor actor, std::optional<UserId> target, std::string reason,
                            const Visitor& visitor);

  // For a token that is unknown. Gives what it deserves (`verdict`). Errors: too_many_requests in its place, when the
  // network has presented too many unknown ones of its kind.
  Task<Status> count_unknown(Guessable token, const std::string& hash, const Visitor& visitor, Status verdict);
  // One more for the gauge of the mode under attack, if it is refused for what looks like guessing.
  void count_refused_login(ErrorCode refusal, const Visitor& visitor);

  // Takes one of the mails that an address may get; the pipeline has counted by network. Errors: too_many_requests.
  Task<Status> limit_mail(const EmailAddress& email, const Visitor& visitor, const RateLimit& limit = kMailPerAddress);
  // For a transaction of another feature: mails the user a token, in place of an older one of this purpose. `session`:
  // that asks for it.
  Task<void> send_token(sql::Transaction& transaction, const User& user, OneTimePurpose purpose,
                        std::optional<SessionId> session = {});

  // One round of housekeeping: expired tokens, wrong guesses that count no more, devices that are known no more. To be
  // asked every minute or so.
  Task<void> sweep();

 private:
  // The account of a login whose password is right, counted as an attempt. Errors: invalid_credentials.
  struct RightLogin {
    UserWithCredentials account;
    bool needs_rehash = false;
  };
  Task<Result<RightLogin>> check_login(const Login& login, const Visitor& visitor);
  void count_login(const std::optional<ErrorCode>& refusal, const Visitor& visitor);
  // The first step of a login is done: a ticket for the second one.
  Task<Error> ask_for_second_factor(const UserWithCredentials& account, std::string device_name,
                                    const Visitor& visitor);
  // For an address that nobody has: writes what send_token writes, and takes it back.
  Task<void> send_token_in_vain(sql::Transaction& transaction, const EmailAddress& email, OneTimePurpose purpose);
  struct TakenToken {
    User user;
    std::string email;                 // that it was mailed to
    std::optional<SessionId> session;  // that asked for it
  };
  // Locks the user, and uses the token up.
  Task<std::optional<TakenToken>> take_token_of_user(sql::Transaction& transaction, const std::string& hash,
                                                     std::string_view purpose, Time now);
  Task<Result<bool>> take_change_of_email(sql::Transaction& transaction, const std::string& hash, Time now,
                                          const Visitor& visitor);
  Task<void> record_request(sql::Transaction& transaction, std::string_view action, const std::optional<User>& user,
                            const Visitor& visitor);
  Task<void> record(sql::Transaction& transaction, std::string_view action, Actor actor, UserId target,
                    const Visitor& visitor, std::string reason = {});

  Parts parts_;
  UserStore store_;
  ClockWatch clock_watch_;
};

}  // namespace safawinet
