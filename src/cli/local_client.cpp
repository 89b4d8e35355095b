#include "cli/local_client.hpp"

#include <pwd.h>
#include <unistd.h>

#include <charconv>
#include <memory>

#include "app/start_failure.hpp"
#include "cli/console.hpp"
#include "cli/settings_option.hpp"

namespace safawinet::cli {
namespace {

http::Method method_of(std::string_view name) {
  if (name == "GET") return http::Method::get;
  return name == "DELETE" ? http::Method::delete_ : http::Method::post;
}

std::optional<std::int64_t> retry_after(const http::Response& response) {
  for (const auto& [name, value] : response.fields) {
    if (name != "Retry-After") continue;
    std::int64_t seconds = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (error == std::errc() && end == value.data() + value.size()) return seconds;
  }
  return std::nullopt;
}

}  // namespace

std::string account_name() {
  const auto* account = ::getpwuid(::getuid());
  return account != nullptr ? std::string(account->pw_name) : std::to_string(::getuid());
}

LocalClient::LocalClient(const std::string& settings_file) : api_(get_settings(settings_file), account_name()) {}

ApiResponse LocalClient::send(const ApiRequest& request) {
  check_interrupted();
  auto response =
      api_.answer(method_of(request.method), request.target, request.body.reveal(),
                  request.idempotency_key ? std::string_view(*request.idempotency_key) : std::string_view());
  ApiResponse answer{
      .status = response.status, .body = std::move(response.body), .retry_after_seconds = retry_after(response)};
  return answer;
}

}  // namespace safawinet::cli
