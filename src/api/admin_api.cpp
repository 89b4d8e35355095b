#include "api/admin_api.hpp"

#include <utility>

namespace safawinet::api {
namespace {

AdministrativeAct act_on(const Call& call, UserId target, std::string reason) {
  return {.acting = *call.acting, .target = target, .reason = std::move(reason), .origin = call.origin()};
}

// ?role= &active=
Result<UserFilter> filter_of(const Call& call) {
  UserFilter filter;
  const auto role = call.query("role");
  if (!role) return std::unexpected(role.error());
  if (*role) {
    filter.role = parse_role(**role);
    if (!filter.role) return bad_query("role", "not-one-of", "must be one of customer, support, admin, superadmin");
  }
  const auto active = call.query("active");
  if (!active) return std::unexpected(active.error());
  if (*active) {
    if (**active != "true" && **active != "false") return bad_query("active", "not-one-of", "must be true or false");
    filter.is_active = **active == "true";
  }
  return filter;
}

}  // namespace

Task<Result<UserPage>> AdminApi::list_users(Call& call) {
  const auto page = page_of<UserId>(call);
  if (!page) co_return std::unexpected(page.error());
  const auto query = call.query("query");
  if (!query) co_return std::unexpected(query.error());
  const auto filter = filter_of(call);
  if (!filter) co_return std::unexpected(filter.error());
  auto users = co_await accounts_.search(query->value_or(""), page->before, page->limit + 1, *filter);
  UserPage answer;
  answer.next_cursor = cut_page(users, page->limit);
  for (const auto& user : users) answer.items.push_back(to_admin_answer(user));
  co_return answer;
}

Task<Result<AdminUserAnswer>> AdminApi::get_user(Call& call) {
  const auto id = call.id<UserId>(0);
  if (!id) co_return std::unexpected(id.error());
  const auto user = co_await accounts_.get(*id);
  if (!user) co_return std::unexpected(user.error());
  co_return to_admin_answer(*user);
}

Task<Result<SessionPage>> AdminApi::list_sessions_of(Call& call) {
  const auto id = call.id<UserId>(0);
  if (!id) co_return std::unexpected(id.error());
  const auto page = page_of<SessionId>(call);
  if (!page) co_return std::unexpected(page.error());
  const auto user = co_await accounts_.get(*id);
  if (!user) co_return std::unexpected(user.error());
  auto sessions = co_await sessions_.list(*id, page->before, page->limit + 1);
  SessionPage answer;
  answer.next_cursor = cut_page(sessions, page->limit);
  for (const auto& session : sessions) answer.items.push_back(to_item(session, call.acting->session));
  co_return answer;
}

Task<Result<Accepted>> AdminApi::invite(Call& call, EmailInput input) {
  const auto status = co_await accounts_.invite(*call.acting, std::move(input.email), call.visitor());
  if (!status) co_return std::unexpected(status.error());
  co_return Accepted{};
}

Task<Result<AdminUserAnswer>> AdminApi::disable(Call& call, DisableInput input) {
  const auto id = call.id<UserId>(0);
  if (!id) co_return std::unexpected(id.error());
  auto act = act_on(call, *id, std::move(input.reason.value));
  const auto user = co_await administration_.disable(std::move(act));
  if (!user) co_return std::unexpected(user.error());
  co_return to_admin_answer(*user);
}

Task<Result<AdminUserAnswer>> AdminApi::enable(Call& call, EnableInput input) {
  const auto id = call.id<UserId>(0);
  if (!id) co_return std::unexpected(id.error());
  auto act = act_on(call, *id, input.reason ? input.reason->value : std::string());
  const auto user = co_await administration_.enable(std::move(act));
  if (!user) co_return std::unexpected(user.error());
  co_return to_admin_answer(*user);
}

Task<Result<AdminUserAnswer>> AdminApi::change_role(Call& call, ChangeRoleInput input) {
  const auto id = call.id<UserId>(0);
  if (!id) co_return std::unexpected(id.error());
  auto act = act_on(call, *id, input.reason ? input.reason->value : std::string());
  const auto user = co_await administration_.change_role(std::move(act), input.role);
  if (!user) co_return std::unexpected(user.error());
  co_return to_admin_answer(*user);
}

Task<Result<ForcedLogoutAnswer>> AdminApi::force_logout(Call& call, ForceLogoutInput input) {
  const auto user = co_await find_target(input);
  if (!user) co_return std::unexpected(user.error());
  co_return co_await end_sessions(call, user->id, input.reason, input.include_own_session.value_or(false));
}

Task<Result<ForcedLogoutAnswer>> AdminApi::force_logout_all(Call& call, ForceLogoutAllInput input) {
  // Awaited here: `input` must outlive what refers to it.
  co_return co_await end_sessions(call, std::nullopt, input.reason, input.include_own_session.value_or(false));
}

Task<Result<User>> AdminApi::find_target(const ForceLogoutInput& input) {
  if (input.user_id.has_value() == input.email.has_value()) {
    Error error{.code = ErrorCode::invalid_fields};
    error.fields.push_back({"/userId", "required", "name the user by either userId or email"});
    co_return refuse(std::move(error));
  }
  if (input.email) {
    auto user = co_await accounts_.find(*input.email);
    if (!user) co_return refuse(ErrorCode::not_found);
    co_return std::move(*user);
  }
  co_return co_await accounts_.get(*input.user_id);
}

Task<Result<ForcedLogoutAnswer>> AdminApi::end_sessions(Call& call, std::optional<UserId> user,
                                                        const std::optional<BoundedText<0, 500>>& reason,
                                                        bool include_own) {
  ForcedLogout command{.user = user,
                       .spared = include_own ? std::nullopt : call.acting->session,
                       .reason = reason ? reason->value : std::string(),
                       .acting = *call.acting,
                       .origin = call.origin()};
  const auto ended = co_await sessions_.force_logout(std::move(command));
  if (!ended) co_return std::unexpected(ended.error());
  ForcedLogoutAnswer answer{
      .sessions_ended = ended->sessions,
      .spared_session = ended->spared,
      .revocation = {.scope = user ? "user" : "global", .sequence = ended->revocation_sequence, .epoch = ended->epoch}};
  co_return answer;
}

}  // namespace safawinet::api
