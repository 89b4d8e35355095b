#include "accounts/account_service.hpp"

#include <boost/asio/co_spawn.hpp>

#include <utility>

#include "access/standing.hpp"

namespace safawinet {
namespace {

struct TokenKind {
  std::string_view purpose;  // as stored
  std::chrono::seconds lifetime;
};

TokenKind kind_of(OneTimePurpose purpose) {
  switch (purpose) {
    case OneTimePurpose::verify_email:
      return {"verify-email", std::chrono::hours(24)};
    case OneTimePurpose::reset_password:
      return {"reset-password", std::chrono::minutes(30)};
    case OneTimePurpose::change_email:
      return {"change-email", std::chrono::hours(1)};
    case OneTimePurpose::invite:
      return {"invitation", std::chrono::hours(24 * 7)};
    case OneTimePurpose::login_ticket:
      break;  // in a table of its own
  }
  std::unreachable();
}

std::unexpected<Error> invalid_token() {
  return refuse(
      Error{.code = ErrorCode::invalid_token,
            .fields = {{"/token", "invalid-token", "is unknown, used, replaced by a newer one, or expired"}}});
}

Mail letter_with(const Letters& letters, OneTimePurpose purpose, const Addressee& to, const SecretText& token) {
  switch (purpose) {
    case OneTimePurpose::verify_email:
      return letters.verify_email(to, token);
    case OneTimePurpose::reset_password:
      return letters.reset_password(to, token);
    case OneTimePurpose::change_email:
      return letters.confirm_new_email(to, token);
    case OneTimePurpose::invite:
      return letters.invitation(to, token);
    case OneTimePurpose::login_ticket:
      break;  // is not mailed
  }
  std::unreachable();
}

}  // namespace

Task<Status> AccountService::register_user(Registration registration, Visitor visitor) {
  if (parts_.registration == RegistrationMode::closed) {
    co_return refuse(ErrorCode::forbidden, "Registration is closed.");
  }
  const auto limited = co_await limit_mail(registration.email, visitor);
  if (!limited) co_return limited;
  std::optional<std::string> invitation;
  if (parts_.registration == RegistrationMode::invite) {
    if (registration.invitation)
      invitation = hash_one_time_token(OneTimePurpose::invite, registration.invitation->reveal());
    if (!invitation) co_return refuse(ErrorCode::forbidden, "Registration is by invitation.");
    const auto pending = co_await store_.find_token(parts_.database, *invitation, "invitation", parts_.clock.now());
    if (!pending) {
      const Status verdict = refuse(ErrorCode::forbidden, "Registration is by invitation.");
      co_return co_await count_unknown(Guessable::one_time_token, *invitation, visitor, verdict);
    }
  }
  // The hash is computed for known and unknown addresses alike.
  const Passwords::Owner owner{.email = registration.email.text(), .name = registration.name};
  const auto hash =
      co_await parts_.passwords.hash_new(visitor.hash_client(), registration.password, owner, "/password");
  if (!hash) co_return std::unexpected(hash.error());

  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto known = co_await store_.lock(transaction, registration.email);
    if (invitation) {
      const auto invited = co_await store_.take_token(transaction, *invitation, "invitation", now);
      const auto invited_address = invited ? EmailAddress::parse(invited->email) : std::nullopt;
      if (!invited_address || invited_address->key() != registration.email.key()) {
        co_return refuse(ErrorCode::forbidden, "Registration is by invitation.");
      }
    }
    if (!known) {
      // Where somebody else inserts the address at this moment, ours fails, and the transaction looks again.
      User user{.id = UserId{Uuid::version7(now, parts_.random)},
                .email = registration.email.text(),
                .name = registration.name,
                .locale = "en",
                .role = Role::customer,
                .email_status = "ok",
                .is_active = true,
                .email_verified_at = {},
                .last_login_at = {},
                .created_at = now};
      co_await store_.insert(transaction, user, *hash);
      co_await send_token(transaction, user, OneTimePurpose::verify_email);
      co_await record(transaction, "user.registered", Actor::anonymous(), user.id, visitor);
    } else if (gives_way(*known)) {
      // Whoever registered before never proved the address: nothing of theirs stays.
      co_await store_.replace_unverified(transaction, known->id, registration.email.text(), registration.name, *hash,
                                         now);
      co_await store_.delete_tokens_of(transaction, known->id);
      co_await send_token(transaction, *known, OneTimePurpose::verify_email);
      co_await record(transaction, "user.registered-again", Actor::anonymous(), known->id, visitor);
    } else {
      auto letter = parts_.letters.already_registered(addressee_of(*known));
      co_await parts_.outbox.enqueue(transaction, std::move(letter));
      co_await record(transaction, "user.registered-again", Actor::anonymous(), known->id, visitor);
    }
    co_return true;
  };
  const auto outcome = co_await parts_.database.transact(std::move(body));
  if (!outcome) co_return std::unexpected(outcome.error());
  co_return Status{};
}

Task<Status> AccountService::verify_email(SecretText token, Visitor visitor) {
  const auto registered = hash_one_time_token(OneTimePurpose::verify_email, token.reveal());
  const auto changed = hash_one_time_token(OneTimePurpose::change_email, token.reveal());
  if (!registered && !changed) co_return invalid_token();
  // Proving the address of a new account goes on; moving one to another address does not.
  const auto allowed = changed ? check_not_frozen() : Status();
  if (!allowed) co_return std::unexpected(allowed.error());
  const auto& presented = changed ? *changed : *registered;
  const auto now = parts_.clock.now();
  const auto purpose = kind_of(changed ? OneTimePurpose::change_email : OneTimePurpose::verify_email).purpose;
  const auto pending = co_await store_.find_token(parts_.database, presented, purpose, now);
  if (!pending) co_return co_await count_unknown(Guessable::one_time_token, presented, visitor, invalid_token());
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    if (changed) co_return co_await take_change_of_email(transaction, *changed, now, visitor);
    const auto user = co_await take_token_of_user(transaction, *registered, purpose, now);
    if (!user) co_return invalid_token();
    co_await store_.set_verified(transaction, user->user.id, now);
    co_await record(transaction, "user.email-verified", Actor::user(user->user.id), user->user.id, visitor);
    co_return true;
  };
  const auto outcome = co_await parts_.database.transact(std::move(body));
  if (!outcome) co_return std::unexpected(outcome.error());
  if (changed) co_await parts_.sessions.made_known();
  co_return Status{};
}

Task<Result<bool>> AccountService::take_change_of_email(sql::Transaction& transaction, const std::string& hash,
                                                        Time now, const Visitor& visitor) {
  const auto taken = co_await take_token_of_user(transaction, hash, "change-email", now);
  if (!taken) co_return invalid_token();
  const auto& user = taken->user;
  // Looked at before it is locked: two who exchange their addresses do not wait for each other.
  auto holder = co_await store_.find(transaction, taken->email);
  if (holder && holder->id != user.id) {
    if (gives_way(*holder)) holder = co_await store_.lock(transaction, holder->id);
    if (holder && !gives_way(*holder)) co_return invalid_token();
    if (holder) {
      co_await store_.delete_user(transaction, holder->id);
      co_await record(transaction, "user.deleted", Actor::user(user.id), holder->id, visitor,
                      "never proved the address, and somebody else has");
    }
  }
  co_await store_.set_email(transaction, user.id, taken->email, now);
  if (is_held_for_bounces(user)) {
    co_await store_.enable(transaction, user.id, now);
    co_await record(transaction, "user.enabled", Actor::user(user.id), user.id, visitor, "has proved another address");
  }
  co_await store_.raise_credential_version(transaction, user.id, std::nullopt, now);
  co_await store_.delete_tokens_of(transaction, user.id);  // what was mailed to the old address opens nothing any more
  co_await parts_.sessions.end_all_of(transaction, user.id, taken->session, "email-changed", Actor::user(user.id));
  auto letter = parts_.letters.email_changed(addressee_of(user), taken->email, now);
  co_await parts_.outbox.enqueue(transaction, std::move(letter));
  co_await record(transaction, "user.email-changed", Actor::user(user.id), user.id, visitor);
  co_return true;
}

Task<std::optional<AccountService::TakenToken>> AccountService::take_token_of_user(sql::Transaction& transaction,
                                                                                   const std::string& hash,
                                                                                   std::string_view purpose, Time now) {
  const auto found = co_await store_.find_token(transaction, hash, purpose, now);
  if (!found || !found->user) co_return std::nullopt;
  auto user = co_await store_.lock(transaction, *found->user);
  const auto taken = co_await store_.take_token(transaction, hash, purpose, now);
  if (!user || !taken) co_return std::nullopt;
  co_return TakenToken{std::move(*user), taken->email, taken->session};
}

Task<Status> AccountService::resend_verification(EmailAddress email, Visitor visitor) {
  const auto limited = co_await limit_mail(email, visitor);
  if (!limited) co_return limited;
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto user = co_await store_.lock(transaction, email);
    if (user && user->is_active && !user->email_verified_at) {
      co_await send_token(transaction, *user, OneTimePurpose::verify_email);
    } else {
      co_await send_token_in_vain(transaction, email, OneTimePurpose::verify_email);
    }
    co_await record_request(transaction, "user.verification-requested", user, visitor);
    co_return true;
  };
  co_await parts_.database.transact(std::move(body));
  co_return Status{};
}

Task<Status> AccountService::forgot_password(EmailAddress email, Visitor visitor) {
  if (const auto allowed = check_not_frozen(); !allowed) co_return std::unexpected(allowed.error());
  const auto limited = co_await limit_mail(email, visitor, kRecoveryMailPerAddress);
  if (!limited) co_return limited;
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto user = co_await store_.lock(transaction, email);
    if (user && user->is_active) {
      co_await send_token(transaction, *user, OneTimePurpose::reset_password);
    } else {
      co_await send_token_in_vain(transaction, email, OneTimePurpose::reset_password);
    }
    co_await record_request(transaction, "user.password-reset-requested", user, visitor);
    co_return true;
  };
  co_await parts_.database.transact(std::move(body));
  co_return Status{};
}

Task<Status> AccountService::reset_password(SecretText token, SecretText new_password, Visitor visitor) {
  if (const auto allowed = check_not_frozen(); !allowed) co_return std::unexpected(allowed.error());
  const auto token_hash = hash_one_time_token(OneTimePurpose::reset_password, token.reveal());
  if (!token_hash) co_return invalid_token();
  // Looked up before the expensive hash, taken after it: a password against the policy does not use the token up.
  const auto found = co_await store_.find_token(parts_.database, *token_hash, "reset-password", parts_.clock.now());
  if (!found || !found->user)
    co_return co_await count_unknown(Guessable::one_time_token, *token_hash, visitor, invalid_token());
  const auto account = co_await store_.find_with_credentials(parts_.database, *found->user);
  if (!account) co_return invalid_token();
  const Passwords::Owner owner{.email = account->user.email, .name = account->user.name};
  const auto hash = co_await parts_.passwords.hash_new(visitor.hash_client(), new_password, owner, "/newPassword");
  if (!hash) co_return std::unexpected(hash.error());

  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto still_allowed = check_not_frozen();
    if (!still_allowed) co_return std::unexpected(still_allowed.error());
    const auto taken = co_await take_token_of_user(transaction, *token_hash, "reset-password", now);
    if (!taken || !taken->user.is_active) co_return invalid_token();
    const auto& user = taken->user;
    const bool is_set = co_await store_.set_password(transaction, user.id, account->credentials.version, *hash, now);
    if (!is_set) co_return invalid_token();  // the password was changed since the token was looked up
    if (!user.email_verified_at) {
      // The link proved the address; the name is of whoever registered it, which need not be its owner. (An account
      // without a password was made by an operator.)
      if (!account->credentials.password_hash.empty()) co_await store_.clear_name(transaction, user.id);
    }
    co_await store_.set_verified(transaction, user.id, now);
    co_await store_.delete_tokens_of(transaction, user.id);
    // Whoever reads the mailbox is the owner, however full strangers have made the count.
    co_await parts_.known_origins.forget(transaction, user.id);
    co_await parts_.known_origins.remember(transaction, user.id, visitor.origin.network);
    co_await parts_.sessions.end_all_of(transaction, user.id, std::nullopt, "password-reset", Actor::user(user.id));
    auto letter = parts_.letters.password_changed(addressee_of(user), now);
    co_await parts_.outbox.enqueue(transaction, std::move(letter));
    co_await record(transaction, "user.password-reset", Actor::user(user.id), user.id, visitor);
    co_return user.role == Role::superadmin;
  };
  const auto outcome = co_await parts_.database.transact(std::move(body));
  if (!outcome) co_return std::unexpected(outcome.error());
  if (*outcome) parts_.on_superadmin_password_changed();
  co_await parts_.sessions.made_known();
  co_return Status{};
}

Task<Result<User>> AccountService::get(UserId id) {
  auto user = co_await store_.find(parts_.database, id);
  if (!user) co_return refuse(ErrorCode::not_found);
  co_return std::move(*user);
}

Task<Result<User>> AccountService::set_profile(UserId id, std::optional<std::string> name,
                                               std::optional<std::string> locale) {
  co_await store_.set_profile(parts_.database, id, std::move(name), std::move(locale), parts_.clock.now());
  co_return co_await get(id);
}

Task<Status> AccountService::change_password(Caller caller, SecretText current, SecretText new_password,
                                             Visitor visitor) {
  if (const auto allowed = check_not_frozen(); !allowed) co_return std::unexpected(allowed.error());
  const auto account = co_await confirm_password(caller, current, "/currentPassword", visitor);
  if (!account) co_return std::unexpected(account.error());
  const Passwords::Owner owner{.email = account->user.email, .name = account->user.name};
  const auto hash = co_await parts_.passwords.hash_new(visitor.hash_client(), new_password, owner, "/newPassword");
  if (!hash) co_return std::unexpected(hash.error());
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto still_allowed = check_not_frozen();
    if (!still_allowed) co_return std::unexpected(still_allowed.error());
    const bool is_set =
        co_await store_.set_password(transaction, caller.user, account->credentials.version, *hash, now);
    if (!is_set) co_return refuse(ErrorCode::conflict, "The password was changed by somebody else at the same moment.");
    co_await store_.delete_tokens_of(transaction, caller.user);
    co_await parts_.known_origins.forget(transaction, caller.user);
    co_await parts_.known_origins.remember(transaction, caller.user, visitor.origin.network);
    co_await parts_.sessions.end_all_of(transaction, caller.user, caller.session, "password-changed",
                                        Actor::user(caller.user));
    auto letter = parts_.letters.password_changed(addressee_of(account->user), now);
    co_await parts_.outbox.enqueue(transaction, std::move(letter));
    co_await record(transaction, "user.password-changed", Actor::user(caller.user), caller.user, visitor);
    co_return true;
  };
  const auto outcome = co_await parts_.database.transact(std::move(body));
  if (!outcome) co_return std::unexpected(outcome.error());
  if (account->user.role == Role::superadmin) parts_.on_superadmin_password_changed();
  co_await parts_.sessions.made_known();
  co_return Status{};
}

Task<Status> AccountService::change_email(Caller caller, SecretText password, EmailAddress new_email, Visitor visitor) {
  if (const auto allowed = check_not_frozen(); !allowed) co_return std::unexpected(allowed.error());
  const auto account = co_await confirm_password(caller, password, "/password", visitor);
  if (!account) co_return std::unexpected(account.error());
  const auto limited = co_await limit_mail(new_email, visitor);
  if (!limited) co_return limited;
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto still_allowed = check_not_frozen();
    if (!still_allowed) co_return std::unexpected(still_allowed.error());
    const auto user = co_await store_.lock(transaction, caller.user);
    if (!user) co_return refuse(ErrorCode::unauthenticated);  // deleted at this moment
    const auto holder = co_await store_.find(transaction, new_email.text());
    if (holder && holder->id != caller.user && !gives_way(*holder)) {
      // The answer is the same; only the owner of that address hears of it.
      auto letter = parts_.letters.already_registered(addressee_of(*holder));
      co_await parts_.outbox.enqueue(transaction, std::move(letter));
    } else {
      User as_new = *user;
      as_new.email = new_email.text();
      co_await send_token(transaction, as_new, OneTimePurpose::change_email, caller.session);
    }
    co_await record(transaction, "user.email-change-requested", Actor::user(caller.user), caller.user, visitor);
    co_return true;
  };
  const auto outcome = co_await parts_.database.transact(std::move(body));
  if (!outcome) co_return std::unexpected(outcome.error());
  co_return Status{};
}

Task<Status> AccountService::delete_account(Caller caller, SecretText password, Visitor visitor) {
  const auto account = co_await confirm_password(caller, password, "/password", visitor);
  if (!account) co_return std::unexpected(account.error());
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    if (account->user.role == Role::superadmin) {
      const bool has_other = co_await store_.lock_other_superadmins(transaction, caller.user);
      if (!has_other) co_return refuse(ErrorCode::conflict, "The last superadmin cannot be deleted.");
    }
    const auto user = co_await store_.lock(transaction, caller.user);
    if (!user) co_return refuse(ErrorCode::unauthenticated);  // deleted at this moment
    co_await parts_.sessions.end_all_of(transaction, caller.user, std::nullopt, "account-deleted",
                                        Actor::user(caller.user));
    co_await store_.delete_user(transaction, caller.user);
    auto letter = parts_.letters.account_deleted(addressee_of(*user));
    co_await parts_.outbox.enqueue(transaction, std::move(letter));
    co_await record(transaction, "user.deleted", Actor::user(caller.user), caller.user, visitor);
    co_return true;
  };
  const auto outcome = co_await parts_.database.transact(std::move(body));
  if (!outcome) co_return std::unexpected(outcome.error());
  co_await parts_.sessions.made_known();
  co_return Status{};
}

Task<std::vector<User>> AccountService::search(std::string query, std::optional<UserId> before, std::int64_t limit,
                                               UserFilter filter) {
  // A part of an address or name is in no index.
  auto searching = store_.search(parts_.database, query, before, limit, filter);
  co_return co_await boost::asio::co_spawn(parts_.slow_loop, std::move(searching), use_task);
}

Task<std::optional<User>> AccountService::find(EmailAddress email) {
  auto found = co_await store_.find_with_credentials(parts_.database, email);
  if (!found) co_return std::nullopt;
  co_return std::move(found->user);
}

Task<Status> AccountService::invite(Operator acting, EmailAddress email, Visitor visitor) {
  const auto limited = co_await limit_mail(email, visitor);
  if (!limited) co_return limited;
  auto token = make_one_time_token(OneTimePurpose::invite, parts_.random);
  const auto kind = kind_of(OneTimePurpose::invite);
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto current = co_await confirm(transaction, acting, Permission::users_write, now);
    if (!current) co_return std::unexpected(current.error());
    co_await store_.lock_invitations(transaction, email);
    NewToken row{.hash = token.hash, .purpose = kind.purpose, .email = email.text(), .expires_at = now + kind.lifetime};
    co_await store_.insert_token(transaction, std::nullopt, row, now);
    const Addressee invited{.email = email.text()};
    auto letter = parts_.letters.invitation(invited, token.text);
    co_await parts_.outbox.enqueue(transaction, std::move(letter));
    AuditEntry entry{.action = "user.invited",
                     .outcome = AuditOutcome::done,
                     .actor = acting.actor,
                     .target = "email:" + email.key(),
                     .reason = {},
                     .origin = visitor.origin};
    co_await parts_.audit.record(transaction, std::move(entry));
    co_return true;
  };
  const auto invited = co_await parts_.database.transact(std::move(body));
  if (!invited) co_return std::unexpected(invited.error());
  co_return Status{};
}

Task<bool> AccountService::has_superadmin() {
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    co_return co_await store_.has_superadmin(transaction);
  };
  const auto has_one = co_await parts_.database.transact(std::move(body));
  co_return has_one.value();
}

Task<bool> AccountService::has_working_superadmin() {
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    co_return co_await store_.has_working_superadmin(transaction);
  };
  const auto has_one = co_await parts_.database.transact(std::move(body));
  co_return has_one.value();
}

Task<Result<bool>> AccountService::ensure_superadmin(EmailAddress email, SecretText password) {
  const Passwords::Owner owner{.email = email.text(), .name = {}};
  const auto hash = parts_.passwords.hash_new_now(password, owner, "/password");
  if (!hash) co_return std::unexpected(hash.error());
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    co_await store_.lock_first_administrator(transaction);
    const bool has_one = co_await store_.has_superadmin(transaction);
    if (has_one) co_return false;
    const auto holder = co_await store_.find(transaction, email.text());
    if (holder) co_return refuse(ErrorCode::conflict, "the address of the first administrator has an account already");
    User user{.id = UserId{Uuid::version7(now, parts_.random)},
              .email = email.text(),
              .name = "Administrator",
              .locale = "en",
              .role = Role::superadmin,
              .email_status = "ok",
              .is_active = true,
              .email_verified_at = now,
              .last_login_at = {},
              .created_at = now};
    co_await store_.insert(transaction, user, *hash);
    const Visitor nobody{};
    co_await record(transaction, "user.first-administrator-made", Actor::system(), user.id, nobody);
    co_return true;
  };
  co_return co_await parts_.database.transact(std::move(body));
}

Task<void> AccountService::sweep() {
  co_await store_.delete_expired_tokens(parts_.database, parts_.clock.now());
  co_await store_.delete_expired_tickets(parts_.database, parts_.clock.now());
  if (!clock_watch_.has_been_steady()) co_return;
  co_await parts_.attempts.sweep();
  co_await parts_.known_origins.sweep();
}

Task<Status> AccountService::limit_mail(const EmailAddress& email, const Visitor& visitor, const RateLimit& limit) {
  if (visitor.is_exempt_from_limits) co_return Status{};
  const auto full = co_await parts_.limits.take(limit, email.key());
  if (full) co_return refuse(Error{.code = ErrorCode::too_many_requests, .retry_after = full});
  co_return Status{};
}

Task<void> AccountService::send_token(sql::Transaction& transaction, const User& user, OneTimePurpose purpose,
                                      std::optional<SessionId> session) {
  auto token = make_one_time_token(purpose, parts_.random);
  const auto kind = kind_of(purpose);
  const auto now = parts_.clock.now();
  NewToken row{.hash = token.hash,
               .purpose = kind.purpose,
               .email = user.email,
               .expires_at = now + kind.lifetime,
               .session = session};
  co_await store_.insert_token(transaction, user.id, row, now);
  auto letter = letter_with(parts_.letters, purpose, addressee_of(user), token.text);
  co_await parts_.outbox.enqueue(transaction, std::move(letter));
}

Task<void> AccountService::send_token_in_vain(sql::Transaction& transaction, const EmailAddress& email,
                                              OneTimePurpose purpose) {
  auto token = make_one_time_token(purpose, parts_.random);
  const auto kind = kind_of(purpose);
  const auto now = parts_.clock.now();
  NewToken row{.hash = token.hash, .purpose = kind.purpose, .email = email.text(), .expires_at = now + kind.lifetime};
  co_await store_.insert_token_in_vain(transaction, row, now);
  const Addressee nobody{.email = email.text()};
  auto letter = letter_with(parts_.letters, purpose, nobody, token.text);
  co_await parts_.outbox.enqueue_in_vain(transaction, std::move(letter));
}

// The same for addresses of everybody and of nobody, so that both take as long.
Task<void> AccountService::record_request(sql::Transaction& transaction, std::string_view action,
                                          const std::optional<User>& user, const Visitor& visitor) {
  AuditEntry entry{.action = action,
                   .outcome = user ? AuditOutcome::done : AuditOutcome::refused,
                   .actor = Actor::anonymous(),
                   .target = user ? target_of(user->id) : "nobody",
                   .reason = {},
                   .origin = visitor.origin};
  co_await parts_.audit.record(transaction, std::move(entry));
}

Task<void> AccountService::record_refusal(std::string_view action, Actor actor, std::optional<UserId> target,
                                          std::string reason, const Visitor& visitor) {
  const auto full = co_await parts_.limits.take(kRefusedLoginsPerNetwork, visitor.origin.network);
  if (full) {
    parts_.audit.leave_unrecorded();
    co_return;
  }
  // An address that was typed and belongs to nobody is not kept: it may be a password.
  AuditEntry entry{.action = action,
                   .outcome = AuditOutcome::refused,
                   .actor = std::move(actor),
                   .target = target ? target_of(*target) : "nobody",
                   .reason = std::move(reason),
                   .origin = visitor.origin};
  co_await parts_.audit.try_to_record(parts_.database, std::move(entry));
}

Task<void> AccountService::record(sql::Transaction& transaction, std::string_view action, Actor actor, UserId target,
                                  const Visitor& visitor, std::string reason) {
  AuditEntry entry{.action = action,
                   .outcome = AuditOutcome::done,
                   .actor = std::move(actor),
                   .target = target_of(target),
                   .reason = std::move(reason),
                   .origin = visitor.origin};
  co_await parts_.audit.record(transaction, std::move(entry));
}

}  // namespace safawinet
