#include "api/bulk_logout_api.hpp"

#include <algorithm>
#include <utility>

namespace safawinet::api {
namespace {

// What no single field can be blamed for by its type. Empty: nothing is wrong.
std::vector<FieldError> faults_of(const BulkLogoutInput& input) {
  std::vector<FieldError> faults;
  const auto& c = input.criteria;
  const bool asks_for_any = c.last_login_before || c.last_login_after || c.never_logged_in.value_or(false) ||
                            c.user_created_before || c.user_created_after || c.role || c.email_domain || c.ip_network ||
                            c.user_agent || c.user_ids || c.emails || c.session_created_before ||
                            c.session_created_after || c.session_used_before || c.session_used_after;
  if (!asks_for_any) {
    faults.push_back({"/criteria", "required", "name at least one criterion; everybody is /v1/auth/force-logout-all"});
  }
  if (c.user_ids && c.user_ids->empty()) faults.push_back({"/criteria/userIds", "too-short", "names nobody"});
  if (c.emails && c.emails->empty()) faults.push_back({"/criteria/emails", "too-short", "names nobody"});
  const auto listed = (c.user_ids ? c.user_ids->size() : 0) + (c.emails ? c.emails->size() : 0);
  if (listed > kListedUsersLimit) {
    faults.push_back({c.user_ids ? "/criteria/userIds" : "/criteria/emails", "too-long",
                      "at most 1000 users in both lists together"});
  }
  const bool is_preview = input.dry_run.value_or(false);
  if (is_preview && input.confirmation) {
    faults.push_back({"/confirmation", "invalid", "a preview takes none: leave it out, or leave out dryRun"});
  }
  if (!is_preview && !input.confirmation) {
    faults.push_back(
        {"/confirmation", "required",
         "look first: the same request with \"dryRun\": true and without a confirmation answers with one"});
  }
  return faults;
}

template <class T>
std::vector<T> sorted_once(std::vector<T> items) {
  std::ranges::sort(items);
  const auto repeated = std::ranges::unique(items);
  items.erase(repeated.begin(), repeated.end());
  return items;
}

std::vector<std::string> keys_of(const std::vector<EmailAddress>& addresses) {
  std::vector<std::string> keys;
  keys.reserve(addresses.size());
  for (const auto& address : addresses) keys.push_back(address.key());
  return keys;
}

// One spelling for what means the same: a confirmation is compared with it.
LogoutCriteria normalized(LogoutCriteriaInput input) {
  LogoutCriteria criteria{.last_login_before = input.last_login_before,
                          .last_login_after = input.last_login_after,
                          .never_logged_in = input.never_logged_in.value_or(false),
                          .user_created_before = input.user_created_before,
                          .user_created_after = input.user_created_after,
                          .session_created_before = input.session_created_before,
                          .session_created_after = input.session_created_after,
                          .session_used_before = input.session_used_before,
                          .session_used_after = input.session_used_after};
  if (input.role) criteria.role = name_of(*input.role);
  if (input.email_domain) criteria.email_domain = std::move(input.email_domain->text);
  if (input.ip_network) criteria.ip_network = std::move(input.ip_network->text);
  if (input.user_agent) criteria.user_agent = std::move(input.user_agent->value);
  if (input.user_ids) criteria.user_ids = sorted_once(std::move(*input.user_ids));
  if (input.emails) criteria.emails = sorted_once(keys_of(*input.emails));
  return criteria;
}

BulkLogoutPreviewAnswer to_answer(const BulkLogoutPreview& preview, LogoutCriteria criteria) {
  const auto& figures = preview.figures;
  BulkLogoutPreviewAnswer answer{.criteria = std::move(criteria),
                                 .users = figures.users,
                                 .sessions = figures.sessions,
                                 .sample = {},
                                 .exemptions = {.own_session = preview.spared,
                                                .users_above_role = figures.users_above,
                                                .sessions_above_role = figures.sessions_above},
                                 .confirmation = preview.confirmation,
                                 .confirmation_expires_at = preview.confirmation_expires_at};
  for (const auto& user : figures.sample) {
    answer.sample.push_back(
        {.id = user.id, .email = user.email, .sessions = user.sessions, .last_login_at = user.last_login_at});
  }
  return answer;
}

}  // namespace

Task<Result<DoneOrBegun<BulkLogoutPreviewAnswer, BulkLogoutAnswer>>> BulkLogoutApi::preview_or_order(
    Call& call, BulkLogoutInput input) {
  auto faults = faults_of(input);
  if (!faults.empty()) co_return refuse(Error{.code = ErrorCode::invalid_fields, .fields = std::move(faults)});
  BulkLogoutRequest request{.criteria = normalized(std::move(input.criteria)),
                            .acting = *call.acting,
                            .includes_own_session = input.include_own_session.value_or(false)};
  if (input.dry_run.value_or(false)) {
    const auto preview = co_await bulk_logouts_.preview(request);
    co_return to_answer(preview, std::move(request.criteria));
  }
  BulkLogoutOrder order{.request = std::move(request),
                        .confirmation = std::move(*input.confirmation),
                        .reason = text_or_empty(input.reason),
                        .origin = call.origin()};
  const auto begun = co_await bulk_logouts_.order(std::move(order));
  if (!begun) co_return std::unexpected(begun.error());
  co_return Begun<BulkLogoutAnswer>{.job = api::to_answer(*begun),
                                    .location = "/v1/auth/force-logout-bulk/" + begun->id.text()};
}

Task<Result<BulkLogoutPage>> BulkLogoutApi::list(Call& call) {
  const auto page = page_of<BulkLogoutId>(call);
  if (!page) co_return std::unexpected(page.error());
  auto orders = co_await bulk_logouts_.list(page->before, page->limit + 1);
  BulkLogoutPage answer;
  answer.next_cursor = cut_page(orders, page->limit);
  for (const auto& order : orders) answer.items.push_back(api::to_answer(order));
  co_return answer;
}

Task<Result<BulkLogoutAnswer>> BulkLogoutApi::get(Call& call) {
  const auto id = call.id<BulkLogoutId>(0);
  if (!id) co_return std::unexpected(id.error());
  const auto order = co_await bulk_logouts_.get(*id);
  if (!order) co_return std::unexpected(order.error());
  co_return api::to_answer(*order);
}

}  // namespace safawinet::api
