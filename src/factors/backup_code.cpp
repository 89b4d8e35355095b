#include "factors/backup_code.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <utility>

#include "base/encoding.hpp"
#include "crypto/sealing.hpp"

namespace safawinet {
namespace {

constexpr std::string_view kAlphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
static_assert(kAlphabet.size() == 32, "five bits for each character");
constexpr std::size_t kCharacters = 12;
constexpr std::size_t kGroup = 4;

std::string grouped(std::string_view characters) {
  std::string text;
  for (std::size_t i = 0; i < characters.size(); ++i) {
    if (i != 0 && i % kGroup == 0) text += '-';
    text += characters[i];
  }
  return text;
}

}  // namespace

SecretText make_backup_code(Random& random) {
  std::array<std::uint8_t, kCharacters> bytes{};
  random.fill(std::as_writable_bytes(std::span(bytes)));
  std::string characters;
  for (const auto byte : bytes) characters += kAlphabet[byte % kAlphabet.size()];
  wipe(bytes);
  return SecretText(grouped(characters));
}

std::vector<SecretText> make_backup_codes(Random& random) {
  std::vector<SecretText> codes;
  for (std::size_t i = 0; i < kBackupCodes; ++i) codes.push_back(make_backup_code(random));
  return codes;
}

std::optional<SecretText> parse_backup_code(std::string_view typed) {
  std::string characters;
  for (const char c : typed) {
    if (c == ' ' || c == '-') continue;
    const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    if (kAlphabet.find(upper) == std::string_view::npos || characters.size() == kCharacters) return std::nullopt;
    characters += upper;
  }
  if (characters.size() != kCharacters) return std::nullopt;
  return SecretText(grouped(characters));
}

std::string mac_of_backup_code(const MacKey& key, UserId user, const SecretText& code) {
  const SecretText text(user.text() + "\n" + std::string(code.reveal()));
  return to_base64url(key.sign(as_bytes(text.reveal())));
}

}  // namespace safawinet
