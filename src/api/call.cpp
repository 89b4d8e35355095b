#include "api/call.hpp"

#include <charconv>
#include <utility>

#include "base/ascii.hpp"
#include "base/encoding.hpp"
#include "base/json.hpp"
#include "http/characters.hpp"

namespace safawinet::api {
namespace {

constexpr std::size_t kUserAgentLimit = 400;  // bytes that are kept

// Percent-decoded, with "+" for a space; none if it is malformed, not UTF-8, or holds NUL, which no database keeps.
std::optional<std::string> decode_form(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const auto digits = text.substr(i + 1, 2);
      if (digits.size() != 2 || !http::all_in_class(digits, http::character_class::hexadecimal)) return std::nullopt;
      out += static_cast<char>(http::hexadecimal_value(digits[0]) * 16 + http::hexadecimal_value(digits[1]));
      i += 2;
    }
  }
  const bool is_text = http::is_utf8(out) && out.find('\0') == std::string::npos;
  return is_text ? std::optional(std::move(out)) : std::nullopt;
}

// The raw value of `name` in "a=1&b=2"; the last one counts.
std::optional<std::string_view> find_pair(std::string_view pairs, std::string_view name) {
  std::optional<std::string_view> found;
  while (!pairs.empty()) {
    const auto end = std::min(pairs.find('&'), pairs.size());
    const auto pair = pairs.substr(0, end);
    const auto equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) == name) found = pair.substr(std::min(equals + 1, pair.size()));
    pairs.remove_prefix(std::min(end + 1, pairs.size()));
  }
  return found;
}

}  // namespace

std::unexpected<Error> bad_query(std::string_view name, std::string code, std::string detail) {
  Error error{.code = ErrorCode::invalid_fields};
  error.fields.push_back({"?" + std::string(name), std::move(code), std::move(detail)});
  return refuse(std::move(error));
}

Actor Call::actor() const {
  if (acting) return acting->actor;
  return caller ? Actor::user(caller->user) : Actor::anonymous();
}

Origin Call::origin() const {
  return {.ip_address = client.text(),
          .network = client.client_network(),
          .user_agent = printable(request.field("User-Agent").value_or(""), kUserAgentLimit),
          .request_id = request_id};
}

Visitor Call::visitor() const {
  auto has_gone = [presence = request.presence] { return presence && presence->has_gone(); };
  return {.origin = origin(), .has_gone = std::move(has_gone), .is_exempt_from_limits = is_exempt_from_limits};
}

Result<std::optional<std::string>> Call::query(std::string_view name) const {
  const auto raw = find_pair(request.query, name);
  if (!raw) return std::optional<std::string>();
  auto value = decode_form(*raw);
  if (!value) return bad_query(name, "invalid", "is not percent-encoded UTF-8");
  return value;
}

Result<std::optional<std::int64_t>> Call::number(std::string_view name, std::int64_t least, std::int64_t most) const {
  const auto text = query(name);
  if (!text) return std::unexpected(text.error());
  if (!*text) return std::nullopt;
  const auto& digits = **text;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || number < least || number > most) {
    return bad_query(name, "out-of-range",
                     "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return number;
}

std::optional<std::string> form_value(std::string_view body, std::string_view name) {
  const auto raw = find_pair(body, name);
  return raw ? decode_form(*raw) : std::nullopt;
}

namespace detail {

Result<PageRequest<Id<void>>> parse_page(const Call& call, std::int64_t largest) {
  PageRequest<Id<void>> page;
  const auto limit = call.number("limit", 1, largest);
  if (!limit) return std::unexpected(limit.error());
  page.limit = limit->value_or(page.limit);
  const auto cursor = call.query("cursor");
  if (!cursor) return std::unexpected(cursor.error());
  if (*cursor) {
    const auto bytes = from_base64url(**cursor);
    if (!bytes || bytes->size() != 16)
      return bad_query("cursor", "invalid", "must be the nextCursor of a previous page");
    page.before.emplace();
    std::copy(bytes->begin(), bytes->end(), page.before->uuid.bytes.begin());
  }
  return page;
}

std::string make_cursor(const Uuid& last) { return to_base64url(last.bytes); }

}  // namespace detail
}  // namespace safawinet::api
