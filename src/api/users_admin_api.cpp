#include "api/users_admin_api.hpp"

#include <cstdint>
#include <string>
#include <utility>

namespace safawinet::api {
namespace {

constexpr std::int64_t kExportLimit = 1'000;

// What the path says of whom, and who is asking.
Result<AdministrativeAct> act_of(const Call& call) {
  const auto id = call.id<UserId>(0);
  if (!id) return std::unexpected(id.error());
  return AdministrativeAct{.acting = *call.acting, .target = *id, .reason = {}, .origin = call.origin()};
}

// The same with ?reason=, as long as that of a body may be.
Result<AdministrativeAct> act_with_reason(const Call& call) {
  auto act = act_of(call);
  if (!act) return act;
  const auto text = call.query("reason");
  if (!text) return std::unexpected(text.error());
  auto reason = BoundedText<0, 500>::parse(text->value_or(""));
  if (!reason) {
    reason.error().pointer = "?reason";
    return refuse(Error{.code = ErrorCode::invalid_fields, .fields = {std::move(reason.error())}});
  }
  act->reason = std::move(reason->value);
  return act;
}

}  // namespace

Task<Result<Created<AdminUserAnswer>>> UsersAdminApi::create(Call& call, CreateUserInput input) {
  NewAccount account{.email = std::move(input.email),
                     .name = input.name ? std::move(input.name->value) : std::string(),
                     .role = input.role.value_or(Role::customer),
                     .password = std::move(input.password),
                     .is_verified = input.verified.value_or(false)};
  const auto user = co_await making_.create(*call.acting, std::move(account), call.visitor());
  if (!user) co_return std::unexpected(user.error());
  Created<AdminUserAnswer> answer{.made = to_admin_answer(*user), .location = "/v1/admin/users/" + user->id.text()};
  co_return answer;
}

Task<Result<UserPage>> UsersAdminApi::export_users(Call& call) {
  const auto page = page_of<UserId>(call, kExportLimit);
  if (!page) co_return std::unexpected(page.error());
  auto users = co_await making_.export_page(*call.acting, page->before, page->limit + 1, call.origin());
  if (!users) co_return std::unexpected(users.error());
  UserPage answer;
  answer.next_cursor = cut_page(*users, page->limit);
  for (const auto& user : *users) answer.items.push_back(to_admin_answer(user));
  co_return answer;
}

Task<Result<Accepted>> UsersAdminApi::send_reset(Call& call) {
  auto act = act_of(call);
  if (!act) co_return std::unexpected(act.error());
  const auto sent = co_await assistance_.send_reset(std::move(*act), call.is_exempt_from_limits);
  if (!sent) co_return std::unexpected(sent.error());
  co_return Accepted{};
}

Task<Result<NoContent>> UsersAdminApi::unlock(Call& call) {
  auto act = act_of(call);
  if (!act) co_return std::unexpected(act.error());
  const auto unlocked = co_await assistance_.unlock(std::move(*act));
  if (!unlocked) co_return std::unexpected(unlocked.error());
  co_return NoContent{};
}

Task<Result<AdminUserAnswer>> UsersAdminApi::verify(Call& call) {
  auto act = act_of(call);
  if (!act) co_return std::unexpected(act.error());
  const auto user = co_await assistance_.verify_address(std::move(*act));
  if (!user) co_return std::unexpected(user.error());
  co_return to_admin_answer(*user);
}

Task<Result<NoContent>> UsersAdminApi::end_session(Call& call) {
  auto act = act_with_reason(call);
  if (!act) co_return std::unexpected(act.error());
  const auto session = call.id<SessionId>(1);
  if (!session) co_return std::unexpected(session.error());
  const auto ended = co_await assistance_.end_session(std::move(*act), *session);
  if (!ended) co_return std::unexpected(ended.error());
  co_return NoContent{};
}

Task<Result<NoContent>> UsersAdminApi::delete_user(Call& call) {
  auto act = act_with_reason(call);
  if (!act) co_return std::unexpected(act.error());
  const auto deleted = co_await administration_.delete_user(std::move(*act));
  if (!deleted) co_return std::unexpected(deleted.error());
  co_return NoContent{};
}

}  // namespace safawinet::api
