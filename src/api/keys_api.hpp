// The keyring for operators: which keys there are, rotating them, distrusting one that has leaked.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/call.hpp"
#include "api/route.hpp"
#include "api/types.hpp"
#include "keys/key_service.hpp"

namespace safawinet {

template <>
struct JsonType<KeyPurpose> {
  static std::expected<KeyPurpose, FieldError> decode(const boost::json::value& value);
  static void encode(std::string& out, const KeyPurpose& purpose) { append_json_text(out, name_of(purpose)); }
  static boost::json::object schema();
};

// "none", "tokens", "sessions": what is revoked besides.
template <>
struct JsonType<DistrustExtent> {
  static std::expected<DistrustExtent, FieldError> decode(const boost::json::value& value);
  static void encode(std::string& out, const DistrustExtent& extent);
  static boost::json::object schema();
};

namespace api {

struct KeyAnswer {
  std::string id;
  std::string purpose;
  std::string algorithm;
  std::string state;
  Time created_at;
  Time since;                 // in this state
  std::optional<Time> until;  // next: when it becomes active; verifying: when it retires
};
BOOST_DESCRIBE_STRUCT(KeyAnswer, (), (id, purpose, algorithm, state, created_at, since, until))

struct KeyList {
  std::vector<KeyAnswer> items;
};
BOOST_DESCRIBE_STRUCT(KeyList, (), (items))

struct KeyDetailsAnswer {
  std::string id;
  std::string purpose;
  std::string algorithm;
  std::string state;
  Time created_at;
  Time since;
  std::optional<Time> until;
  std::optional<boost::json::value> jwk;  // the public half of a signing key
};
BOOST_DESCRIBE_STRUCT(KeyDetailsAnswer, (), (id, purpose, algorithm, state, created_at, since, until, jwk))

struct RotateKeysInput {
  std::optional<KeyPurpose> purpose;  // signing
  std::optional<BoundedText<1, 100>> expected_active;
  std::optional<BoundedText<0, 500>> reason;
};
BOOST_DESCRIBE_STRUCT(RotateKeysInput, (), (purpose, expected_active, reason))

struct KeysRotatedAnswer {
  KeyAnswer active;
  KeyAnswer next;
  std::optional<Time> due_at;  // null: it has happened
};
BOOST_DESCRIBE_STRUCT(KeysRotatedAnswer, (), (active, next, due_at))

struct DistrustKeyInput {
  std::optional<DistrustExtent> revoke;  // none
  std::optional<BoundedText<0, 500>> reason;
};
BOOST_DESCRIBE_STRUCT(DistrustKeyInput, (), (revoke, reason))

struct KeyDistrustedAnswer {
  std::vector<std::string> distrusted;
  KeyAnswer active;
  std::optional<std::int64_t> sessions_ended;  // null: none were to
};
BOOST_DESCRIBE_STRUCT(KeyDistrustedAnswer, (), (distrusted, active, sessions_ended))

struct SecretAnswer {
  std::string kind;
  std::string name;
  std::optional<Time> since;
  std::optional<std::int64_t> age_days;
  std::string note;
};
BOOST_DESCRIBE_STRUCT(SecretAnswer, (), (kind, name, since, age_days, note))

struct SecretsAnswer {
  std::vector<SecretAnswer> items;
  std::int64_t sealed_otherwise = 0;
};
BOOST_DESCRIBE_STRUCT(SecretsAnswer, (), (items, sealed_otherwise))

class KeysApi {
 public:
  KeysApi(KeyService& keys, const Clock& clock) : keys_(keys), clock_(clock) {}

  Task<Result<KeyList>> list(Call& call);
  Task<Result<KeyDetailsAnswer>> get(Call& call);
  Task<Result<KeysRotatedAnswer>> rotate(Call& call, RotateKeysInput input);
  Task<Result<KeyDistrustedAnswer>> distrust(Call& call, DistrustKeyInput input);
  Task<Result<SecretsAnswer>> list_secrets(Call& call);

 private:
  KeyService& keys_;
  const Clock& clock_;
};

}  // namespace api
}  // namespace safawinet
