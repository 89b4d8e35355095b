#include "config/redis_url.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace safawinet::config {
namespace {

constexpr std::string_view kForm =
    "must be a URL such as \"redis://cache.example.com:6379/0\" or, with TLS, "
    "\"rediss://user:password@cache.example.com:6379\"";

std::optional<unsigned> number_in(std::string_view text, unsigned maximum) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || number > maximum) return std::nullopt;
  return number;
}

// None if a "%" is not followed by two hexadecimal digits.
std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const auto digits = text.substr(i + 1, 2);
    unsigned code = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) return std::nullopt;
    out += static_cast<char>(code);
    i += 2;
  }
  return out;
}

bool is_host(std::string_view host, bool has_brackets) {
  if (host.empty() || host.size() > 253) return false;
  return std::ranges::all_of(host, [has_brackets](char c) {
    const bool is_alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return is_alphanumeric || c == '.' || (has_brackets ? c == ':' : c == '-' || c == '_');
  });
}

// None is fine.
std::optional<std::string> take_credentials(RedisUrl& url, std::string_view credentials) {
  const auto colon = credentials.find(':');
  if (colon == std::string_view::npos || colon + 1 == credentials.size()) {
    return "must have a password behind the user: \"redis://user:password@host\", or \"redis://:password@host\" for "
           "the default user";
  }
  const auto user = percent_decoded(credentials.substr(0, colon));
  auto password = percent_decoded(credentials.substr(colon + 1));
  if (!user || !password) return "must have each \"%\" in user and password written as \"%25\"";
  url.user = *user;
  url.password = SecretText(*std::move(password));
  return std::nullopt;
}

std::optional<std::string> take_host_and_port(RedisUrl& url, std::string_view authority) {
  std::string_view host = authority;
  std::string_view port;
  const bool has_brackets = authority.starts_with('[');
  if (has_brackets) {
    const auto close = authority.find(']');
    if (close == std::string_view::npos) return std::string(kForm);
    host = authority.substr(1, close - 1);
    port = authority.substr(close + 1);
  } else {
    host = authority.substr(0, authority.find(':'));
    port = authority.substr(host.size());
  }
  if (!is_host(host, has_brackets)) return "must name a host, as in \"redis://cache.example.com:6379\"";
  url.host = std::string(host);
  if (port.empty()) return std::nullopt;
  const auto number = number_in(port.substr(1), 65535);
  if (port.front() != ':' || !number || *number == 0) return "must have a port from 1 to 65535 behind the host";
  url.port = static_cast<std::uint16_t>(*number);
  return std::nullopt;
}

}  // namespace

std::expected<RedisUrl, std::string> parse_redis_url(std::string_view text) {
  RedisUrl url;
  if (text.starts_with("rediss://")) {
    url.is_tls = true;
    text.remove_prefix(9);
  } else if (text.starts_with("redis://")) {
    text.remove_prefix(8);
  } else {
    return std::unexpected("must begin with \"redis://\", or with \"rediss://\" for TLS");
  }
  // Up to the last "@": a password may hold one, though it should be encoded.
  const auto at = text.rfind('@');
  if (at != std::string_view::npos) {
    const auto credentials = text.substr(0, at);
    if (credentials.find_first_of("/?# ") != std::string_view::npos) {
      return std::unexpected(
          "must have \"/\", \"?\", \"#\" and spaces in user and password written as \"%2F\", \"%3F\", \"%23\" and "
          "\"%20\"");
    }
    if (auto complaint = take_credentials(url, credentials)) return std::unexpected(*std::move(complaint));
    text.remove_prefix(at + 1);
  }
  if (text.find_first_of("?#") != std::string_view::npos)
    return std::unexpected("must not have anything behind \"?\" or \"#\"");
  const auto slash = text.find('/');
  if (auto complaint = take_host_and_port(url, text.substr(0, slash))) return std::unexpected(*std::move(complaint));
  const auto path = slash == std::string_view::npos ? std::string_view() : text.substr(slash + 1);
  if (path.empty()) return url;
  const auto database = number_in(path, 65535);
  if (!database)
    return std::unexpected("must have the number of a database behind the \"/\", as in \"redis://host/0\"");
  url.database = *database;
  return url;
}

}  // namespace safawinet::config
