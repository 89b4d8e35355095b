#include "crypto/refresh_token.hpp"

#include <algorithm>
#include <array>

namespace safawinet {
namespace {

// What the MAC covers begins with this, so that a MAC made for another purpose with the same key fits no refresh token.
constexpr std::string_view kDomain = "safawinet refresh token";
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kKeyIdAt = 1;
constexpr std::size_t kSessionAt = kKeyIdAt + 4;
constexpr std::size_t kGenerationAt = kSessionAt + 16;
constexpr std::size_t kBodyBytes = kGenerationAt + 8;
constexpr std::size_t kTokenBytes = kBodyBytes + kSha256Bytes;
static_assert(kRefreshTokenBytes == kRefreshTokenPrefix.size() + (kTokenBytes * 8 + 5) / 6);

template <class Integer>
void put_big_endian(std::uint8_t* at, Integer value) {
  for (std::size_t i = 0; i < sizeof value; ++i) at[i] = static_cast<std::uint8_t>(value >> 8 * (sizeof value - 1 - i));
}

template <class Integer>
Integer get_big_endian(const std::uint8_t* at) {
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) value = value << 8 | at[i];
  return value;
}

using Signed = std::array<std::uint8_t, kDomain.size() + kBodyBytes>;

// `body` has kBodyBytes bytes.
Signed with_domain(const std::uint8_t* body) {
  Signed text{};
  std::copy_n(body, kBodyBytes, std::copy(kDomain.begin(), kDomain.end(), text.begin()));
  return text;
}

}  // namespace

std::string RefreshToken::format(const MacKey& key) const {
  std::array<std::uint8_t, kTokenBytes> bytes{};
  bytes[0] = kVersion;
  put_big_endian(&bytes[kKeyIdAt], key_id);
  std::copy(session.uuid.bytes.begin(), session.uuid.bytes.end(), &bytes[kSessionAt]);
  put_big_endian(&bytes[kGenerationAt], generation);
  const Sha256 mac = key.sign(with_domain(bytes.data()));
  std::copy(mac.begin(), mac.end(), &bytes[kBodyBytes]);

  std::string text;
  text.reserve(kRefreshTokenBytes);
  text.append(kRefreshTokenPrefix).append(to_base64url(bytes));
  return text;
}

std::optional<RefreshToken> parse_refresh_token(std::string_view text, const MacKeyLookup& find_key) {
  if (text.size() != kRefreshTokenBytes || !text.starts_with(kRefreshTokenPrefix)) return std::nullopt;
  const auto bytes = from_base64url(text.substr(kRefreshTokenPrefix.size()));
  if (!bytes || bytes->size() != kTokenBytes || bytes->front() != kVersion) return std::nullopt;
  const std::uint8_t* const body = bytes->data();

  RefreshToken token;
  token.key_id = get_big_endian<std::uint32_t>(body + kKeyIdAt);
  std::copy_n(body + kSessionAt, token.session.uuid.bytes.size(), token.session.uuid.bytes.begin());
  token.generation = get_big_endian<std::uint64_t>(body + kGenerationAt);

  const MacKey* const key = find_key(token.key_id);
  if (key == nullptr || !key->verify(with_domain(body), ByteView(*bytes).subspan(kBodyBytes))) return std::nullopt;
  return token;
}

}  // namespace safawinet
