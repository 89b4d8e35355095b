// API keys: making, listing, revoking them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "access/api_keys.hpp"
#include "api/call.hpp"
#include "api/route.hpp"
#include "api/types.hpp"

namespace safawinet {

template <>
struct JsonType<Permission> {
  static std::expected<Permission, FieldError> decode(const boost::json::value& value);
  static void encode(std::string& out, const Permission& permission) { append_json_text(out, name_of(permission)); }
  static boost::json::object schema();
};

namespace api {

struct ApiKeyInput {
  BoundedText<1, 100> name;
  std::vector<Permission> permissions;
  std::optional<Time> expires_at;  // none: never
  std::optional<std::vector<Network>> networks;
};
BOOST_DESCRIBE_STRUCT(ApiKeyInput, (), (name, permissions, expires_at, networks))

struct ApiKeyAnswer {
  ApiKeyId id;
  std::string name;
  std::string key_start;
  std::optional<UserId> owner;
  std::string created_by;
  std::vector<Permission> permissions;  // that it was given
  std::vector<Permission> in_force;     // of those, what its owner may still do
  std::vector<std::string> networks;
  std::string state;  // "usable", "revoked", "expired", "owner-inactive"
  Time created_at;
  std::optional<Time> expires_at;
  std::optional<Time> last_used_at;
  std::string last_used_from;
  std::optional<Time> revoked_at;
};
BOOST_DESCRIBE_STRUCT(ApiKeyAnswer, (),
                      (id, name, key_start, owner, created_by, permissions, in_force, networks, state, created_at,
                       expires_at, last_used_at, last_used_from, revoked_at))

// The only answer that holds the key itself.
struct CreatedApiKeyAnswer {
  SecretText key;
  ApiKeyAnswer api_key;
};
BOOST_DESCRIBE_STRUCT(CreatedApiKeyAnswer, (), (key, api_key))

struct ApiKeyPage {
  std::vector<ApiKeyAnswer> items;
  std::optional<std::string> next_cursor;
};
BOOST_DESCRIBE_STRUCT(ApiKeyPage, (), (items, next_cursor))

ApiKeyAnswer to_answer(const ApiKeyWithOwner& found, Time now);

class ApiKeysApi {
 public:
  ApiKeysApi(ApiKeys& keys, const Clock& clock) : keys_(keys), clock_(clock) {}

  Task<Result<Created<CreatedApiKeyAnswer>>> create(Call& call, ApiKeyInput input);
  Task<Result<ApiKeyPage>> list(Call& call);
  Task<Result<ApiKeyAnswer>> get(Call& call);
  Task<Result<NoContent>> revoke(Call& call);

 private:
  ApiKeys& keys_;
  const Clock& clock_;
};

}  // namespace api
}  // namespace safawinet
