// The SQL of accounts and one-time tokens, and nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "accounts/email_address.hpp"
#include "accounts/user.hpp"
#include "base/task.hpp"
#include "sql/database.hpp"

namespace safawinet {

struct UserWithCredentials {
  User user;
  Credentials credentials;
};

// A one-time token that exists and has not expired.
struct PendingToken {
  std::optional<UserId> user;        // none for an invitation
  std::string email;                 // that it was mailed to
  std::optional<SessionId> session;  // that asked for it; none: nobody who was signed in
};

// A login between its two steps.
struct LoginTicket {
  UserId user;
  std::int64_t credential_version = 0;
  std::int64_t epoch = 0;  // of the sessions at its first step
  std::string device_name;
};

struct NewToken {
  std::string hash;
  std::string_view purpose;  // as in one_time_tokens.purpose
  std::string email;
  Time expires_at;
  std::optional<SessionId> session{};  // that asks for it
};

// Only those of this role, and only those who may log in or who may not.
struct UserFilter {
  std::optional<Role> role{};
  std::optional<bool> is_active{};
};

// Of nodes that write at the same moment, the locks of a transaction make one wait for the other: whoever changes a
// user, or the tokens of a user, locks the row of the user first (`lock`, or the change of that row itself), and the
// tokens after it; who needs the rows of several users locks the superadmins in the order of their ids, or first the
// user who acts and then the one who gives way. The first administrator, and the invitations of an address, have no row
// to lock: they have a lock of their own, taken before anything else.
//
// Threading: any event loop.
class UserStore {
 public:
  Task<std::optional<User>> find(sql::Database& database, UserId id);
  Task<std::optional<UserWithCredentials>> find_with_credentials(sql::Database& database, UserId id);
  Task<std::optional<UserWithCredentials>> find_with_credentials(sql::Database& database, const EmailAddress& email);
  Task<std::optional<User>> find(sql::Transaction& transaction, UserId id);
  Task<std::optional<User>> find(sql::Transaction& transaction, std::string_view email);
  // As it is now, and nobody else changes it before the transaction ends.
  Task<std::optional<User>> lock(sql::Transaction& transaction, UserId id);
  Task<std::optional<User>> lock(sql::Transaction& transaction, const EmailAddress& email);
  // Locks the rows of two users in the order of their ids, whoever of them is missing: operators who act on each other,
  // or on the same user, wait, and none of them is ended for a deadlock.
  Task<void> lock_in_order(sql::Transaction& transaction, UserId one, UserId other);
  // The same together with all active, verified superadmins.
  Task<void> lock_in_order_with_superadmins(sql::Transaction& transaction, UserId one, UserId other);
  // By a part of the address or the name, or everybody if it is empty; newest first; `before` continues a list.
  Task<std::vector<User>> search(sql::Database& database, std::string_view query, std::optional<UserId> before,
                                 std::int64_t limit, UserFilter filter = {});
  // In the order of ids, those behind `after`.
  Task<std::vector<User>> list_by_id(sql::Transaction& transaction, std::optional<UserId> after, std::int64_t limit);
  // Whether there is one at all.
  Task<bool> has_superadmin(sql::Transaction& transaction);
  // Whether there is an active, verified one.
  Task<bool> has_working_superadmin(sql::Transaction& transaction);
  // Locks all active, verified superadmins. True if there is one other than this.
  Task<bool> lock_other_superadmins(sql::Transaction& transaction, UserId id);
  Task<void> lock_first_administrator(sql::Transaction& transaction);
  Task<void> lock_invitations(sql::Transaction& transaction, const EmailAddress& email);

  Task<void> insert(sql::Transaction& transaction, const User& user, std::string_view password_hash);
  // With everything that the user has; false, and nothing changed, where the address is taken.
  Task<bool> insert_if_absent(sql::Transaction& transaction, const User& user, std::string_view password_hash,
                              Time now);
  // A registration that was never verified gives way to the next one for the same address.
  Task<void> replace_unverified(sql::Transaction& transaction, UserId id, std::string_view email, std::string_view name,
                                std::string_view password_hash, Time now);
  Task<void> set_verified(sql::Transaction& transaction, UserId id, Time now);
  Task<void> disable(sql::Transaction& transaction, UserId id, std::string_view reason, Time now);
  // A trigger forgets the reason, as it does when SQL by hand enables.
  Task<void> enable(sql::Transaction& transaction, UserId id, Time now);
  Task<void> set_role(sql::Transaction& transaction, UserId id, Role role, Time now);
  Task<void> set_profile(sql::Database& database, UserId id, std::optional<std::string> name,
                         std::optional<std::string> locale, Time now);
  // For what else is a credential: the version alone. False as below; with none expected, when there is no such user.
  Task<bool> raise_credential_version(sql::Transaction& transaction, UserId id,
                                      std::optional<std::int64_t> expected_version, Time now);
  // False when the credentials are no longer those of `expected_version`.
  Task<bool> set_password(sql::Transaction& transaction, UserId id, std::int64_t expected_version,
                          std::string_view password_hash, Time now);
  // The same password at another cost: the version stays.
  Task<void> set_rehashed(sql::Database& database, UserId id, std::string_view former_hash, std::string_view hash);
  Task<void> clear_name(sql::Transaction& transaction, UserId id);
  Task<void> set_email(sql::Transaction& transaction, UserId id, std::string_view email, Time now);
  // With everything that is kept of the user.
  Task<void> delete_user(sql::Transaction& transaction, UserId id);

  // Replaces an older token of the same user and purpose (for an invitation: of the same address).
  Task<void> insert_token(sql::Transaction& transaction, std::optional<UserId> user, const NewToken& token, Time now);
  Task<std::optional<PendingToken>> find_token(sql::Database& database, std::string_view hash, std::string_view purpose,
                                               Time now);
  Task<std::optional<PendingToken>> find_token(sql::Transaction& transaction, std::string_view hash,
                                               std::string_view purpose, Time now);
  // Uses it up: at most one caller gets it.
  Task<std::optional<PendingToken>> take_token(sql::Transaction& transaction, std::string_view hash,
                                               std::string_view purpose, Time now);
  Task<void> delete_tokens_of(sql::Transaction& transaction, UserId user);
  Task<void> delete_expired_tokens(sql::Database& database, Time now);

  // The oldest ones of the user give way when there are more than a few.
  Task<void> insert_ticket(sql::Transaction& transaction, const LoginTicket& ticket, std::string_view hash,
                           Time expires_at, Time now);
  // The epoch of the sessions now.
  Task<std::int64_t> find_epoch(sql::Transaction& transaction);
  // Only while nothing has happened to the user that ends it.
  Task<std::optional<LoginTicket>> find_ticket(sql::Database& database, std::string_view hash, Time now);
  // Uses it up: at most one caller gets it.
  Task<std::optional<LoginTicket>> take_ticket(sql::Transaction& transaction, std::string_view hash, Time now);
  Task<void> delete_expired_tickets(sql::Database& database, Time now);
  // Does what insert_token does and takes it back, at the same cost.
  Task<void> insert_token_in_vain(sql::Transaction& transaction, const NewToken& token, Time now);
};

}  // namespace safawinet
