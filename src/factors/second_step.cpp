#include "factors/second_step.hpp"

#include <utility>

#include "crypto/one_time_token.hpp"

namespace safawinet {
namespace {

std::unexpected<Error> invalid_ticket() {
  return refuse(Error{.code = ErrorCode::invalid_token,
                      .fields = {{"/ticket", "invalid-token", "is unknown, used, or ended: log in again"}}});
}

std::unexpected<Error> bad_field(std::string pointer, std::string code, std::string detail) {
  Error error{.code = ErrorCode::invalid_fields};
  error.fields.push_back({std::move(pointer), std::move(code), std::move(detail)});
  return refuse(std::move(error));
}

}  // namespace

Error as_field(Error error) {
  if (error.code != ErrorCode::invalid_code) return error;
  Error field{.code = ErrorCode::invalid_fields};
  field.fields.push_back({"/code", "wrong-code", "is wrong, or was used already"});
  return field;
}

Task<Result<LoggedIn>> SecondStep::log_in(SecretText ticket, SecretText code, Visitor visitor) {
  const auto hash = hash_one_time_token(OneTimePurpose::login_ticket, ticket.reveal());
  if (!hash) co_return invalid_ticket();
  const auto now = parts_.clock.now();
  const auto first_step = co_await users_.find_ticket(parts_.database, *hash, now);
  if (!first_step) {
    const Status verdict = invalid_ticket();
    const auto told = co_await parts_.accounts.count_unknown(Guessable::login_ticket, *hash, visitor, verdict);
    co_return std::unexpected(told.error());
  }
  const auto checked = co_await parts_.codes.check(first_step->user, std::move(code), CodeOf::confirmed, visitor);
  if (!checked) {
    parts_.accounts.count_refused_login(checked.error().code, visitor);
    co_return std::unexpected(checked.error());
  }

  const SignInProof proof{
      .credential_version = first_step->credential_version, .methods = checked->methods(), .epoch = first_step->epoch};
  const Device device{.name = first_step->device_name,
                      .user_agent = visitor.origin.user_agent,
                      .ip_address = visitor.origin.ip_address};
  using Begun = std::pair<User, SessionStanding>;
  auto body = [&](sql::Transaction& transaction) -> Task<Result<Begun>> {
    auto user = co_await users_.lock(transaction, first_step->user);
    const auto taken = co_await users_.take_ticket(transaction, *hash, now);
    if (!user || !taken) co_return invalid_ticket();
    const bool is_used = co_await parts_.codes.use(transaction, *checked);
    if (!is_used) co_return refuse(ErrorCode::invalid_code);
    auto standing = co_await parts_.sessions.start_in(transaction, user->id, proof, device, visitor.origin);
    if (!standing) co_return invalid_ticket();
    co_await parts_.accounts.remember_origin(transaction, *user, first_step->device_name, visitor);
    user->last_login_at = standing->created_at;
    Begun begun{std::move(*user), std::move(*standing)};
    co_return begun;
  };
  auto begun = co_await parts_.database.transact(std::move(body));
  if (!begun) {
    co_await parts_.accounts.record_refusal("user.login-refused", Actor::anonymous(), first_step->user,
                                            "changed at the same moment", visitor);
    co_return std::unexpected(std::move(begun.error()));
  }
  auto tokens = parts_.sessions.issue(begun->second);
  LoggedIn logged_in{std::move(begun->first), std::move(tokens)};
  co_return logged_in;
}

Task<Result<IssuedTokens>> SecondStep::step_up(Caller caller, std::optional<SecretText> password,
                                               std::optional<SecretText> code, Visitor visitor) {
  const auto factor = co_await store_.find(parts_.database, caller.user);
  const bool has_factor = factor && factor->confirmed_at;
  if (has_factor && !code) co_return bad_field("/code", "required", "is asked for: you have a second factor");
  if (has_factor && password) co_return bad_field("/password", "unknown-field", "is not enough, and not asked for");
  if (!has_factor && !password) co_return bad_field("/password", "required", "is asked for");
  if (!has_factor && code) co_return bad_field("/code", "unknown-field", "can be of no use: you have no second factor");

  std::optional<CheckedCode> checked;
  if (has_factor) {
    auto right = co_await parts_.codes.check(caller.user, std::move(*code), CodeOf::confirmed, visitor);
    if (!right) co_return std::unexpected(as_field(std::move(right.error())));
    checked = std::move(*right);
  } else {
    const auto account = co_await parts_.accounts.confirm_password(caller, std::move(*password), "/password", visitor);
    if (!account) co_return std::unexpected(account.error());
  }
  auto body = [&](sql::Transaction& transaction) -> Task<Result<SessionStanding>> {
    const auto user = co_await users_.lock(transaction, caller.user);
    if (!user) co_return refuse(ErrorCode::unauthenticated);
    if (checked) {
      const bool is_used = co_await parts_.codes.use(transaction, *checked);
      if (!is_used) co_return refuse(as_field(Error{.code = ErrorCode::invalid_code}));
    }
    const auto methods = checked ? checked->methods() : sign_in_methods::kPassword;
    auto standing = co_await parts_.sessions.prove_again(transaction, caller.session, caller.user, methods);
    if (!standing) co_return std::unexpected(std::move(standing.error()));
    AuditEntry entry{.action = "session.stepped-up",
                     .outcome = AuditOutcome::done,
                     .actor = Actor::user(caller.user),
                     .target = target_of(caller.session),
                     .reason = std::string(methods),
                     .origin = visitor.origin};
    co_await parts_.audit.record(transaction, std::move(entry));
    co_return std::move(*standing);
  };
  const auto standing = co_await parts_.database.transact(std::move(body));
  if (!standing) co_return std::unexpected(standing.error());
  co_return parts_.sessions.issue(*standing);
}

}  // namespace safawinet
