// The Authorization field: bearer tokens (RFC 6750 section 2.1), and API keys as the password of Basic (RFC 7617).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "access/api_key.hpp"
#include "base/encoding.hpp"
#include "http/characters.hpp"
#include "http/message.hpp"

namespace safawinet::api {

// The token of "Authorization: Bearer …"; none when there is no such field or it is of another scheme.
inline std::optional<std::string_view> bearer_token(const http::Request& request) {
  constexpr std::string_view kScheme = "bearer ";
  const auto field = request.field("Authorization");
  if (!field || field->size() <= kScheme.size()) return std::nullopt;
  if (!http::equals_ignoring_case(field->substr(0, kScheme.size()), kScheme)) return std::nullopt;
  return field->substr(kScheme.size());
}

// A bearer token, or the API key of "Authorization: Basic …", whatever user name goes with it (libraries for
// introspection send one); none when there is neither.
inline std::optional<std::string> presented_token(const http::Request& request) {
  if (const auto token = bearer_token(request)) return std::string(*token);
  constexpr std::string_view kScheme = "basic ";
  const auto field = request.field("Authorization");
  if (!field || field->size() <= kScheme.size()) return std::nullopt;
  if (!http::equals_ignoring_case(field->substr(0, kScheme.size()), kScheme)) return std::nullopt;
  const auto decoded = from_base64(field->substr(kScheme.size()));
  if (!decoded) return std::nullopt;
  const std::string pair(decoded->begin(), decoded->end());
  const auto colon = pair.find(':');
  if (colon == std::string::npos || !looks_like_api_key(std::string_view(pair).substr(colon + 1))) return std::nullopt;
  return pair.substr(colon + 1);
}

}  // namespace safawinet::api
