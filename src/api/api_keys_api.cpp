#include "api/api_keys_api.hpp"

#include <utility>

namespace safawinet {

std::expected<Permission, FieldError> JsonType<Permission>::decode(const boost::json::value& value) {
  const auto text = text_of(value);
  if (!text) return std::unexpected(text.error());
  const auto permission = parse_permission(*text);
  if (permission) return *permission;
  return bad_value("not-one-of", "must be one of " + to_text(PermissionSet::all()));
}

boost::json::object JsonType<Permission>::schema() {
  boost::json::array names;
  for (const auto permission : all_permissions()) names.push_back(boost::json::string(name_of(permission)));
  return {{"type", "string"}, {"enum", std::move(names)}};
}

namespace api {
namespace {

std::string_view state_of(const ApiKeyWithOwner& found, Time now) {
  if (found.key.revoked_at) return "revoked";
  if (found.key.expires_at && *found.key.expires_at <= now) return "expired";
  return found.is_owner_active ? "usable" : "owner-inactive";
}

}  // namespace

ApiKeyAnswer to_answer(const ApiKeyWithOwner& found, Time now) {
  const auto& key = found.key;
  const auto in_force = key.permissions & permissions_of(found.owner_role.value_or(Role::superadmin));
  ApiKeyAnswer answer{.id = key.id,
                      .name = key.name,
                      .key_start = key.key_start,
                      .owner = key.owner,
                      .created_by = key.created_by,
                      .permissions = key.permissions.list(),
                      .in_force = in_force.list(),
                      .networks = {},
                      .state = std::string(state_of(found, now)),
                      .created_at = key.created_at,
                      .expires_at = key.expires_at,
                      .last_used_at = key.last_used_at,
                      .last_used_from = key.last_used_from,
                      .revoked_at = key.revoked_at};
  for (const auto& network : key.networks) answer.networks.push_back(network.text());
  return answer;
}

Task<Result<Created<CreatedApiKeyAnswer>>> ApiKeysApi::create(Call& call, ApiKeyInput input) {
  if (input.networks && input.networks->empty()) {
    Error error{.code = ErrorCode::invalid_fields};
    error.fields.push_back({"/networks", "too-short", "names none: leave it out for a key that works from everywhere"});
    co_return refuse(std::move(error));
  }
  NewApiKey wanted{
      .name = std::move(input.name.value), .permissions = {}, .networks = {}, .expires_at = input.expires_at};
  for (const auto permission : input.permissions) wanted.permissions.insert(permission);
  if (input.networks) {
    for (const auto& network : *input.networks) wanted.networks.push_back(IpNetwork::parse(network.text).value());
  }
  auto created = co_await keys_.create(*call.acting, std::move(wanted), call.origin());
  if (!created) co_return std::unexpected(std::move(created.error()));
  auto location = "/v1/admin/api-keys/" + created->made.key.id.text();
  CreatedApiKeyAnswer body{.key = std::move(created->text), .api_key = to_answer(created->made, clock_.now())};
  Created<CreatedApiKeyAnswer> answer{.made = std::move(body), .location = std::move(location)};
  co_return answer;
}

Task<Result<ApiKeyPage>> ApiKeysApi::list(Call& call) {
  const auto page = page_of<ApiKeyId>(call);
  if (!page) co_return std::unexpected(page.error());
  auto keys = co_await keys_.list(page->before, page->limit + 1);
  std::vector<ApiKeyAnswer> items;
  for (const auto& key : keys) items.push_back(to_answer(key, clock_.now()));
  ApiKeyPage answer;
  answer.next_cursor = cut_page(items, page->limit);
  answer.items = std::move(items);
  co_return answer;
}

Task<Result<ApiKeyAnswer>> ApiKeysApi::get(Call& call) {
  const auto id = call.id<ApiKeyId>(0);
  if (!id) co_return std::unexpected(id.error());
  const auto found = co_await keys_.get(*id);
  if (!found) co_return std::unexpected(found.error());
  co_return to_answer(*found, clock_.now());
}

Task<Result<NoContent>> ApiKeysApi::revoke(Call& call) {
  const auto id = call.id<ApiKeyId>(0);
  if (!id) co_return std::unexpected(id.error());
  const auto status = co_await keys_.revoke(*call.acting, *id, call.origin());
  if (!status) co_return std::unexpected(status.error());
  co_return NoContent{};
}

}  // namespace api
}  // namespace safawinet
