#include "factors/readmission.hpp"

#include <utility>

#include "factors/second_step.hpp"

namespace safawinet {

Task<Status> Readmission::give_new_address(NewAddress request, Visitor visitor) {
  if (const auto allowed = parts_.accounts.check_not_frozen(); !allowed) co_return std::unexpected(allowed.error());
  const auto account = co_await parts_.accounts.confirm_held(request.email, request.password, visitor);
  if (!account) co_return std::unexpected(account.error());
  std::optional<CheckedCode> checked;
  if (account->credentials.has_second_factor) {
    if (!request.code) {
      Error missing{.code = ErrorCode::invalid_fields};
      missing.fields.push_back({"/code", "required", "is asked for: you have a second factor"});
      co_return refuse(std::move(missing));
    }
    auto right = co_await parts_.codes.check(account->user.id, *std::move(request.code), CodeOf::confirmed, visitor);
    if (!right) co_return std::unexpected(as_field(std::move(right.error())));
    checked = *std::move(right);
  }
  const auto limited = co_await parts_.accounts.limit_mail(request.new_email, visitor);
  if (!limited) co_return limited;
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto still_allowed = parts_.accounts.check_not_frozen();
    if (!still_allowed) co_return std::unexpected(still_allowed.error());
    const auto user = co_await users_.lock(transaction, account->user.id);
    if (!user || !is_held_for_bounces(*user)) co_return refuse(ErrorCode::invalid_credentials);
    if (checked) {
      const bool is_used = co_await parts_.codes.use(transaction, *checked);
      if (!is_used) co_return refuse(as_field(Error{.code = ErrorCode::invalid_code}));
    }
    const auto holder = co_await users_.find(transaction, request.new_email.text());
    if (holder && holder->id != user->id && !gives_way(*holder)) {
      // The answer is the same; only the owner of that address hears of it.
      auto letter = parts_.letters.already_registered(addressee_of(*holder));
      co_await parts_.outbox.enqueue(transaction, std::move(letter));
    } else {
      if (holder && holder->id == user->id) co_await mails_.lift_bounce(transaction, user->email);
      User as_new = *user;
      as_new.email = request.new_email.text();
      co_await parts_.accounts.send_token(transaction, as_new, OneTimePurpose::change_email);
    }
    AuditEntry entry{.action = "user.email-change-requested",
                     .outcome = AuditOutcome::done,
                     .actor = Actor::user(user->id),
                     .target = target_of(user->id),
                     .reason = std::string(kHeldForBounces),
                     .origin = visitor.origin};
    co_await parts_.audit.record(transaction, std::move(entry));
    co_return true;
  };
  const auto outcome = co_await parts_.database.transact(std::move(body));
  if (!outcome) co_return std::unexpected(outcome.error());
  co_return Status{};
}

}  // namespace safawinet
