#include "crypto/password.hpp"

#include <sodium.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/sealing.hpp"
#include "crypto/sodium.hpp"

namespace safawinet {
namespace {

// NFC of 256 code points may come from several times as many, of up to four bytes each. More is not worth normalising.
constexpr std::size_t kRawLimitBytes = 4096;

constexpr std::uint32_t kMemoryLimitKib = 256 * 1024;
constexpr std::uint32_t kPassesLimit = 16;
constexpr std::uint32_t kLanesLimit = 4;
constexpr std::uint32_t kMemoryPerLaneKib = 8;  // RFC 9106 section 3.1: at least 8 blocks of 1 KiB for each lane

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

// ---- stored hashes: "$argon2id$v=19$m=19456,t=2,p=1$" salt "$" hash

constexpr std::string_view kStoredPrefix = "$argon2id$v=19$m=";

struct StoredCost {
  std::uint32_t memory_kib = 0;
  std::uint32_t passes = 0;
  std::uint32_t lanes = 0;
};

bool take(std::string_view& text, std::string_view expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(expected.size());
  return true;
}

// A decimal number in its one spelling.
bool take(std::string_view& text, std::uint32_t& number) {
  if (text.empty() || text.front() == '0') return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return error == std::errc();
}

bool is_base64_without_padding(std::string_view text, std::size_t least_bytes, std::size_t most_bytes) {
  std::string padded(text);
  padded.append((4 - padded.size() % 4) % 4, '=');
  const auto bytes = from_base64(padded);
  return bytes && !text.ends_with('=') && bytes->size() >= least_bytes && bytes->size() <= most_bytes;
}

bool is_reasonable(const StoredCost& cost) {
  return cost.passes >= 1 && cost.passes <= kPassesLimit && cost.lanes >= 1 && cost.lanes <= kLanesLimit &&
         cost.memory_kib >= kMemoryPerLaneKib * cost.lanes && cost.memory_kib <= kMemoryLimitKib;
}

// None unless it is a hash that we are willing to compute.
std::optional<StoredCost> cost_of(std::string_view stored) {
  StoredCost cost;
  if (!take(stored, kStoredPrefix) || !take(stored, cost.memory_kib) || !take(stored, ",t=") ||
      !take(stored, cost.passes) || !take(stored, ",p=") || !take(stored, cost.lanes) || !take(stored, "$")) {
    return std::nullopt;
  }
  const auto separator = stored.find('$');
  if (separator == std::string_view::npos || !is_base64_without_padding(stored.substr(0, separator), 8, 64) ||
      !is_base64_without_padding(stored.substr(separator + 1), 16, 64) || !is_reasonable(cost)) {
    return std::nullopt;
  }
  return cost;
}

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
  return PasswordText(*std::move(text), length);
}

PasswordHasher::PasswordHasher(PasswordCost cost) : cost_(cost) {
  if (!is_reasonable({.memory_kib = cost.memory_kib, .passes = cost.passes, .lanes = 1})) {
    throw std::invalid_argument("password hashing cost out of range");
  }
  prepare_sodium();
  dummy_hash_ = make_dummy_hash(cost);
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
  const auto cost = cost_of(stored);
  if (!cost) return {};
  const std::string terminated(stored);
  const auto bytes = password.reveal();
  errno = 0;
  if (crypto_pwhash_str_verify(terminated.c_str(), bytes.data(), bytes.size()) != 0) {
    // libsodium says EINVAL for a wrong password, and leaves what the allocation said otherwise.
    if (errno == ENOMEM) throw Unavailable("no memory for a password hash");
    return {};
  }
  const bool is_ours = cost->memory_kib == cost_.memory_kib && cost->passes == cost_.passes && cost->lanes == 1;
  return {.matches = true, .needs_rehash = !is_ours};
}

}  // namespace safawinet
