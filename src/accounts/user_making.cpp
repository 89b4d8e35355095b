#include "accounts/user_making.hpp"

#include <utility>

#include "access/standing.hpp"

namespace safawinet {

Task<Result<User>> UserMaking::create(Operator acting, NewAccount account, Visitor visitor) {
  if (const auto allowed = parts_.accounts.check_not_frozen(); !allowed) co_return std::unexpected(allowed.error());
  const bool causes_mail = !account.password || !account.is_verified;
  if (causes_mail) {
    const auto limited = co_await parts_.accounts.limit_mail(account.email, visitor);
    if (!limited) co_return std::unexpected(limited.error());
  }
  std::string hash;  // empty: no password matches it
  if (account.password) {
    Passwords::Owner owner{.email = account.email.text(), .name = account.name};
    auto made = co_await parts_.passwords.hash_new(visitor.hash_client(), *account.password, owner, "/password");
    if (!made) co_return std::unexpected(made.error());
    hash = std::move(*made);
  }
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<User>> {
    const auto current = co_await confirm(transaction, acting, Permission::users_write, now);
    if (!current) co_return std::unexpected(current.error());
    const auto still_allowed = parts_.accounts.check_not_frozen();
    if (!still_allowed) co_return std::unexpected(still_allowed.error());
    if (account.role != Role::customer &&
        !(current->may(Permission::roles_write) && current->may_grant(account.role))) {
      co_return refuse(ErrorCode::forbidden, "Nobody gives a role above their own.");
    }
    const auto holder = co_await store_.find(transaction, account.email.text());
    if (holder) {
      co_return refuse(
          Error{.code = ErrorCode::conflict, .detail = {"The address is taken."}, .target = target_of(holder->id)});
    }
    User user{.id = UserId{Uuid::version7(now, parts_.random)},
              .email = account.email.text(),
              .name = account.name,
              .locale = "en",
              .role = account.role,
              .email_status = "ok",
              .is_active = true,
              .email_verified_at = {},
              .last_login_at = {},
              .created_at = now};
    if (account.is_verified) user.email_verified_at = now;
    // Where somebody else inserts the address at this moment, ours fails, and the transaction looks again.
    co_await store_.insert(transaction, user, hash);
    if (hash.empty()) {
      co_await parts_.accounts.send_token(transaction, user, OneTimePurpose::reset_password);
    } else if (!account.is_verified) {
      co_await parts_.accounts.send_token(transaction, user, OneTimePurpose::verify_email);
    }
    AuditEntry entry{.action = "user.created",
                     .outcome = AuditOutcome::done,
                     .actor = acting.actor,
                     .target = target_of(user.id),
                     .reason = "role: " + std::string(name_of(account.role)),
                     .origin = visitor.origin};
    co_await parts_.audit.record(transaction, std::move(entry));
    co_return user;
  };
  co_return co_await parts_.database.transact(std::move(body));
}

Task<Result<std::vector<User>>> UserMaking::export_page(Operator acting, std::optional<UserId> after,
                                                        std::int64_t limit, Origin origin) {
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<std::vector<User>>> {
    const auto current = co_await confirm(transaction, acting, Permission::users_export, now);
    if (!current) co_return std::unexpected(current.error());
    auto users = co_await store_.list_by_id(transaction, after, limit);
    std::string from = "from the beginning";
    if (after) from = "from behind " + after->text();
    AuditEntry entry{.action = "users.exported",
                     .outcome = AuditOutcome::done,
                     .actor = acting.actor,
                     .target = "everybody",
                     .reason = std::move(from),
                     .origin = origin};
    co_await parts_.audit.record(transaction, std::move(entry));
    co_return users;
  };
  co_return co_await parts_.database.transact(std::move(body));
}

}  // namespace safawinet
