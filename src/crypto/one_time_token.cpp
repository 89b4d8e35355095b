#include "crypto/one_time_token.hpp"

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

std::string_view prefix_of(OneTimePurpose purpose) {
  switch (purpose) {
    case OneTimePurpose::verify_email:
      return "sf_ev_";
    case OneTimePurpose::reset_password:
      return "sf_pr_";
    case OneTimePurpose::change_email:
      return "sf_ec_";
    case OneTimePurpose::invite:
      return "sf_in_";
    case OneTimePurpose::login_ticket:
      return "sf_lt_";
  }
  return {};
}

std::string hash_of(std::string_view text) { return to_hex(sha256(as_bytes(text))); }

}  // namespace

OneTimeToken make_one_time_token(OneTimePurpose purpose, Random& random) {
  std::array<std::uint8_t, kSecretBytes> secret{};
  random.fill(std::as_writable_bytes(std::span(secret)));
  std::string text(prefix_of(purpose));
  text += to_base64url(secret);
  wipe(secret);
  auto hash = hash_of(text);
  return {.text = SecretText(std::move(text)), .hash = std::move(hash)};
}

std::optional<std::string> hash_one_time_token(OneTimePurpose purpose, std::string_view text) {
  const auto prefix = prefix_of(purpose);
  if (text.size() != prefix.size() + kSecretCharacters || !text.starts_with(prefix)) return std::nullopt;
  if (!from_base64url(text.substr(prefix.size()))) return std::nullopt;
  return hash_of(text);
}

}  // namespace safawinet
