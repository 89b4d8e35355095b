#include "access/api_key.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <utility>

#include "base/encoding.hpp"
#include "crypto/digest.hpp"
#include "crypto/sealing.hpp"

namespace safawinet {
namespace {

constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kSecretCharacters = 43;
constexpr std::size_t kCheckCharacters = 6;
static_assert(kApiKeyPrefix.size() + kSecretCharacters + kCheckCharacters == kApiKeyCharacters);

std::string check_of(std::string_view text) { return to_base64url(sha256(as_bytes(text))).substr(0, kCheckCharacters); }

std::string hash_of(std::string_view text) { return to_hex(sha256(as_bytes(text))); }

}  // namespace

ApiKeyText make_api_key(Random& random) {
  std::array<std::uint8_t, kSecretBytes> secret{};
  random.fill(std::as_writable_bytes(std::span(secret)));
  std::string text(kApiKeyPrefix);
  text += to_base64url(secret);
  wipe(secret);
  text += check_of(text);
  auto hash = hash_of(text);
  return {.text = SecretText(std::move(text)), .hash = std::move(hash)};
}

bool looks_like_api_key(std::string_view text) { return text.starts_with(kApiKeyPrefix); }

std::optional<std::string> hash_api_key(std::string_view text) {
  constexpr auto kChecked = kApiKeyPrefix.size() + kSecretCharacters;
  if (!looks_like_api_key(text) || text.size() != kApiKeyCharacters) return std::nullopt;
  if (!from_base64url(text.substr(kApiKeyPrefix.size(), kSecretCharacters))) return std::nullopt;
  if (check_of(text.substr(0, kChecked)) != text.substr(kChecked)) return std::nullopt;
  return hash_of(text);
}

}  // namespace safawinet
