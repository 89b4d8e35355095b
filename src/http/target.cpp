#include "http/target.hpp"

#include <charconv>
#include <optional>

#include "base/address.hpp"
#include "http/characters.hpp"

namespace safawinet::http {
namespace {

constexpr Refusal not_in_grammar{400, "The request target is not a valid path."};
constexpr Refusal bad_encoding{400, "The request target has an invalid percent-encoding."};
constexpr Refusal ambiguous_path{400,
                                 "The path has an empty or a dot segment, or an encoded slash or control character."};
constexpr Refusal bad_absolute_form{400, "The request target in absolute form is not valid."};

// The byte that "%XX" at `at` stands for; none if it stands for none.
std::optional<unsigned char> decode_at(std::string_view text, std::size_t at) {
  if (text.size() - at < 3 || !is_in_class(text[at + 1], character_class::hexadecimal) ||
      !is_in_class(text[at + 2], character_class::hexadecimal)) {
    return std::nullopt;
  }
  return static_cast<unsigned char>(hexadecimal_value(text[at + 1]) << 4 | hexadecimal_value(text[at + 2]));
}

bool has_empty_or_dot_segment(std::string_view decoded_path) {
  std::string_view rest = decoded_path.substr(1);
  while (true) {
    const std::size_t slash = rest.find('/');
    const std::string_view segment = rest.substr(0, slash);
    if (segment == "." || segment == "..") return true;
    if (slash == std::string_view::npos) return false;
    if (segment.empty()) return true;
    rest.remove_prefix(slash + 1);
  }
}

std::optional<Refusal> check_path(std::string_view path) {
  bool is_encoded = false;
  for (std::size_t at = 0; at < path.size(); ++at) {
    if (is_in_class(path[at], character_class::path)) continue;
    if (path[at] != '%') return not_in_grammar;
    const auto byte = decode_at(path, at);
    if (!byte) return bad_encoding;
    if (*byte < 0x20 || *byte == 0x7f || *byte == '/' || *byte == '\\') return ambiguous_path;
    is_encoded = true;
    at += 2;
  }
  if (!is_encoded) return has_empty_or_dot_segment(path) ? std::optional(ambiguous_path) : std::nullopt;
  std::string decoded;
  decode_path(path, decoded);
  if (!is_utf8(decoded)) return bad_encoding;
  return has_empty_or_dot_segment(decoded) ? std::optional(ambiguous_path) : std::nullopt;
}

std::optional<Refusal> check_query(std::string_view query) {
  for (std::size_t at = 0; at < query.size(); ++at) {
    if (is_in_class(query[at], character_class::query)) continue;
    if (query[at] != '%') return not_in_grammar;
    const auto byte = decode_at(query, at);
    if (!byte || *byte == 0) return bad_encoding;
    at += 2;
  }
  return std::nullopt;
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return equals_ignoring_case(text.substr(0, prefix.size()), prefix);
}

bool is_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || !all_in_class(text, character_class::digit)) return false;
  unsigned port = 0;
  std::from_chars(text.data(), text.data() + text.size(), port);
  return port <= 65535;
}

}  // namespace

std::expected<Target, Refusal> parse_target(std::string_view text, Method method) {
  Target target;
  if (text == "*") {
    if (method != Method::options) return std::unexpected(not_in_grammar);
    target.origin = target.path = text;
    return target;
  }
  target.origin = text;
  if (text.empty()) return std::unexpected(not_in_grammar);
  if (text.front() != '/') {
    std::string_view rest = text;
    if (starts_with_ignoring_case(rest, "http://")) {
      rest.remove_prefix(7);
    } else if (starts_with_ignoring_case(rest, "https://")) {
      rest.remove_prefix(8);
    } else {
      return std::unexpected(not_in_grammar);
    }
    const std::size_t slash = rest.find('/');
    target.authority = rest.substr(0, slash);
    if (!is_authority(target.authority)) return std::unexpected(bad_absolute_form);
    target.has_no_path = slash == std::string_view::npos;
    target.origin = target.has_no_path ? std::string_view("/") : rest.substr(slash);
  }
  const std::size_t question_mark = target.origin.find('?');
  target.path = target.origin.substr(0, question_mark);
  if (const auto refusal = check_path(target.path)) return std::unexpected(*refusal);
  if (question_mark != std::string_view::npos) {
    target.query = target.origin.substr(question_mark + 1);
    if (const auto refusal = check_query(target.query)) return std::unexpected(*refusal);
  }
  return target;
}

void decode_path(std::string_view path, std::string& decoded) {
  decoded.clear();
  for (std::size_t at = 0; at < path.size(); ++at) {
    if (path[at] != '%') {
      decoded.push_back(path[at]);
      continue;
    }
    if (const auto byte = decode_at(path, at)) decoded.push_back(static_cast<char>(*byte));
    at += 2;
  }
}

bool is_authority(std::string_view text) {
  std::string_view host = text;
  std::string_view after_host;
  if (!text.empty() && text.front() == '[') {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) return false;
    const std::string_view literal = text.substr(1, bracket - 1);
    if (literal.find(':') == std::string_view::npos || !IpAddress::parse(literal)) return false;
    after_host = text.substr(bracket + 1);
  } else {
    host = text.substr(0, text.find(':'));
    if (host.empty() || host.size() > 253 || !all_in_class(host, character_class::host)) return false;
    after_host = text.substr(host.size());
  }
  return after_host.empty() || (after_host.front() == ':' && is_port(after_host.substr(1)));
}

}  // namespace safawinet::http
