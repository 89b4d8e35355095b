// The refresh token of a browser, in a cookie: no script reads it, no other host sets it, and no page of another origin
// makes use of it (RFC 6265; draft-ietf-httpbis-rfc6265bis for the prefix and SameSite).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/secret.hpp"
#include "http/message.hpp"

namespace safawinet::api {

// Browsers take a cookie of this prefix from this very host alone, over TLS alone.
inline constexpr std::string_view kRefreshCookieName = "__Host-safawinet-refresh";

// The value of Set-Cookie that keeps the token for so long, and the one that takes it away.
std::string kept_refresh_cookie(const SecretText& token, std::chrono::seconds lifetime);
std::string cleared_refresh_cookie();

// The token that the request's cookie holds, whatever it is worth; none without the cookie. Errors: unreadable_request,
// when it is there twice.
Result<std::optional<SecretText>> find_refresh_cookie(const http::Request& request);

// Whose pages may have the cookie and use it. SameSite alone would let those of other hosts of the same site do so.
class BrowserOrigins {
 public:
  // As browsers send them: "https://app.example.com".
  explicit BrowserOrigins(std::vector<std::string> origins) : origins_(std::move(origins)) {}

  // Errors: origin_not_allowed, also for a request that names no origin.
  [[nodiscard]] Status check(const http::Request& request) const;

 private:
  std::vector<std::string> origins_;
};

}  // namespace safawinet::api
