#include "factors/enrolment.hpp"

#include <utility>

#include "access/standing.hpp"
#include "factors/backup_code.hpp"
#include "factors/factor_secrets.hpp"
#include "factors/qr_code.hpp"
#include "factors/second_step.hpp"

namespace safawinet {
namespace {

constexpr std::chrono::minutes kOfferLifetime{30};

std::unexpected<Error> changed_meanwhile() {
  return refuse(ErrorCode::conflict, "Your credentials were changed by somebody else at the same moment.");
}

}  // namespace

struct Enrolment::Confirmed {
  UserWithCredentials account;
  CheckedCode code;
};

Task<FactorState> Enrolment::get(UserId user) {
  FactorState state;
  const auto factor = co_await store_.find(parts_.database, user);
  if (!factor || !factor->confirmed_at) co_return state;
  state.totp = FactorState::Totp{.confirmed_at = *factor->confirmed_at, .last_used_at = factor->last_used_at};
  state.backup_codes_left = co_await store_.count_backup_codes(parts_.database, user);
  co_return state;
}

Task<Result<TotpOffer>> Enrolment::offer_totp(Caller caller, SecretText password, Visitor visitor) {
  if (const auto allowed = parts_.accounts.check_not_frozen(); !allowed) co_return std::unexpected(allowed.error());
  const auto account = co_await parts_.accounts.confirm_password(caller, std::move(password), "/password", visitor);
  if (!account) co_return std::unexpected(account.error());
  const auto secrets = FactorSecrets::make(parts_.random);
  const auto sealed = secrets.seal(parts_.master_key, caller.user);
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto user = co_await lock_unless_frozen(transaction, caller.user);
    if (!user) co_return std::unexpected(user.error());
    const bool is_offered = co_await store_.offer(transaction, caller.user, sealed, account->credentials.version, now);
    if (!is_offered) co_return refuse(ErrorCode::conflict, "You have a second factor already: remove it first.");
    AuditEntry entry{.action = "user.second-factor-offered",
                     .outcome = AuditOutcome::done,
                     .actor = Actor::user(caller.user),
                     .target = target_of(caller.user),
                     .reason = {},
                     .origin = visitor.origin};
    co_await parts_.audit.record(transaction, std::move(entry));
    co_return true;
  };
  const auto offered = co_await parts_.database.transact(std::move(body));
  if (!offered) co_return std::unexpected(offered.error());
  auto uri = totp_uri(secrets.totp(), parts_.issuer, account->user.email);
  const QrCode picture(uri.reveal());
  TotpOffer offer{
      .secret = totp_secret_text(secrets.totp()), .uri = std::move(uri), .svg = picture.svg(), .png = picture.png()};
  co_return offer;
}

Task<Result<std::vector<SecretText>>> Enrolment::confirm_totp(Caller caller, SecretText code, Visitor visitor) {
  if (const auto allowed = parts_.accounts.check_not_frozen(); !allowed) co_return std::unexpected(allowed.error());
  const auto now = parts_.clock.now();
  const auto offered = co_await store_.find(parts_.database, caller.user);
  if (!offered || offered->confirmed_at || offered->created_at + kOfferLifetime <= now) {
    co_return refuse(ErrorCode::conflict, "Nothing is waiting to be confirmed: ask for a secret first.");
  }
  const auto checked = co_await parts_.codes.check(caller.user, std::move(code), CodeOf::offered, visitor);
  if (!checked) co_return std::unexpected(as_field(checked.error()));
  auto body = [&](sql::Transaction& transaction) -> Task<Result<std::vector<SecretText>>> {
    const auto user = co_await lock_unless_frozen(transaction, caller.user);
    if (!user) co_return std::unexpected(user.error());
    const bool is_raised =
        co_await users_.raise_credential_version(transaction, user->id, offered->credential_version, now);
    if (!is_raised) co_return changed_meanwhile();
    UsedSteps used;
    used.add(checked->step);
    const bool is_confirmed = co_await store_.confirm(transaction, user->id, checked->sealed, used, now);
    if (!is_confirmed) co_return changed_meanwhile();
    auto codes = co_await make_codes(transaction, user->id, checked->sealed);
    const auto proved = co_await parts_.sessions.prove_again(transaction, caller.session, user->id, checked->methods());
    if (!proved) co_return std::unexpected(proved.error());
    const Change change{
        .action = "user.second-factor-added", .what_happened = FactorChange::added, .ending = "second-factor-added"};
    co_await conclude(transaction, *user, caller.session, Actor::user(user->id), change, {}, visitor.origin);
    co_return codes;
  };
  auto codes = co_await parts_.database.transact(std::move(body));
  if (!codes) co_return std::unexpected(std::move(codes.error()));
  co_await parts_.sessions.made_known();
  co_return codes;
}

Task<Status> Enrolment::remove_totp(Caller caller, SecretText password, SecretText code, Visitor visitor) {
  const auto confirmed = co_await confirm_both(caller, std::move(password), std::move(code), visitor);
  if (!confirmed) co_return std::unexpected(confirmed.error());
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto user = co_await begin_change(transaction, *confirmed, now);
    if (!user) co_return std::unexpected(user.error());
    co_await store_.remove(transaction, user->id);
    co_await parts_.sessions.forget_second_factor(transaction, caller.session);
    const Change change{.action = "user.second-factor-removed",
                        .what_happened = FactorChange::removed,
                        .ending = "second-factor-removed"};
    co_await conclude(transaction, *user, caller.session, Actor::user(user->id), change, {}, visitor.origin);
    co_return true;
  };
  const auto removed = co_await parts_.database.transact(std::move(body));
  if (!removed) co_return std::unexpected(removed.error());
  co_await parts_.sessions.made_known();
  co_return Status{};
}

Task<Result<std::vector<SecretText>>> Enrolment::renew_backup_codes(Caller caller, SecretText password, SecretText code,
                                                                    Visitor visitor) {
  const auto confirmed = co_await confirm_both(caller, std::move(password), std::move(code), visitor);
  if (!confirmed) co_return std::unexpected(confirmed.error());
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<std::vector<SecretText>>> {
    const auto user = co_await begin_change(transaction, *confirmed, now);
    if (!user) co_return std::unexpected(user.error());
    auto codes = co_await make_codes(transaction, user->id, confirmed->code.sealed);
    const Change change{.action = "user.backup-codes-renewed",
                        .what_happened = FactorChange::codes_renewed,
                        .ending = "backup-codes-renewed"};
    co_await conclude(transaction, *user, caller.session, Actor::user(user->id), change, {}, visitor.origin);
    co_return codes;
  };
  auto codes = co_await parts_.database.transact(std::move(body));
  if (!codes) co_return std::unexpected(std::move(codes.error()));
  co_await parts_.sessions.made_known();
  co_return codes;
}

Task<Status> Enrolment::reset(AdministrativeAct act) {
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    co_await users_.lock_in_order(transaction, act.acting.user.value_or(act.target), act.target);
    const auto acting = co_await confirm(transaction, act.acting, Permission::factors_reset, now);
    if (!acting) co_return std::unexpected(acting.error());
    const auto allowed = parts_.accounts.check_not_frozen();
    if (!allowed) co_return std::unexpected(allowed.error());
    const auto user = co_await users_.lock(transaction, act.target);
    if (!user) co_return refuse(ErrorCode::not_found);
    if (!acting->may_govern(user->role)) co_return refuse(not_below(act.target));
    if (act.acting.owner() == act.target) {
      co_return refuse(Error{.code = ErrorCode::conflict,
                             .detail = {"Your own second factor goes with a code of it, or another operator takes it."},
                             .target = target_of(act.target)});
    }
    const bool had_one = co_await store_.remove(transaction, user->id);
    if (!had_one) co_return false;
    co_await users_.raise_credential_version(transaction, user->id, std::nullopt, now);
    const Change change{.action = "user.second-factor-reset",
                        .what_happened = FactorChange::taken_away,
                        .ending = "second-factor-reset"};
    co_await conclude(transaction, *user, std::nullopt, act.acting.actor, change, act.reason, act.origin);
    co_return true;
  };
  const auto reset = co_await parts_.database.transact(std::move(body));
  if (!reset) co_return std::unexpected(reset.error());
  co_await parts_.sessions.made_known();
  co_return Status{};
}

Task<Result<User>> Enrolment::lock_unless_frozen(sql::Transaction& transaction, UserId id) {
  const auto allowed = parts_.accounts.check_not_frozen();
  if (!allowed) co_return std::unexpected(allowed.error());
  auto user = co_await users_.lock(transaction, id);
  if (!user) co_return refuse(ErrorCode::unauthenticated);  // deleted at this moment
  co_return std::move(*user);
}

Task<Result<User>> Enrolment::begin_change(sql::Transaction& transaction, const Confirmed& confirmed, Time now) {
  auto user = co_await lock_unless_frozen(transaction, confirmed.account.user.id);
  if (!user) co_return std::unexpected(std::move(user.error()));
  const auto version = confirmed.account.credentials.version;
  const bool is_raised = co_await users_.raise_credential_version(transaction, user->id, version, now);
  if (!is_raised) co_return changed_meanwhile();
  const bool is_used = co_await parts_.codes.use(transaction, confirmed.code);
  if (!is_used) co_return refuse(as_field(Error{.code = ErrorCode::invalid_code}));
  co_return std::move(*user);
}

Task<Result<Enrolment::Confirmed>> Enrolment::confirm_both(const Caller& caller, SecretText password, SecretText code,
                                                           const Visitor& visitor) {
  if (const auto allowed = parts_.accounts.check_not_frozen(); !allowed) co_return std::unexpected(allowed.error());
  auto account = co_await parts_.accounts.confirm_password(caller, std::move(password), "/password", visitor);
  if (!account) co_return std::unexpected(account.error());
  if (!account->credentials.has_second_factor) {
    co_return refuse(ErrorCode::conflict, "You have no second factor.");
  }
  auto checked = co_await parts_.codes.check(caller.user, std::move(code), CodeOf::confirmed, visitor);
  if (!checked) co_return std::unexpected(as_field(std::move(checked.error())));
  Confirmed confirmed{.account = std::move(*account), .code = std::move(*checked)};
  co_return confirmed;
}

Task<void> Enrolment::conclude(sql::Transaction& transaction, const User& user, std::optional<SessionId> except,
                               Actor actor, const Change& change, std::string reason, const Origin& origin) {
  co_await users_.delete_tokens_of(transaction, user.id);
  co_await parts_.sessions.end_all_of(transaction, user.id, except, std::string(change.ending), actor);
  auto letter = parts_.letters.second_factor_changed(addressee_of(user), change.what_happened, parts_.clock.now());
  co_await parts_.outbox.enqueue(transaction, std::move(letter));
  AuditEntry entry{.action = change.action,
                   .outcome = AuditOutcome::done,
                   .actor = std::move(actor),
                   .target = target_of(user.id),
                   .reason = std::move(reason),
                   .origin = origin};
  co_await parts_.audit.record(transaction, std::move(entry));
}

Task<std::vector<SecretText>> Enrolment::make_codes(sql::Transaction& transaction, UserId user,
                                                    std::string_view sealed) {
  const auto key = FactorSecrets::open(parts_.master_key, user, sealed).backup_codes();
  auto codes = make_backup_codes(parts_.random);
  std::vector<std::string> macs;
  for (const auto& code : codes) macs.push_back(mac_of_backup_code(key, user, code));
  co_await store_.replace_backup_codes(transaction, user, macs);
  co_return codes;
}

}  // namespace safawinet
