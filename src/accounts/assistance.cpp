#include "accounts/assistance.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "access/standing.hpp"
#include "accounts/email_address.hpp"

namespace safawinet {
namespace {

// How Attempts knows the account.
std::string key_of(const User& user) {
  const auto email = EmailAddress::parse(user.email);
  return email ? email->key() : user.email;
}

std::string target_of(const AdministrativeAct& act) { return target_of(act.target); }

}  // namespace

Task<Status> Assistance::send_reset(AdministrativeAct act, bool is_exempt_from_limits) {
  // Nobody could use the link.
  if (const auto allowed = parts_.accounts.check_not_frozen(); !allowed) co_return std::unexpected(allowed.error());
  if (!is_exempt_from_limits) {
    const auto account = co_await store_.find(parts_.database, act.target);
    if (!account) co_return refuse(ErrorCode::not_found);
    // What is refused in any case does not count against the user.
    if (!act.acting.may_contain(account->role)) co_return refuse(above_rank(act.target));
    const auto full = co_await parts_.limits.take(kRecoveryMailPerAddress, key_of(*account));
    if (full) co_return refuse(Error{.code = ErrorCode::too_many_requests, .retry_after = full});
  }
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto user = co_await lock_contained(transaction, act, Permission::users_assist);
    if (!user) co_return std::unexpected(user.error());
    if (!user->is_active) {
      co_return refuse(Error{.code = ErrorCode::conflict,
                             .detail = {"The account is disabled: nobody could log in with what they choose."},
                             .target = target_of(act)});
    }
    co_await parts_.accounts.send_token(transaction, *user, OneTimePurpose::reset_password);
    co_await record(transaction, "user.reset-sent", act, target_of(act));
    co_return true;
  };
  const auto outcome = co_await parts_.database.transact(std::move(body));
  if (!outcome) co_return std::unexpected(outcome.error());
  co_return Status{};
}

Task<WrongGuesses> Assistance::wrong_guesses(const User& user) {
  const auto passwords = co_await parts_.attempts.get(Guessable::password, key_of(user));
  const auto codes = co_await parts_.attempts.get(Guessable::second_factor, user.id.text());
  const auto backup_codes = co_await parts_.attempts.get(Guessable::backup_code, user.id.text());
  co_return WrongGuesses{
      .passwords = passwords.count,
      .codes = codes.count + backup_codes.count,
      .locked_until = std::max({passwords.locked_until, codes.locked_until, backup_codes.locked_until})};
}

Task<Status> Assistance::unlock(AdministrativeAct act) {
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto user = co_await lock_contained(transaction, act, Permission::users_assist);
    if (!user) co_return std::unexpected(user.error());
    if (act.acting.owner() == act.target) {
      // Else whoever has stolen a session of an operator goes on guessing the operator's password or code.
      co_return refuse(Error{.code = ErrorCode::conflict,
                             .detail = {"Nobody unlocks their own account: another operator does."},
                             .target = target_of(act)});
    }
    const auto key = key_of(*user);
    bool had_any = co_await parts_.attempts.forget(transaction, Guessable::password, key);
    for (const auto secret : {Guessable::second_factor, Guessable::backup_code}) {
      const bool had_codes = co_await parts_.attempts.forget(transaction, secret, user->id.text());
      had_any = had_any || had_codes;
    }
    if (had_any) co_await record(transaction, "user.unlocked", act, target_of(act));
    co_return had_any;
  };
  const auto outcome = co_await parts_.database.transact(std::move(body));
  if (!outcome) co_return std::unexpected(outcome.error());
  co_return Status{};
}

Task<Result<User>> Assistance::verify_address(AdministrativeAct act) {
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<User>> {
    co_await store_.lock_in_order(transaction, act.acting.user.value_or(act.target), act.target);
    const auto acting = co_await confirm(transaction, act.acting, Permission::users_write, now);
    if (!acting) co_return std::unexpected(acting.error());
    auto user = co_await store_.lock(transaction, act.target);
    if (!user) co_return refuse(ErrorCode::not_found);
    if (!acting->may_govern(user->role)) {
      co_return refuse(not_below(act.target));
    }
    if (user->email_verified_at) co_return std::move(*user);
    co_await store_.set_verified(transaction, act.target, now);
    co_await record(transaction, "user.verified-by-operator", act, target_of(act));
    user->email_verified_at = now;
    user->email_status = "ok";
    co_return std::move(*user);
  };
  co_return co_await parts_.database.transact(std::move(body));
}

Task<Status> Assistance::end_session(AdministrativeAct act, SessionId session) {
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto user = co_await lock_contained(transaction, act, Permission::sessions_end);
    if (!user) co_return std::unexpected(user.error());
    const bool has_ended =
        co_await parts_.sessions.end_one_of(transaction, act.target, session, "ended-by-operator", act.acting.actor);
    if (!has_ended) co_return refuse(ErrorCode::not_found);
    co_await record(transaction, "session.ended-by-operator", act, target_of(session));
    co_return true;
  };
  const auto outcome = co_await parts_.database.transact(std::move(body));
  if (!outcome) co_return std::unexpected(outcome.error());
  co_await parts_.sessions.made_known();
  co_return Status{};
}

Task<Result<User>> Assistance::lock_contained(sql::Transaction& transaction, const AdministrativeAct& act,
                                              Permission permission) {
  co_await store_.lock_in_order(transaction, act.acting.user.value_or(act.target), act.target);
  const auto acting = co_await confirm(transaction, act.acting, permission, parts_.clock.now());
  if (!acting) co_return std::unexpected(acting.error());
  auto user = co_await store_.lock(transaction, act.target);
  if (!user) co_return refuse(ErrorCode::not_found);
  if (!acting->may_contain(user->role)) co_return refuse(above_rank(act.target));
  co_return std::move(*user);
}

Task<void> Assistance::record(sql::Transaction& transaction, std::string_view action, const AdministrativeAct& act,
                              std::string target) {
  AuditEntry entry{.action = action,
                   .outcome = AuditOutcome::done,
                   .actor = act.acting.actor,
                   .target = std::move(target),
                   .reason = act.reason,
                   .origin = act.origin};
  co_await parts_.audit.record(transaction, std::move(entry));
}

}  // namespace safawinet
