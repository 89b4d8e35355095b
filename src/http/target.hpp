// The request target (RFC 9112 section 3.2) and the path in it (RFC 3986 section 3.3).
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "http/message.hpp"
#include "http/refusal.hpp"

namespace safawinet::http {

// Views into the text that was parsed.
struct Target {
  std::string_view origin;     // path and query, or "*"
  std::string_view path;       // as sent, still encoded
  std::string_view query;      // as sent, without "?"
  std::string_view authority;  // of the absolute form; else empty
  bool has_no_path = false;    // "http://example.org": origin and path are a literal "/"
};

// Accepts the origin form, the absolute form with the scheme http or https, and "*" with OPTIONS. Refused is whatever
// is not in the grammar of RFC 3986, and every path that servers and proxies are known to read differently: empty and
// dot segments (also encoded), encoded slashes, backslashes, control characters and NUL, what is not UTF-8.
std::expected<Target, Refusal> parse_target(std::string_view text, Method method);

// Decodes a path that parse_target accepted.
void decode_path(std::string_view path, std::string& decoded);

// Whether the text is a host with or without a port, as the field Host has it (RFC 9110 section 7.2): a name, an IPv4
// address or an IPv6 address in brackets.
bool is_authority(std::string_view text);

}  // namespace safawinet::http
