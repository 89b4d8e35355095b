// The API in process (`--local`): works while no server does.
#pragma once

#include <string>

#include "app/local_api.hpp"
#include "cli/api_client.hpp"

namespace safawinet::cli {

// The one who runs this command, by the name of their account; the one who became root by sudo is root.
std::string account_name();

class LocalClient final : public ApiClient {
 public:
  // `settings_file`: empty for the usual places. Throws Failure.
  explicit LocalClient(const std::string& settings_file);
  ApiResponse send(const ApiRequest& request) override;

 private:
  app::LocalApi api_;
};

}  // namespace safawinet::cli
