// How commands reach the API: one request, one answer, whatever lies between.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/secret.hpp"

namespace safawinet::cli {

struct ApiRequest {
  std::string_view method;  // "GET"
  std::string target;       // "/v1/admin/users?limit=200"
  SecretText body{};        // JSON; empty: none
  std::optional<std::string> idempotency_key{};
  std::optional<SecretText> credential{};  // Authorization: Bearer
};

struct ApiResponse {
  unsigned status = 0;
  std::string body;
  std::optional<std::int64_t> retry_after_seconds{};
};

// Threading: one thread.
class ApiClient {
 public:
  virtual ~ApiClient() = default;
  // Throws Failure when there is no answer, and Interrupted.
  virtual ApiResponse send(const ApiRequest& request) = 0;
};

}  // namespace safawinet::cli
