#include "crypto/access_token.hpp"

#include <boost/json/value.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>
#include <optional>
#include <stdexcept>
#include <utility>

#include "base/ascii.hpp"
#include "base/json.hpp"

namespace safawinet {
namespace {

constexpr std::string_view kType = "at+jwt";

// ---- writing

void append_json_text(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_name(std::string& out, std::string_view name) {
  out += out.empty() ? '{' : ',';
  out += '"';
  out += name;
  out += "\":";
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
  append_name(out, name);
  append_json_text(out, value);
}

void append_member(std::string& out, std::string_view name, std::int64_t value) {
  append_name(out, name);
  char digits[20];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), value).ptr;
  out.append(digits, end);
}

void append_member(std::string& out, std::string_view name, Time value) {
  append_member(out, name, std::chrono::floor<std::chrono::seconds>(value).time_since_epoch().count());
}

void append_member(std::string& out, std::string_view name, const std::vector<std::string>& values) {
  append_name(out, name);
  out += '[';
  for (const auto& value : values) {
    if (&value != &values.front()) out += ',';
    append_json_text(out, value);
  }
  out += ']';
}

std::string payload_of(const AccessClaims& claims) {
  std::string payload;
  payload.reserve(512);
  append_member(payload, "iss", claims.issuer);
  append_member(payload, "aud", claims.audience);
  append_member(payload, "client_id", claims.client_id);
  append_member(payload, "jti", claims.token_id);
  append_member(payload, "iat", claims.issued_at);
  append_member(payload, "exp", claims.expires_at);
  append_member(payload, "sub", claims.subject.text());
  append_member(payload, "sid", claims.session.text());
  append_member(payload, "role", claims.role);
  append_member(payload, "amr", claims.methods);
  append_member(payload, "acr", authentication_class(claims.methods));
  append_member(payload, "auth_time", claims.authenticated_at);
  append_member(payload, "ep", claims.epoch);
  append_member(payload, "tv", claims.token_version);
  payload += '}';
  return payload;
}

// ---- reading

struct Parts {
  std::string_view header;
  std::string_view payload;
  std::string_view signature;
  std::string_view signed_text;  // header.payload
};

std::optional<Parts> split(std::string_view token) {
  const auto first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const auto second = token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) return std::nullopt;
  return Parts{.header = token.substr(0, first),
               .payload = token.substr(first + 1, second - first - 1),
               .signature = token.substr(second + 1),
               .signed_text = token.substr(0, second)};
}

std::optional<boost::json::object> decode_object(std::string_view part) {
  const auto bytes = from_base64url(part);
  if (!bytes) return std::nullopt;
  auto value = parse_json({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
  if (!value || !value->is_object()) return std::nullopt;
  return std::move(value->get_object());
}

bool is_access_token_type(std::string_view type) {
  if (type.size() != kType.size()) return false;
  for (std::size_t i = 0; i < type.size(); ++i) {
    const char c = type[i];
    if (to_lower(c) != kType[i]) return false;
  }
  return true;
}

std::optional<std::string_view> text_of(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string_view(value->get_string());
}

// Copies members out of the payload; remembers whether each was there and of the right type.
class ClaimsReader {
 public:
  explicit ClaimsReader(const boost::json::object& payload) : payload_(payload) {}

  void read(std::string_view name, std::string& out) {
    const auto text = text_of(payload_, name);
    if (text) out = *text;
    is_complete_ &= text.has_value();
  }

  void read(std::string_view name, std::int64_t& out) {
    const auto* value = payload_.if_contains(name);
    const bool is_integer = value != nullptr && value->is_int64();
    if (is_integer) out = value->get_int64();
    is_complete_ &= is_integer;
  }

  void read(std::string_view name, Time& out) {
    // Seconds that Time's microseconds can hold.
    constexpr std::int64_t limit = std::numeric_limits<std::int64_t>::max() / 1'000'000;
    std::int64_t seconds = -1;
    read(name, seconds);
    const bool is_time = seconds >= 0 && seconds <= limit;
    if (is_time) out = Time(std::chrono::seconds(seconds));
    is_complete_ &= is_time;
  }

  template <class Tag>
  void read(std::string_view name, Id<Tag>& out) {
    const auto text = text_of(payload_, name);
    const auto id = text ? Id<Tag>::parse(*text) : std::nullopt;
    if (id) out = *id;
    is_complete_ &= id.has_value();
  }

  void read(std::string_view name, std::vector<std::string>& out) {
    const auto* value = payload_.if_contains(name);
    is_complete_ &= value != nullptr && value->is_array();
    if (!is_complete_) return;
    for (const auto& element : value->get_array()) {
      is_complete_ &= element.is_string();
      if (element.is_string()) out.emplace_back(std::string_view(element.get_string()));
    }
  }

  [[nodiscard]] bool is_complete() const { return is_complete_; }

 private:
  const boost::json::object& payload_;
  bool is_complete_ = true;
};

std::optional<AccessClaims> claims_of(const boost::json::object& payload) {
  AccessClaims claims;
  ClaimsReader reader(payload);
  reader.read("iss", claims.issuer);
  reader.read("aud", claims.audience);
  reader.read("client_id", claims.client_id);
  reader.read("jti", claims.token_id);
  reader.read("iat", claims.issued_at);
  reader.read("exp", claims.expires_at);
  reader.read("sub", claims.subject);
  reader.read("sid", claims.session);
  reader.read("role", claims.role);
  reader.read("amr", claims.methods);
  reader.read("auth_time", claims.authenticated_at);
  reader.read("ep", claims.epoch);
  reader.read("tv", claims.token_version);
  return reader.is_complete() ? std::optional(std::move(claims)) : std::nullopt;
}

std::unexpected<TokenFault> fault(std::string_view reason) { return std::unexpected(TokenFault{reason}); }

}  // namespace

std::string_view authentication_class(const std::vector<std::string>& methods) {
  const bool is_multi_factor = std::ranges::find(methods, "mfa") != methods.end();
  return is_multi_factor ? "urn:safawinet:acr:multi-factor" : "urn:safawinet:acr:single-factor";
}

std::string issue_access_token(const SigningKey& key, const AccessClaims& claims) {
  const std::string& header = key.verifying_key().access_token_header();
  const std::string payload = payload_of(claims);
  std::string token;
  token.reserve(header.size() + payload.size() * 4 / 3 + 128);
  token.append(header).append(1, '.').append(to_base64url(as_bytes(payload)));
  const Bytes signature = key.sign(as_bytes(token));
  token.append(1, '.').append(to_base64url(signature));
  if (token.size() > kAccessTokenLimitBytes) throw std::length_error("an access token would be longer than 4096 bytes");
  return token;
}

std::expected<AccessClaims, TokenFault> verify_access_token(std::string_view token, const VerifyingKeyLookup& find_key,
                                                            const AccessExpectations& expected) {
  if (token.size() > kAccessTokenLimitBytes) return fault("longer than 4096 bytes");
  const auto parts = split(token);
  if (!parts) return fault("not three parts");

  const auto header = decode_object(parts->header);
  if (!header) return fault("header is not a JSON object in base64url");
  const auto algorithm = text_of(*header, "alg");
  const auto type = text_of(*header, "typ");
  const auto key_id = text_of(*header, "kid");
  if (!algorithm || !type || !key_id || header->size() != 3) return fault("header is not alg, typ and kid");
  if (!is_access_token_type(*type)) return fault("typ is not at+jwt");
  const VerifyingKey* const key = find_key(*key_id);
  if (key == nullptr) return fault("no usable key with this kid");
  if (*algorithm != name_of(key->algorithm())) return fault("alg is not the key's");

  const auto signature = from_base64url(parts->signature);
  if (!signature) return fault("signature is not base64url");
  if (!key->verify(as_bytes(parts->signed_text), *signature)) return fault("wrong signature");

  const auto payload = decode_object(parts->payload);
  if (!payload) return fault("payload is not a JSON object in base64url");
  auto claims = claims_of(*payload);
  if (!claims) return fault("a claim is missing or of the wrong type");
  if (claims->issuer != expected.issuer) return fault("another issuer");
  if (claims->audience != expected.audience) return fault("another audience");
  if (expected.now >= claims->expires_at) return fault("expired");
  return *std::move(claims);
}

}  // namespace safawinet
