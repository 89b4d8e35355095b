#include "aws/sigv4.hpp"

#include <algorithm>
#include <array>
#include <ctime>

#include "base/ascii.hpp"
#include "base/encoding.hpp"
#include "crypto/digest.hpp"

namespace safawinet::aws {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

// RFC 3986 section 2.3: everything but the unreserved characters.
std::string uri_encode(std::string_view text, bool keeps_slashes) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool is_unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                               c == '.' || c == '_' || c == '~' || (keeps_slashes && c == '/');
    if (is_unreserved) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[byte >> 4U];
    out += kHex[byte & 0xFU];
  }
  return out;
}

std::string canonical_query(const Request& request) {
  Pairs encoded;
  for (const auto& [name, value] : request.query)
    encoded.emplace_back(uri_encode(name, false), uri_encode(value, false));
  std::ranges::sort(encoded);
  std::string out;
  for (const auto& [name, value] : encoded) {
    if (!out.empty()) out += '&';
    out.append(name).append("=").append(value);
  }
  return out;
}

// Lower case, one space where there are several, none at the ends.
Pairs canonical_fields(const Request& request) {
  Pairs fields = request.fields;
  fields.emplace_back("host", request.host);
  for (auto& [name, value] : fields) {
    name = to_lower(name);
    std::string trimmed;
    for (const char c : value) {
      if (c != ' ' || (!trimmed.empty() && trimmed.back() != ' ')) trimmed += c;
    }
    while (trimmed.ends_with(' ')) trimmed.pop_back();
    value = std::move(trimmed);
  }
  std::ranges::sort(fields, {}, &Pairs::value_type::first);
  return fields;
}

std::string signed_names(const Pairs& fields) {
  std::string names;
  for (const auto& field : fields) {
    if (!names.empty()) names += ';';
    names += field.first;
  }
  return names;
}

std::string canonical_of(const Request& request, const Pairs& fields) {
  std::string out = request.method + '\n';
  // Encoded twice, as every service but S3 wants it.
  out += uri_encode(uri_encode(request.path, true), true) + '\n';
  out += canonical_query(request) + '\n';
  for (const auto& [name, value] : fields) out.append(name).append(":").append(value).append("\n");
  out += '\n' + signed_names(fields) + '\n';
  return out + to_hex(sha256(as_bytes(request.body)));
}

std::string timestamp_of(Time now) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts)};
}

Sha256 signing_key(const Credentials& credentials, std::string_view date, const Scope& scope) {
  const std::string secret = "AWS4" + std::string(credentials.secret_access_key.reveal());
  auto key = hmac_sha256(as_bytes(secret), as_bytes(date));
  key = hmac_sha256(key, as_bytes(scope.region));
  key = hmac_sha256(key, as_bytes(scope.service));
  return hmac_sha256(key, as_bytes("aws4_request"));
}

}  // namespace

std::vector<std::pair<std::string, std::string>> sign(const Request& request, const Scope& scope,
                                                      const Credentials& credentials, Time now) {
  const auto timestamp = timestamp_of(now);
  const auto date = timestamp.substr(0, 8);
  Pairs added{{"X-Amz-Date", timestamp}};
  if (!credentials.session_token.empty()) {
    added.emplace_back("X-Amz-Security-Token", std::string(credentials.session_token.reveal()));
  }
  auto whole = request;
  whole.fields.insert(whole.fields.end(), added.begin(), added.end());
  const auto fields = canonical_fields(whole);
  const std::string where = date + '/' + scope.region + '/' + scope.service + "/aws4_request";
  const std::string to_sign = std::string(kAlgorithm) + '\n' + timestamp + '\n' + where + '\n' +
                              to_hex(sha256(as_bytes(canonical_of(whole, fields))));
  const auto signature = to_hex(hmac_sha256(signing_key(credentials, date, scope), as_bytes(to_sign)));
  added.emplace_back("Authorization", std::string(kAlgorithm) + " Credential=" + credentials.access_key_id + '/' +
                                          where + ", SignedHeaders=" + signed_names(fields) +
                                          ", Signature=" + signature);
  return added;
}

std::string canonical_request(const Request& request) { return canonical_of(request, canonical_fields(request)); }

std::string target_of(const Request& request) {
  const auto query = canonical_query(request);
  return uri_encode(request.path, true) + (query.empty() ? "" : "?" + query);
}

}  // namespace safawinet::aws
