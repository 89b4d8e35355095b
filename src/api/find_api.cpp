#include "api/find_api.hpp"

#include <utility>

namespace safawinet::api {
namespace {

namespace json = boost::json;

std::optional<std::string> unless_empty(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

json::string_view view(const std::string& text) { return {text.data(), text.size()}; }

FoundUser to_answer(const NamedUser& user) {
  return {.id = user.id, .email = user.email, .role = user.role, .is_active = user.is_active};
}

FoundSession to_answer(const NamedSession& session) {
  return {.id = session.id,
          .user_id = session.user,
          .state = std::string(session.state),
          .device_name = session.device.name,
          .user_agent = session.device.user_agent,
          .ip_address = session.device.ip_address,
          .created_at = session.created_at,
          .last_used_at = session.last_used_at,
          .expires_at = session.expires_at,
          .generation = session.generation,
          .ended_at = session.ended_at,
          .ended_reason = unless_empty(session.ended_reason),
          .ended_by = unless_empty(session.ended_by)};
}

FoundSessions to_answer(const NamedSessions& sessions) {
  FoundSessions answer{.count = sessions.count, .newest = {}};
  for (const auto& session : sessions.newest) answer.newest.push_back(to_answer(session));
  return answer;
}

FoundApiKey to_answer(const NamedApiKey& key) {
  return {.id = key.id,
          .name = key.name,
          .key_start = key.key_start,
          .created_by = key.created_by,
          .created_at = key.created_at,
          .last_used_at = key.last_used_at,
          .last_used_from = unless_empty(key.last_used_from),
          .revoked_at = key.revoked_at};
}

// What would stop it, the narrowest first. A user who has no session left has nothing to be ended.
std::vector<RevokingCall> calls_against(const Finding& finding, const Findings& all, const Operator& acting) {
  std::vector<RevokingCall> calls;
  if (finding.api_key && !finding.api_key->revoked_at) {
    RevokingCall call{.what = "revoke-api-key",
                      .method = "DELETE",
                      .path = "/v1/admin/api-keys/" + finding.api_key->id.text(),
                      .body = nullptr,
                      .is_allowed = acting.may(Permission::api_keys_write) &&
                                    acting.may_contain(finding.api_key->owner_role.value_or(Role::superadmin))};
    calls.push_back(std::move(call));
  }
  if (finding.session && finding.session->is_live()) {
    const auto& session = *finding.session;
    RevokingCall call{
        .what = "end-session",
        .method = "DELETE",
        .path = "/v1/admin/users/" + session.user.text() + "/sessions/" + session.id.text(),
        .body = nullptr,
        .is_allowed = acting.may(Permission::sessions_end) && finding.user && acting.may_contain(finding.user->role)};
    calls.push_back(std::move(call));
  }
  for (const auto& beside : all.users) {
    if (!finding.user || beside.user.id != finding.user->id || beside.live.count == 0) continue;
    RevokingCall call{.what = "log-out-user",
                      .method = "POST",
                      .path = "/v1/auth/force-logout",
                      .body = json::object{{"userId", view(beside.user.id.text())}},
                      .is_allowed = acting.may(Permission::sessions_end) && acting.may_contain(beside.user.role)};
    calls.push_back(std::move(call));
  }
  for (const auto& beside : all.networks) {
    if (beside.network != finding.network || beside.live.count == 0) continue;
    const json::object criteria{{"ipNetwork", view(beside.network)}};
    RevokingCall call{.what = "log-out-network",
                      .method = "POST",
                      .path = "/v1/auth/force-logout-bulk",
                      .body = json::object{{"criteria", criteria}, {"dryRun", true}},
                      .is_allowed = acting.may(Permission::sessions_end_bulk)};
    calls.push_back(std::move(call));
  }
  return calls;
}

FoundItem to_item(const Finding& finding, const Findings& all, const Operator& acting) {
  FoundItem item{.kind = std::string(finding.kind),
                 .state = std::string(finding.state),
                 .offset = static_cast<std::int64_t>(finding.offset),
                 .key_id = unless_empty(finding.key_id),
                 .token_id = unless_empty(finding.token_id),
                 .issued_at = finding.issued_at,
                 .expires_at = finding.expires_at,
                 .generation = finding.generation,
                 .user = {},
                 .session = {},
                 .api_key = {},
                 .network = unless_empty(finding.network),
                 .revoke_with = calls_against(finding, all, acting)};
  if (finding.user) item.user = to_answer(*finding.user);
  if (finding.session) item.session = to_answer(*finding.session);
  if (finding.api_key) item.api_key = to_answer(*finding.api_key);
  return item;
}

}  // namespace

Task<Result<FindAnswer>> FindApi::find(Call& call, FindInput input) {
  if (input.text.empty()) {
    Error error{.code = ErrorCode::invalid_fields};
    error.fields.push_back({"/text", "too-short", "there is nothing to look at"});
    co_return refuse(std::move(error));
  }
  FindingRequest request{.text = std::move(input.text), .acting = *call.acting, .origin = call.origin()};
  const auto found = co_await finder_.find(std::move(request));
  if (!found) co_return std::unexpected(found.error());
  FindAnswer answer;
  answer.is_cut = found->is_cut;
  for (const auto& finding : found->items) answer.items.push_back(to_item(finding, *found, *call.acting));
  for (const auto& beside : found->users) {
    FoundBesideUser one{.user = to_answer(beside.user),
                        .live_sessions = to_answer(beside.live),
                        .ended_sessions = to_answer(beside.ended)};
    answer.users.push_back(std::move(one));
  }
  for (const auto& beside : found->networks) {
    FoundBesideNetwork one{.network = beside.network, .live_sessions = to_answer(beside.live)};
    answer.networks.push_back(std::move(one));
  }
  co_return answer;
}

}  // namespace safawinet::api
