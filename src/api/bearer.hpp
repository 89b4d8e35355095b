// The Authorization field (RFC 6750 section 2.1).
#pragma once

#include <optional>
#include <string_view>

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

}  // namespace safawinet::api
