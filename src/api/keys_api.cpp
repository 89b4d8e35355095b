#include "api/keys_api.hpp"

#include <array>
#include <utility>

namespace safawinet {
namespace {

constexpr std::array<std::pair<DistrustExtent, std::string_view>, 3> kExtents{
    {{DistrustExtent::key, "none"}, {DistrustExtent::tokens, "tokens"}, {DistrustExtent::sessions, "sessions"}}};

}  // namespace

std::expected<KeyPurpose, FieldError> JsonType<KeyPurpose>::decode(const boost::json::value& value) {
  const auto text = text_of(value);
  if (!text) return std::unexpected(text.error());
  if (const auto purpose = parse_key_purpose(*text)) return *purpose;
  return bad_value("not-one-of", "must be one of signing, refresh-mac");
}

boost::json::object JsonType<KeyPurpose>::schema() {
  return {{"type", "string"}, {"enum", boost::json::array{"signing", "refresh-mac"}}};
}

std::expected<DistrustExtent, FieldError> JsonType<DistrustExtent>::decode(const boost::json::value& value) {
  const auto text = text_of(value);
  if (!text) return std::unexpected(text.error());
  for (const auto& [extent, name] : kExtents) {
    if (name == *text) return extent;
  }
  return bad_value("not-one-of", "must be one of none, tokens, sessions");
}

void JsonType<DistrustExtent>::encode(std::string& out, const DistrustExtent& extent) {
  append_json_text(out, kExtents.at(static_cast<std::size_t>(extent)).second);
}

boost::json::object JsonType<DistrustExtent>::schema() {
  return {{"type", "string"}, {"enum", boost::json::array{"none", "tokens", "sessions"}}};
}

namespace api {
namespace {

KeyAnswer to_answer(const KeyEntry& key) {
  return {.id = key.id,
          .purpose = std::string(name_of(key.purpose)),
          .algorithm = key.algorithm,
          .state = std::string(name_of(key.state)),
          .created_at = key.created_at,
          .since = key.since,
          .until = key.until};
}

}  // namespace

Task<Result<KeyList>> KeysApi::list(Call&) {
  const auto keys = co_await keys_.list();
  KeyList answer;
  for (const auto& key : keys) answer.items.push_back(to_answer(key));
  co_return answer;
}

Task<Result<KeyDetailsAnswer>> KeysApi::get(Call& call) {
  auto shown = co_await keys_.get(std::string(call.parameters.at(0)));
  if (!shown) co_return std::unexpected(shown.error());
  auto key = to_answer(shown->entry);
  KeyDetailsAnswer answer{.id = std::move(key.id),
                          .purpose = std::move(key.purpose),
                          .algorithm = std::move(key.algorithm),
                          .state = std::move(key.state),
                          .created_at = key.created_at,
                          .since = key.since,
                          .until = key.until,
                          .jwk = {}};
  if (shown->jwk) answer.jwk = std::move(*shown->jwk);
  co_return answer;
}

Task<Result<KeysRotatedAnswer>> KeysApi::rotate(Call& call, RotateKeysInput input) {
  RotateKeys command{.purpose = input.purpose.value_or(KeyPurpose::signing),
                     .expected = {},
                     .reason = text_or_empty(input.reason),
                     .acting = *call.acting,
                     .origin = call.origin()};
  if (input.expected_active) command.expected = std::move(input.expected_active->value);
  const auto rotated = co_await keys_.rotate(std::move(command));
  if (!rotated) co_return std::unexpected(rotated.error());
  KeysRotatedAnswer answer{
      .active = to_answer(rotated->active), .next = to_answer(rotated->next), .due_at = rotated->due_at};
  co_return answer;
}

Task<Result<KeyDistrustedAnswer>> KeysApi::distrust(Call& call, DistrustKeyInput input) {
  DistrustKey command{.id = std::string(call.parameters.at(0)),
                      .extent = input.revoke.value_or(DistrustExtent::key),
                      .reason = text_or_empty(input.reason),
                      .acting = *call.acting,
                      .origin = call.origin()};
  auto distrusted = co_await keys_.distrust(std::move(command));
  if (!distrusted) co_return std::unexpected(distrusted.error());
  KeyDistrustedAnswer answer{.distrusted = std::move(distrusted->ids),
                             .active = to_answer(distrusted->active),
                             .sessions_ended = distrusted->sessions};
  co_return answer;
}

Task<Result<SecretsAnswer>> KeysApi::list_secrets(Call&) {
  auto inventory = co_await keys_.inventory();
  const auto now = clock_.now();
  SecretsAnswer answer{.items = {}, .sealed_otherwise = inventory.sealed_otherwise};
  for (auto& item : inventory.items) {
    SecretAnswer secret{.kind = std::move(item.kind),
                        .name = std::move(item.name),
                        .since = item.since,
                        .age_days = {},
                        .note = std::move(item.note)};
    if (item.since) secret.age_days = std::chrono::floor<std::chrono::days>(now - *item.since).count();
    answer.items.push_back(std::move(secret));
  }
  co_return answer;
}

}  // namespace api
}  // namespace safawinet
