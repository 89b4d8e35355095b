#include "crypto/password.hpp"

#include <sodium.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/sealing.hpp"
#include "crypto/sodium.hpp"
#include "crypto/stored_hash.hpp"

namespace safawinet {
namespace {

// NFC of 256 code points may come from several times as many, of up to four bytes each. More is not worth normalising.
constexpr std::size_t kRawLimitBytes = 4096;

PasswordFault too_long() {
  return {.code = "too-long", .detail = "A password has at most " + std::to_string(kPasswordLimit) + " characters."};
}

std::size_t count_code_points(std::string_view utf8) {
  return static_cast<std::size_t>(std::ranges::count_if(utf8, [](char c) { return (c & 0xC0) != 0x80; }));
}

// None for what is not UTF-8 (overlong forms and surrogates included). Works on a buffer of our own, since
// utf8proc_map() leaves decomposed text behind in freed memory.
std::optional<SecretText> normalise(std::string_view raw) {
  constexpr auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  const auto* const bytes = reinterpret_cast<const utf8proc_uint8_t*>(raw.data());
  const auto size = static_cast<utf8proc_ssize_t>(raw.size());
  const auto count = utf8proc_decompose(bytes, size, nullptr, 0, options);
  if (count < 0) return std::nullopt;

  std::vector<utf8proc_int32_t> buffer(static_cast<std::size_t>(count) + 1);  // reencode() appends a zero byte
  utf8proc_decompose(bytes, size, buffer.data(), count, options);
  const auto length = utf8proc_reencode(buffer.data(), count, options);
  std::optional<SecretText> text;
  if (length >= 0) {
    text.emplace(std::string(reinterpret_cast<const char*>(buffer.data()), static_cast<std::size_t>(length)));
  }
  sodium_memzero(buffer.data(), buffer.size() * sizeof buffer.front());
  return text;
}

constexpr std::string_view kStoredPrefix = "$argon2id$v=19$m=";

std::string without_padding(std::string base64) {
  while (base64.ends_with('=')) base64.pop_back();
  return base64;
}

// Salt and hash are random; that some password hashes to it is as likely as guessing a 256-bit key.
std::string make_dummy_hash(const PasswordCost& cost) {
  std::array<std::uint8_t, crypto_pwhash_SALTBYTES> salt{};
  std::array<std::uint8_t, 32> hash{};
  randombytes_buf(salt.data(), salt.size());
  randombytes_buf(hash.data(), hash.size());
  std::string text(kStoredPrefix);
  text.append(std::to_string(cost.memory_kib)).append(",t=").append(std::to_string(cost.passes)).append(",p=1$");
  text.append(without_padding(to_base64(salt))).append("$").append(without_padding(to_base64(hash)));
  return text;
}

}  // namespace

std::expected<PasswordText, PasswordFault> PasswordText::from(std::string_view raw) {
  if (raw.size() > kRawLimitBytes) return std::unexpected(too_long());
  auto text = normalise(raw);
  if (!text) {
    return std::unexpected(PasswordFault{.code = "not-unicode", .detail = "The password is not valid Unicode text."});
  }
  const auto length = count_code_points(text->reveal());
  if (length > kPasswordLimit) return std::unexpected(too_long());
  std::optional<SecretText> typed;
  if (text->reveal() != raw) typed.emplace(std::string(raw));
  return PasswordText(*std::move(text), std::move(typed), length);
}

PasswordHasher::PasswordHasher(PasswordCost cost) : cost_(cost) {
  prepare_sodium();
  dummy_hash_ = make_dummy_hash(cost);
  if (!StoredHash::read(dummy_hash_)) throw std::invalid_argument("password hashing cost out of range");
}

std::string PasswordHasher::hash(const PasswordText& password) const {
  std::array<char, crypto_pwhash_STRBYTES> text{};
  const auto bytes = password.reveal();
  if (crypto_pwhash_str_alg(text.data(), bytes.data(), bytes.size(), cost_.passes, std::size_t{cost_.memory_kib} * 1024,
                            crypto_pwhash_ALG_ARGON2ID13) != 0) {
    throw Unavailable("no memory for a password hash");
  }
  return text.data();
}

PasswordVerification PasswordHasher::verify(std::string_view stored, const PasswordText& password) const {
  const auto hash = StoredHash::read(stored);
  if (!hash) return {};
  if (hash->matches(password.reveal())) {
    return {.matches = true, .needs_rehash = !hash->is_of_cost(cost_.memory_kib, cost_.passes)};
  }
  // Whoever made an imported hash may have taken the bytes as they came. Asked of every hash, the dummy too, so that
  // the time tells nothing.
  if (!password.typed() || !hash->matches(*password.typed())) return {};
  return {.matches = true, .needs_rehash = true};
}

}  // namespace safawinet
