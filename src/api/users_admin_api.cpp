#include "api/users_admin_api.hpp"

#include <cstdint>
#include <string>
#include <utility>

namespace safawinet::api {
namespace {

constexpr std::int64_t kExportLimit = 1'000;
constexpr std::size_t kImportFaultLimit = 8;  // of one line

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

std::string text_of(EmailStatus status) {
  switch (status) {
    case EmailStatus::ok:
      return "ok";
    case EmailStatus::bounced:
      return "bounced";
    case EmailStatus::complained:
      return "complained";
  }
  std::unreachable();
}

// What is refused for its form is answered as a line of its own, and does not hinder the others.
Result<ImportedAccount> account_of(ImportLine& line) {
  if (!line.read) {
    auto& fields = line.read.error().fields;
    if (fields.size() > kImportFaultLimit) fields.resize(kImportFaultLimit);
    return std::unexpected(std::move(line.read.error()));
  }
  auto& user = *line.read;
  ImportedAccount account{.email = std::move(user.email)};
  if (user.name) account.name = std::move(user.name->value);
  if (user.locale) account.locale = std::move(user.locale->tag);
  account.role = user.role.value_or(Role::customer);
  account.is_verified = user.email_verified.value_or(false);
  if (user.password_hash) account.password_hash = *std::move(user.password_hash);
  account.is_active = user.is_active.value_or(true);
  if (user.email_status) account.email_status = text_of(*user.email_status);
  if (user.disabled_reason) account.disabled_reason = std::move(user.disabled_reason->value);
  account.disabled_at = user.disabled_at;
  account.created_at = user.created_at;
  account.last_login_at = user.last_login_at;
  return account;
}

ImportResultItem to_item(const ImportOutcome& outcome) {
  ImportResultItem item{.outcome = outcome.kind, .id = outcome.id, .errors = {}};
  for (const auto& fault : outcome.faults) item.errors.push_back({fault.pointer, fault.code, fault.detail});
  return item;
}

}  // namespace

Result<AdministrativeAct> act_of(const Call& call, std::string reason) {
  const auto id = call.id<UserId>(0);
  if (!id) return std::unexpected(id.error());
  return AdministrativeAct{.acting = *call.acting, .target = *id, .reason = std::move(reason), .origin = call.origin()};
}

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

Task<Result<UserPage>> UsersAdminApi::list_users(Call& call) {
  const auto page = page_of<UserId>(call);
  if (!page) co_return std::unexpected(page.error());
  const auto query = call.query("query");
  if (!query) co_return std::unexpected(query.error());
  const auto filter = filter_of(call);
  if (!filter) co_return std::unexpected(filter.error());
  auto users = co_await parts_.accounts.search(query->value_or(""), page->before, page->limit + 1, *filter);
  UserPage answer;
  answer.next_cursor = cut_page(users, page->limit);
  for (const auto& user : users) answer.items.push_back(to_admin_answer(user));
  co_return answer;
}

Task<Result<UserDetails>> UsersAdminApi::get_user(Call& call) {
  const auto id = call.id<UserId>(0);
  if (!id) co_return std::unexpected(id.error());
  const auto user = co_await parts_.accounts.get(*id);
  if (!user) co_return std::unexpected(user.error());
  const auto wrong = co_await parts_.assistance.wrong_guesses(*user);
  const auto factors = co_await parts_.enrolment.get(*id);
  co_return UserDetails{to_admin_answer(*user), wrong.passwords,          wrong.codes,
                        wrong.locked_until,     factors.totp.has_value(), factors.backup_codes_left};
}

Task<Result<SessionPage>> UsersAdminApi::list_sessions_of(Call& call) {
  const auto id = call.id<UserId>(0);
  if (!id) co_return std::unexpected(id.error());
  const auto page = page_of<SessionId>(call);
  if (!page) co_return std::unexpected(page.error());
  const auto user = co_await parts_.accounts.get(*id);
  if (!user) co_return std::unexpected(user.error());
  auto sessions = co_await parts_.sessions.list(*id, page->before, page->limit + 1);
  SessionPage answer;
  answer.next_cursor = cut_page(sessions, page->limit);
  for (const auto& session : sessions) answer.items.push_back(to_item(session, call.acting->session));
  co_return answer;
}

Task<Result<Accepted>> UsersAdminApi::invite(Call& call, EmailInput input) {
  const auto status = co_await parts_.accounts.invite(*call.acting, std::move(input.email), call.visitor());
  if (!status) co_return std::unexpected(status.error());
  co_return Accepted{};
}

Task<Result<AdminUserAnswer>> UsersAdminApi::disable(Call& call, DisableInput input) {
  if (input.reason.value == kHeldForBounces) {
    Error taken{.code = ErrorCode::invalid_fields};
    taken.fields.push_back({"/reason", "reserved", "is of accounts that may come back by themselves: say more"});
    co_return refuse(std::move(taken));
  }
  auto act = act_of(call, std::move(input.reason.value));
  if (!act) co_return std::unexpected(act.error());
  const auto user = co_await parts_.administration.disable(std::move(*act));
  if (!user) co_return std::unexpected(user.error());
  co_return to_admin_answer(*user);
}

Task<Result<AdminUserAnswer>> UsersAdminApi::enable(Call& call, EnableInput input) {
  auto act = act_of(call, text_or_empty(input.reason));
  if (!act) co_return std::unexpected(act.error());
  const auto user = co_await parts_.administration.enable(std::move(*act));
  if (!user) co_return std::unexpected(user.error());
  co_return to_admin_answer(*user);
}

Task<Result<AdminUserAnswer>> UsersAdminApi::change_role(Call& call, ChangeRoleInput input) {
  auto act = act_of(call, text_or_empty(input.reason));
  if (!act) co_return std::unexpected(act.error());
  const auto user = co_await parts_.administration.change_role(std::move(*act), input.role);
  if (!user) co_return std::unexpected(user.error());
  co_return to_admin_answer(*user);
}

Task<Result<Created<AdminUserAnswer>>> UsersAdminApi::create(Call& call, CreateUserInput input) {
  NewAccount account{.email = std::move(input.email),
                     .name = text_or_empty(input.name),
                     .role = input.role.value_or(Role::customer),
                     .password = std::move(input.password),
                     .is_verified = input.verified.value_or(false)};
  const auto user = co_await parts_.making.create(*call.acting, std::move(account), call.visitor());
  if (!user) co_return std::unexpected(user.error());
  Created<AdminUserAnswer> answer{.made = to_admin_answer(*user), .location = "/v1/admin/users/" + user->id.text()};
  co_return answer;
}

Task<Result<ImportAnswer>> UsersAdminApi::import_users(Call& call, ImportInput input) {
  if (input.users.empty() || input.users.size() > kImportBatchLimit) {
    co_return refuse(Error{.code = ErrorCode::invalid_fields,
                           .fields = {{"/users", "out-of-range",
                                       "must be 1 to " + std::to_string(kImportBatchLimit) + " users at a time"}}});
  }
  std::vector<Result<ImportedAccount>> accounts;
  accounts.reserve(input.users.size());
  for (auto& line : input.users) accounts.push_back(account_of(line));
  const auto mode = input.dry_run.value_or(false) ? ImportMode::dry_run : ImportMode::for_good;
  const auto outcomes = co_await parts_.import.import(*call.acting, std::move(accounts), mode, call.origin());
  if (!outcomes) co_return std::unexpected(outcomes.error());
  ImportAnswer answer;
  answer.dry_run = mode == ImportMode::dry_run;
  for (const auto& outcome : *outcomes) {
    ++(outcome.kind == ImportKind::created    ? answer.created
       : outcome.kind == ImportKind::existing ? answer.existing
                                              : answer.refused);
    answer.results.push_back(to_item(outcome));
  }
  co_return answer;
}

Task<Result<UserPage>> UsersAdminApi::export_users(Call& call) {
  const auto page = page_of<UserId>(call, kExportLimit);
  if (!page) co_return std::unexpected(page.error());
  auto users = co_await parts_.making.export_page(*call.acting, page->before, page->limit + 1, call.origin());
  if (!users) co_return std::unexpected(users.error());
  UserPage answer;
  answer.next_cursor = cut_page(*users, page->limit);
  for (const auto& user : *users) answer.items.push_back(to_admin_answer(user));
  co_return answer;
}

Task<Result<Accepted>> UsersAdminApi::send_reset(Call& call) {
  auto act = act_of(call);
  if (!act) co_return std::unexpected(act.error());
  const auto sent = co_await parts_.assistance.send_reset(std::move(*act), call.is_exempt_from_limits);
  if (!sent) co_return std::unexpected(sent.error());
  co_return Accepted{};
}

Task<Result<NoContent>> UsersAdminApi::unlock(Call& call) {
  auto act = act_of(call);
  if (!act) co_return std::unexpected(act.error());
  const auto unlocked = co_await parts_.assistance.unlock(std::move(*act));
  if (!unlocked) co_return std::unexpected(unlocked.error());
  co_return NoContent{};
}

Task<Result<AdminUserAnswer>> UsersAdminApi::verify(Call& call) {
  auto act = act_of(call);
  if (!act) co_return std::unexpected(act.error());
  const auto user = co_await parts_.assistance.verify_address(std::move(*act));
  if (!user) co_return std::unexpected(user.error());
  co_return to_admin_answer(*user);
}

Task<Result<NoContent>> UsersAdminApi::end_session(Call& call) {
  auto act = act_with_reason(call);
  if (!act) co_return std::unexpected(act.error());
  const auto session = call.id<SessionId>(1);
  if (!session) co_return std::unexpected(session.error());
  const auto ended = co_await parts_.assistance.end_session(std::move(*act), *session);
  if (!ended) co_return std::unexpected(ended.error());
  co_return NoContent{};
}

Task<Result<NoContent>> UsersAdminApi::delete_user(Call& call) {
  auto act = act_with_reason(call);
  if (!act) co_return std::unexpected(act.error());
  const auto deleted = co_await parts_.administration.delete_user(std::move(*act));
  if (!deleted) co_return std::unexpected(deleted.error());
  co_return NoContent{};
}

}  // namespace safawinet::api
