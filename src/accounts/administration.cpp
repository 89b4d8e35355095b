#include "accounts/administration.hpp"

#include <optional>
#include <string>
#include <utility>

#include "access/standing.hpp"

namespace safawinet {
namespace {

Error refusal(ErrorCode code, std::string detail, UserId target) {
  return {.code = code, .detail = {std::move(detail)}, .target = target_of(target)};
}

}  // namespace

Task<Result<User>> Administration::disable(AdministrativeAct act) {
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<User>> {
    co_await lock_rows(transaction, act);
    const auto acting = co_await confirm(transaction, act.acting, Permission::users_write, now);
    if (!acting) co_return std::unexpected(acting.error());
    auto user = co_await lock_governed(transaction, *acting, act.target);
    // Who is held for bounces could come back alone: not any more.
    if (!user || (!user->is_active && !is_held_for_bounces(*user))) co_return user;
    const auto kept = co_await keep_a_superadmin(transaction, *user);
    if (!kept) co_return std::unexpected(kept.error());
    co_await parts_.sessions.end_all_of(transaction, act.target, std::nullopt, "user-disabled", act.acting.actor);
    co_await store_.disable(transaction, act.target, act.reason, now);
    co_await record(transaction, "user.disabled", act, act.reason);
    auto letter = parts_.letters.account_held(addressee_of(*user), now);
    co_await parts_.outbox.enqueue(transaction, std::move(letter));
    user->is_active = false;
    user->disabled_reason = act.reason;
    user->disabled_at = now;
    co_return user;
  };
  auto user = co_await parts_.database.transact(std::move(body));
  if (user) co_await parts_.sessions.made_known();
  co_return user;
}

Task<Result<User>> Administration::enable(AdministrativeAct act) {
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<User>> {
    co_await lock_rows(transaction, act);
    const auto acting = co_await confirm(transaction, act.acting, Permission::users_write, now);
    if (!acting) co_return std::unexpected(acting.error());
    auto user = co_await lock_governed(transaction, *acting, act.target);
    if (!user || user->is_active) co_return user;
    co_await store_.enable(transaction, act.target, now);
    co_await record(transaction, "user.enabled", act, act.reason);
    user->is_active = true;
    user->disabled_reason.reset();
    user->disabled_at.reset();
    co_return user;
  };
  co_return co_await parts_.database.transact(std::move(body));
}

Task<Result<User>> Administration::change_role(AdministrativeAct act, Role role) {
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<User>> {
    co_await lock_rows(transaction, act);
    const auto acting = co_await confirm(transaction, act.acting, Permission::roles_write, now);
    if (!acting) co_return std::unexpected(acting.error());
    auto user = co_await lock_governed(transaction, *acting, act.target);
    if (!user) co_return user;
    if (!acting->may_grant(role)) {
      co_return refuse(refusal(ErrorCode::forbidden, "Nobody gives a role above their own.", act.target));
    }
    if (user->role == role) co_return user;
    const auto kept = co_await keep_a_superadmin(transaction, *user);
    if (!kept) co_return std::unexpected(kept.error());
    co_await store_.set_role(transaction, act.target, role, now);
    std::string what = std::string(name_of(user->role)) + " -> " + std::string(name_of(role));
    if (!act.reason.empty()) what += ": " + act.reason;
    co_await record(transaction, "user.role-changed", act, std::move(what));
    user->role = role;
    co_return user;
  };
  auto user = co_await parts_.database.transact(std::move(body));
  if (user) co_await parts_.sessions.made_known();
  co_return user;
}

Task<Status> Administration::delete_user(AdministrativeAct act) {
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    co_await lock_rows(transaction, act);
    const auto acting = co_await confirm(transaction, act.acting, Permission::users_delete, now);
    if (!acting) co_return std::unexpected(acting.error());
    const auto user = co_await lock_governed(transaction, *acting, act.target);
    if (!user) co_return std::unexpected(user.error());
    if (act.acting.user == act.target) {
      co_return refuse(refusal(ErrorCode::conflict, "One's own account is deleted under /v1/users/me.", act.target));
    }
    const auto kept = co_await keep_a_superadmin(transaction, *user);
    if (!kept) co_return std::unexpected(kept.error());
    co_await parts_.sessions.end_all_of(transaction, act.target, std::nullopt, "account-deleted", act.acting.actor);
    co_await store_.delete_user(transaction, act.target);
    co_await record(transaction, "user.deleted", act, act.reason);
    co_return true;
  };
  const auto outcome = co_await parts_.database.transact(std::move(body));
  if (!outcome) co_return std::unexpected(outcome.error());
  co_await parts_.sessions.made_known();
  co_return Status{};
}

Task<void> Administration::lock_rows(sql::Transaction& transaction, const AdministrativeAct& act) {
  const auto acting = act.acting.user.value_or(act.target);
  const auto as_seen = co_await store_.find(transaction, act.target);
  if (as_seen && as_seen->role == Role::superadmin) {
    co_await store_.lock_in_order_with_superadmins(transaction, acting, act.target);
  } else {
    co_await store_.lock_in_order(transaction, acting, act.target);
  }
}

Task<Result<User>> Administration::lock_governed(sql::Transaction& transaction, const Operator& acting, UserId target) {
  auto user = co_await store_.lock(transaction, target);
  if (!user) co_return refuse(ErrorCode::not_found);
  if (acting.may_govern(user->role)) co_return std::move(*user);
  co_return refuse(not_below(target));
}

Task<Status> Administration::keep_a_superadmin(sql::Transaction& transaction, const User& user) {
  if (user.role != Role::superadmin) co_return Status{};
  const bool has_other = co_await store_.lock_other_superadmins(transaction, user.id);
  if (has_other) co_return Status{};
  co_return refuse(refusal(ErrorCode::conflict, "The last superadmin has to stay.", user.id));
}

Task<void> Administration::record(sql::Transaction& transaction, std::string_view action, const AdministrativeAct& act,
                                  std::string reason) {
  AuditEntry entry{.action = action,
                   .outcome = AuditOutcome::done,
                   .actor = act.acting.actor,
                   .target = target_of(act.target),
                   .reason = std::move(reason),
                   .origin = act.origin};
  co_await parts_.audit.record(transaction, std::move(entry));
}

}  // namespace safawinet
