// The API over HTTPS.
#pragma once

#include <memory>
#include <string>

#include "cli/api_client.hpp"
#include "cli/contexts.hpp"

namespace safawinet::cli {

// TLS 1.2 or later; the certificate is checked against the context's CA file, or the system's. Follows no redirection,
// so that a credential goes to the one host that the context names.
class HttpClient final : public ApiClient {
 public:
  explicit HttpClient(const Context& context);
  ~HttpClient() override;
  ApiResponse send(const ApiRequest& request) override;

 private:
  struct Handle;
  std::string url_;
  std::string name_;  // of the context
  std::unique_ptr<Handle> handle_;
};

}  // namespace safawinet::cli
