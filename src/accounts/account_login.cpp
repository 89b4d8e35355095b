// Of AccountService, what logs people in: who says that they are somebody, and how often they may be wrong.
#include <array>
#include <chrono>
#include <utility>

#include "accounts/account_service.hpp"

namespace safawinet {
namespace {

constexpr std::chrono::minutes kTicketLifetime{5};

std::unexpected<Error> wrong_password(const std::string& pointer) {
  return refuse(
      Error{.code = ErrorCode::invalid_fields, .fields = {{pointer, "wrong-password", "is not your password"}}});
}

Guess password_guess(std::string account, const Visitor& visitor, bool is_known_device) {
  return {.secret = Guessable::password,
          .account = std::move(account),
          .network = visitor.origin.network,
          .is_from_known_device = is_known_device,
          .is_exempt_from_networks_count = visitor.is_exempt_from_limits};
}

Guess token_guess(Guessable secret, std::string hash, const Visitor& visitor) {
  return {.secret = secret,
          .account = std::move(hash),
          .network = visitor.origin.network,
          .is_exempt_from_networks_count = visitor.is_exempt_from_limits};
}

Device device_of(const Login& login, const Visitor& visitor) {
  return {.name = login.device_name.empty() ? describe_device(visitor.origin.user_agent) : login.device_name,
          .user_agent = visitor.origin.user_agent,
          .ip_address = visitor.origin.ip_address};
}

}  // namespace

Task<Result<LoggedIn>> AccountService::log_in(Login login, Visitor visitor) {
  auto checked = co_await check_login(login, visitor);
  count_login(checked ? std::nullopt : std::optional(checked.error().code), visitor);
  if (!checked) co_return std::unexpected(checked.error());
  auto& [user, credentials] = checked->account;
  if (!user.is_active) {
    co_await record_refusal("user.login-refused", Actor::anonymous(), user.id, "held: its mails bounce", visitor);
    co_return refuse(ErrorCode::account_held);
  }
  if (!user.email_verified_at) {
    co_await record_refusal("user.login-refused", Actor::anonymous(), user.id, "the address is not verified", visitor);
    co_return refuse(ErrorCode::email_not_verified);
  }
  if (checked->needs_rehash) {
    const auto rehashed = co_await parts_.passwords.rehash(visitor.hash_client(true), login.password);
    if (rehashed) co_await store_.set_rehashed(parts_.database, user.id, credentials.password_hash, *rehashed);
  }
  auto device = device_of(login, visitor);
  if (credentials.has_second_factor) {
    auto asked = co_await ask_for_second_factor(checked->account, std::move(device.name), visitor);
    co_return std::unexpected(std::move(asked));
  }
  const std::string device_name = device.name;
  SessionService::InLogin remember = [&](sql::Transaction& transaction) {
    return remember_origin(transaction, user, device_name, visitor);
  };
  auto tokens = co_await parts_.sessions.start(user.id, credentials.version, std::move(device), visitor.origin,
                                               std::move(remember));
  if (!tokens) {
    co_await record_refusal("user.login-refused", Actor::anonymous(), user.id, "changed at the same moment", visitor);
    co_return std::unexpected(tokens.error());
  }
  user.last_login_at = parts_.clock.now();
  LoggedIn logged_in{std::move(user), std::move(*tokens)};
  co_return logged_in;
}

Task<Result<UserWithCredentials>> AccountService::confirm_held(EmailAddress email, SecretText password,
                                                               Visitor visitor) {
  const Login login{.email = std::move(email), .password = std::move(password), .device_name = {}};
  auto checked = co_await check_login(login, visitor);
  count_login(checked ? std::nullopt : std::optional(checked.error().code), visitor);
  if (!checked) co_return std::unexpected(checked.error());
  if (!is_held_for_bounces(checked->account.user)) {
    co_return refuse(ErrorCode::conflict, "This account is not held. Log in, and change the address.");
  }
  co_return std::move(checked->account);
}

Task<void> AccountService::remember_origin(sql::Transaction& transaction, const User& user,
                                           std::string_view device_name, const Visitor& visitor) {
  const auto& network = visitor.origin.network;
  const bool is_new = co_await parts_.known_origins.remember(transaction, user.id, network);
  if (!is_new) co_return;
  auto letter = parts_.letters.new_device(addressee_of(user), device_name, network, parts_.clock.now());
  co_await parts_.outbox.enqueue(transaction, std::move(letter));
}

// For every address the same steps, whether it has an account or not, and whether the device is known or not.
Task<Result<AccountService::RightLogin>> AccountService::check_login(const Login& login, const Visitor& visitor) {
  auto account = co_await store_.find_with_credentials(parts_.database, login.email);
  const auto known = account ? std::optional(account->user.id) : std::nullopt;
  const bool is_known_device = co_await parts_.known_origins.knows(known, visitor.origin.network);
  const auto guess = password_guess(login.email.key(), visitor, is_known_device);
  const auto may_try = co_await parts_.attempts.may_try(guess);
  if (!may_try) {
    co_await record_refusal("user.login-refused", Actor::anonymous(), known, "too many wrong ones before", visitor);
    co_return std::unexpected(may_try.error());
  }
  const auto stored = account ? account->credentials.password_hash : std::string();
  const auto verified = co_await parts_.passwords.verify(visitor.hash_client(is_known_device), login.password, stored);
  if (!verified) co_return std::unexpected(verified.error());
  // A disabled account answers as a wrong password does, and counts as one: else the limit would tell them apart.
  // One that is held for its bounces is told so: its owner has a way back.
  const bool is_right = verified->matches && (account->user.is_active || is_held_for_bounces(account->user));
  const auto verdict = is_right ? Attempts::Verdict::right : Attempts::Verdict::wrong;
  const auto may_tell = co_await parts_.attempts.may_tell(guess, verdict);
  if (!may_tell) {
    co_await record_refusal("user.login-refused", Actor::anonymous(), known, "too many wrong ones before", visitor);
    co_return std::unexpected(may_tell.error());
  }
  if (!is_right) {
    co_await record_refusal("user.login-refused", Actor::anonymous(), known, "wrong credentials", visitor);
    co_return refuse(ErrorCode::invalid_credentials);
  }
  RightLogin right{.account = std::move(*account), .needs_rehash = verified->needs_rehash};
  co_return right;
}

void AccountService::count_login(const std::optional<ErrorCode>& refusal, const Visitor& visitor) {
  if (!refusal && !visitor.is_exempt_from_limits) parts_.under_attack.gauge().count_accepted();
  if (refusal) count_refused_login(*refusal, visitor);
}

void AccountService::count_refused_login(ErrorCode refusal, const Visitor& visitor) {
  if (visitor.is_exempt_from_limits) return;
  const bool is_of_guessing = refusal == ErrorCode::invalid_credentials || refusal == ErrorCode::invalid_code ||
                              refusal == ErrorCode::too_many_requests;
  if (is_of_guessing) parts_.under_attack.gauge().count_refused(visitor.origin.network);
}

Task<Status> AccountService::count_unknown(Guessable token, const std::string& hash, const Visitor& visitor,
                                           Status verdict) {
  auto may_tell = co_await parts_.attempts.may_tell_unknown(token_guess(token, hash, visitor));
  if (!may_tell) co_return may_tell;
  co_return verdict;
}

Task<Error> AccountService::ask_for_second_factor(const UserWithCredentials& account, std::string device_name,
                                                  const Visitor& visitor) {
  const auto ticket = make_one_time_token(OneTimePurpose::login_ticket, parts_.random);
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto epoch = co_await store_.find_epoch(transaction);
    const LoginTicket row{.user = account.user.id,
                          .credential_version = account.credentials.version,
                          .epoch = epoch,
                          .device_name = device_name};
    co_await store_.insert_ticket(transaction, row, ticket.hash, now + kTicketLifetime, now);
    co_await record(transaction, "user.second-factor-asked", Actor::anonymous(), account.user.id, visitor);
    co_return true;
  };
  co_await parts_.database.transact(std::move(body));
  Error error{.code = ErrorCode::second_factor_required};
  error.texts.emplace_back("ticket", ticket.text.reveal());
  error.lists.push_back({"factors", {"totp", "backup-code"}});
  error.figures.emplace_back("expiresIn", std::chrono::seconds(kTicketLifetime).count());
  co_return error;
}

Task<Result<UserWithCredentials>> AccountService::confirm_password(const Caller& caller, SecretText password,
                                                                   std::string pointer, const Visitor& visitor) {
  const auto user = caller.user;
  auto account = co_await store_.find_with_credentials(parts_.database, user);
  if (!account) co_return refuse(ErrorCode::unauthenticated);
  const auto email = EmailAddress::parse(account->user.email);
  // Of the session, too: whoever has stolen it gets ten tries, and not ten from each of their networks.
  const std::array<Guess, 2> guesses{
      Guess{.secret = Guessable::password, .account = "session:" + caller.session.text()},
      password_guess(email ? email->key() : account->user.email, visitor, true)};  // known: it is signed in
  for (const auto& counted : guesses) {
    const auto may_try = co_await parts_.attempts.may_try(counted);
    if (!may_try) co_return std::unexpected(may_try.error());
  }
  const auto verified = co_await parts_.passwords.verify(visitor.hash_client(true), std::move(password),
                                                         account->credentials.password_hash);
  if (!verified) co_return std::unexpected(verified.error());
  const auto verdict = verified->matches ? Attempts::Verdict::right : Attempts::Verdict::wrong;
  for (const auto& counted : guesses) {
    const auto may_tell = co_await parts_.attempts.may_tell(counted, verdict);
    if (!may_tell) co_return std::unexpected(may_tell.error());
  }
  if (!verified->matches) {
    co_await record_refusal("user.confirmation-refused", Actor::user(user), user, "wrong credentials", visitor);
    co_return wrong_password(pointer);
  }
  co_return std::move(*account);
}

}  // namespace safawinet
