#include "api/refresh_cookie.hpp"

#include <algorithm>

namespace safawinet::api {
namespace {

// Without Domain it is of this host alone. Lax and not Strict: for requests that are no top-level navigation, which is
// all that use it, the two are the same, and Strict would hide it from a page that was opened by a link.
constexpr std::string_view kAttributes = "; Path=/; Secure; HttpOnly; SameSite=Lax";

std::string cookie(std::string_view value, std::chrono::seconds lifetime) {
  std::string text(kRefreshCookieName);
  text.append("=").append(value).append("; Max-Age=").append(std::to_string(lifetime.count())).append(kAttributes);
  return text;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

// Max-Age and no Expires: it does not ask what the clock of the browser says.
std::string kept_refresh_cookie(const SecretText& token, std::chrono::seconds lifetime) {
  return cookie(token.reveal(), lifetime);
}

std::string cleared_refresh_cookie() { return cookie("", std::chrono::seconds(0)); }

// Other cookies of the host are none of our business, however they are written.
Result<std::optional<SecretText>> find_refresh_cookie(const http::Request& request) {
  std::optional<SecretText> found;
  auto rest = request.field("Cookie").value_or("");
  while (!rest.empty()) {
    const auto end = std::min(rest.find(';'), rest.size());
    const auto pair = rest.substr(0, end);
    const auto equals = std::min(pair.find('='), pair.size());
    if (trimmed(pair.substr(0, equals)) == kRefreshCookieName) {
      // A browser has one. Which of two would be believed is what an attacker wants to choose.
      if (found) return refuse(ErrorCode::unreadable_request, "The refresh cookie is there twice.");
      found.emplace(std::string(trimmed(pair.substr(std::min(equals + 1, pair.size())))));
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return found;
}

Status BrowserOrigins::check(const http::Request& request) const {
  const auto origin = request.field("Origin");
  if (origin && std::ranges::find(origins_, *origin) != origins_.end()) return {};
  return refuse(ErrorCode::origin_not_allowed,
                origin ? "Pages of this origin may not use the refresh cookie; http.cors_origins names those that may."
                       : "The refresh cookie is for browsers: the request must say which origin it comes from.");
}

}  // namespace safawinet::api
