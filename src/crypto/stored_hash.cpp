#include "crypto/stored_hash.hpp"

#include <argon2.h>
#include <crypt.h>
#include <openssl/evp.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "crypto/digest.hpp"
#include "crypto/openssl.hpp"
#include "crypto/sealing.hpp"
#include "crypto/sodium.hpp"

namespace safawinet {
namespace {

using enum HashScheme;

// What each scheme may cost at most: a row that somebody tampered with, or imported, must not cost minutes. At its
// highest, a hash takes the stated time of one core (measured on a machine where ours takes 20 ms).
//
// clang-format off
constexpr auto kLimits = std::to_array<HashLimit>({
    {argon2,        "KiB of memory",                8,   262'144},
    {argon2,        "passes",                       1,        16},
    {argon2,        "lanes",                        1,        16},
    {argon2,        "KiB of memory times passes",   8, 2'097'152},  // 2 s
    {bcrypt,        "as its cost",                  4,        15},  // 2 s
    {scrypt,        "KiB of memory",                0,   262'144},
    {scrypt,        "KiB of memory times p",        0,   524'288},  // 2 s
    {pbkdf2_sha1,   "iterations",                   1, 2'000'000},  // 0.6 s
    {pbkdf2_sha256, "iterations",                   1, 2'000'000},  // 0.6 s
    {pbkdf2_sha512, "iterations",                   1, 2'000'000},  // 1.4 s
    {sha256_crypt,  "rounds",                   1'000, 1'000'000},  // 0.3 s; with a password of 511 bytes ten times that
    {sha512_crypt,  "rounds",                   1'000, 1'000'000},  // 0.4 s; the same
    {yescrypt,      "KiB of memory",                0,   262'144},  // 0.5 s
});
// clang-format on

constexpr std::size_t kTextLimitBytes = 1024;
constexpr std::size_t kSaltLimitBytes = 128;
constexpr std::size_t kLeastHashBytes = 16;
constexpr std::size_t kHashLimitBytes = 64;
constexpr std::size_t kLeastArgon2SaltBytes = 8;  // RFC 9106 section 3.1
constexpr std::uint32_t kMemoryPerLaneKib = 8;    // the same: at least 8 blocks of 1 KiB for each lane
constexpr std::size_t kBcryptPasswordBytes = 72;

constexpr std::string_view kCryptAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

using Fault = StoredHashFault;

Fault malformed(HashScheme scheme) {
  return {.code = "malformed", .detail = "is no well-formed " + std::string(name_of(scheme)) + " hash"};
}

std::optional<Fault> beyond_limit(HashScheme scheme, std::string_view parameter, std::uint64_t value) {
  const auto limit = std::ranges::find_if(
      kLimits, [&](const HashLimit& one) { return one.scheme == scheme && one.parameter == parameter; });
  if (value >= limit->least && value <= limit->most) return std::nullopt;
  if (value < limit->least) return malformed(scheme);
  return Fault{.code = "too-costly",
               .detail = "asks for more than " + std::to_string(limit->most) + " " + std::string(parameter) +
                         ", the most that is computed for " + std::string(name_of(scheme))};
}

// ---- reading

bool take(std::string_view& text, std::string_view expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(expected.size());
  return true;
}

// A decimal number in its one spelling. What is too large for the type is its largest value: too costly everywhere.
bool take(std::string_view& text, std::uint32_t& number) {
  if (text.empty() || text.front() == '0') return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::invalid_argument) return false;
  if (error == std::errc::result_out_of_range) number = UINT32_MAX;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

// Up to the next "$", which is taken too.
std::optional<std::string_view> take_field(std::string_view& text) {
  const auto end = text.find('$');
  if (end == std::string_view::npos) return std::nullopt;
  const auto field = text.substr(0, end);
  text.remove_prefix(end + 1);
  return field;
}

bool is_of_crypt_alphabet(std::string_view text) {
  return text.find_first_not_of(kCryptAlphabet) == std::string_view::npos;
}

std::optional<Bytes> from_base64_without_padding(std::string_view text) {
  if (text.ends_with('=')) return std::nullopt;
  std::string padded(text);
  padded.append((4 - padded.size() % 4) % 4, '=');
  return from_base64(padded);
}

// passlib writes "." for "+".
std::optional<Bytes> from_adapted_base64(std::string_view text) {
  std::string ordinary(text);
  std::ranges::replace(ordinary, '.', '+');
  return from_base64_without_padding(ordinary);
}

// The last two fields of most spellings. False unless both are of a sensible length.
bool take_salt_and_hash(std::string_view text, std::optional<Bytes> (*decode)(std::string_view), Bytes& salt,
                        Bytes& hash) {
  const auto salt_text = take_field(text);
  if (!salt_text) return false;
  auto salt_bytes = decode(*salt_text);
  auto hash_bytes = decode(text);
  if (!salt_bytes || !hash_bytes || salt_bytes->empty() || salt_bytes->size() > kSaltLimitBytes ||
      hash_bytes->size() < kLeastHashBytes || hash_bytes->size() > kHashLimitBytes) {
    return false;
  }
  salt = *std::move(salt_bytes);
  hash = *std::move(hash_bytes);
  return true;
}

using Argon2 = StoredHash::Argon2;
using Scrypt = StoredHash::Scrypt;
using Pbkdf2 = StoredHash::Pbkdf2;
using Crypt = StoredHash::Crypt;
template <class T>
using Reading = std::expected<T, Fault>;

// Behind "$argon2id$" or "$argon2i$".
Reading<Argon2> read_argon2(std::string_view rest, bool is_argon2id) {
  Argon2 read{.is_argon2id = is_argon2id, .version = ARGON2_VERSION_10, .salt = {}, .hash = {}};
  if (take(rest, "v=19$")) {
    read.version = ARGON2_VERSION_13;
  } else {
    take(rest, "v=16$");  // what an absent version means
  }
  if (!take(rest, "m=") || !take(rest, read.memory_kib) || !take(rest, ",t=") || !take(rest, read.passes) ||
      !take(rest, ",p=") || !take(rest, read.lanes) || !take(rest, "$")) {
    return std::unexpected(malformed(argon2));
  }
  const auto product = std::uint64_t{read.memory_kib} * read.passes;
  const std::array<std::pair<std::string_view, std::uint64_t>, 4> asked{{{"KiB of memory", read.memory_kib},
                                                                         {"passes", read.passes},
                                                                         {"lanes", read.lanes},
                                                                         {"KiB of memory times passes", product}}};
  for (const auto& [parameter, value] : asked) {
    if (auto fault = beyond_limit(argon2, parameter, value)) return std::unexpected(*std::move(fault));
  }
  if (read.memory_kib < kMemoryPerLaneKib * read.lanes ||
      !take_salt_and_hash(rest, from_base64_without_padding, read.salt, read.hash) ||
      read.salt.size() < kLeastArgon2SaltBytes) {
    return std::unexpected(malformed(argon2));
  }
  return read;
}

// RFC 7914 section 2: N is below 2^(128 r / 8). Others cannot have been computed.
bool can_be_scrypt(std::uint32_t log_n, std::uint32_t r) { return r >= 4 || log_n < 16 * r; }

std::optional<Fault> beyond_scrypt_limits(std::uint64_t n, std::uint64_t r, std::uint64_t p) {
  // Each below 2^32, and n at most 2^31 (read_scrypt): 128 n r does not overflow before r is known to be small.
  if (r > UINT16_MAX || p > UINT16_MAX) return beyond_limit(scrypt, "KiB of memory", UINT64_MAX);
  const auto memory_kib = n * r / 8;
  if (auto fault = beyond_limit(scrypt, "KiB of memory", memory_kib)) return fault;
  return beyond_limit(scrypt, "KiB of memory times p", memory_kib * p);
}

// Behind "$scrypt$".
Reading<Scrypt> read_scrypt(std::string_view rest) {
  std::uint32_t log_n = 0;
  std::uint32_t r = 0;
  std::uint32_t p = 0;
  if (!take(rest, "ln=") || !take(rest, log_n) || !take(rest, ",r=") || !take(rest, r) || !take(rest, ",p=") ||
      !take(rest, p) || !take(rest, "$")) {
    return std::unexpected(malformed(scrypt));
  }
  Scrypt read{.n = std::uint64_t{1} << std::min(log_n, 31U), .r = r, .p = p, .salt = {}, .hash = {}};
  if (auto fault = beyond_scrypt_limits(read.n, read.r, read.p)) return std::unexpected(*std::move(fault));
  if (!can_be_scrypt(log_n, r)) return std::unexpected(malformed(scrypt));
  // A shorter hash is the beginning of a longer one: of another length, something was cut off.
  if (!take_salt_and_hash(rest, from_base64_without_padding, read.salt, read.hash) ||
      (read.hash.size() != 32 && read.hash.size() != 64)) {
    return std::unexpected(malformed(scrypt));
  }
  return read;
}

// Six bits for each character, the lowest first; `text` is of crypt(3)'s alphabet.
std::uint64_t crypt_number(std::string_view text) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < text.size(); ++i) number |= std::uint64_t{kCryptAlphabet.find(text[i])} << (6 * i);
  return number;
}

// Behind "$7$": one character for log2 of n, five for r, five for p, the salt, the hash.
Reading<Crypt> read_crypt_scrypt(std::string_view rest) {
  constexpr std::size_t parameters = 11;
  const auto setting = take_field(rest);
  if (!setting || setting->size() <= parameters || setting->size() > parameters + kSaltLimitBytes ||
      !is_of_crypt_alphabet(*setting) || rest.size() != 43 || !is_of_crypt_alphabet(rest)) {
    return std::unexpected(malformed(scrypt));
  }
  const auto n = std::uint64_t{1} << std::min(crypt_number(setting->substr(0, 1)), std::uint64_t{31});
  const auto r = crypt_number(setting->substr(1, 5));
  const auto p = crypt_number(setting->substr(6, 5));
  if (r == 0 || p == 0) return std::unexpected(malformed(scrypt));
  if (auto fault = beyond_scrypt_limits(n, r, p)) return std::unexpected(*std::move(fault));
  return Crypt{.scheme = scrypt, .hash_characters = rest.size()};
}

std::optional<Fault> beyond_pbkdf2_limit(const Pbkdf2& read) {
  return beyond_limit(read.scheme, "iterations", read.iterations);
}

std::size_t digest_bytes(HashScheme scheme) {
  if (scheme == pbkdf2_sha1) return 20;
  return scheme == pbkdf2_sha256 ? 32 : 64;
}

// Behind "$pbkdf2-sha256$": passlib's or PHC's.
Reading<Pbkdf2> read_pbkdf2(std::string_view rest, HashScheme scheme) {
  Pbkdf2 read{.scheme = scheme, .salt = {}, .hash = {}};
  const bool is_phc = take(rest, "i=");
  std::uint32_t length = 0;
  if (!take(rest, read.iterations) || (is_phc && take(rest, ",l=") && !take(rest, length)) || !take(rest, "$")) {
    return std::unexpected(malformed(scheme));
  }
  if (auto fault = beyond_pbkdf2_limit(read)) return std::unexpected(*std::move(fault));
  // A longer hash would cost as often again, and adds nothing; a shorter one says so, or something was cut off.
  if (!take_salt_and_hash(rest, is_phc ? from_base64_without_padding : from_adapted_base64, read.salt, read.hash) ||
      read.hash.size() > digest_bytes(scheme) ||
      read.hash.size() != (length != 0 ? std::size_t{length} : digest_bytes(scheme))) {
    return std::unexpected(malformed(scheme));
  }
  return read;
}

// Behind "pbkdf2_sha256$": the salt is text.
Reading<Pbkdf2> read_django_pbkdf2(std::string_view rest, HashScheme scheme) {
  Pbkdf2 read{.scheme = scheme, .salt = {}, .hash = {}};
  if (!take(rest, read.iterations) || !take(rest, "$")) return std::unexpected(malformed(scheme));
  if (auto fault = beyond_pbkdf2_limit(read)) return std::unexpected(*std::move(fault));
  const auto salt = take_field(rest);
  auto hash = from_base64(rest);
  if (!salt || salt->empty() || salt->size() > kSaltLimitBytes || !hash || hash->size() != digest_bytes(scheme)) {
    return std::unexpected(malformed(scheme));
  }
  const auto bytes = as_bytes(*salt);
  read.salt.assign(bytes.begin(), bytes.end());
  read.hash = *std::move(hash);
  return read;
}

// Behind "$2b$".
Reading<Crypt> read_bcrypt(std::string_view rest) {
  constexpr std::size_t salt_characters = 22;
  constexpr std::size_t hash_characters = 31;
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (rest.size() != 3 + salt_characters + hash_characters || !digit(rest[0]) || !digit(rest[1]) || rest[2] != '$' ||
      !is_of_crypt_alphabet(rest.substr(3))) {
    return std::unexpected(malformed(bcrypt));
  }
  const auto value_of = [](char c) { return static_cast<std::uint64_t>(c - '0'); };
  const auto cost = value_of(rest[0]) * 10 + value_of(rest[1]);
  if (auto fault = beyond_limit(bcrypt, "as its cost", cost)) return std::unexpected(*std::move(fault));
  return Crypt{.scheme = bcrypt, .hash_characters = hash_characters};
}

// Behind "$5$" or "$6$".
Reading<Crypt> read_sha_crypt(std::string_view rest, HashScheme scheme) {
  constexpr std::size_t salt_limit = 16;
  std::uint32_t rounds = 5000;  // what absent ones mean
  if (take(rest, "rounds=") && (!take(rest, rounds) || !take(rest, "$"))) return std::unexpected(malformed(scheme));
  if (auto fault = beyond_limit(scheme, "rounds", rounds)) return std::unexpected(*std::move(fault));
  const auto salt = take_field(rest);
  const std::size_t hash_characters = scheme == sha256_crypt ? 43 : 86;
  if (!salt || salt->empty() || salt->size() > salt_limit || !is_of_crypt_alphabet(*salt) ||
      rest.size() != hash_characters || !is_of_crypt_alphabet(rest)) {
    return std::unexpected(malformed(scheme));
  }
  return Crypt{.scheme = scheme, .hash_characters = hash_characters};
}

// Behind "$y$": the flavour that crypt(3) makes ("j"), log2 of the blocks less one, and 8 or 32 blocks of 128 bytes.
Reading<Crypt> read_yescrypt(std::string_view rest) {
  const auto parameters = take_field(rest);
  const auto salt = take_field(rest);
  if (!parameters || !salt || parameters->size() != 3 || parameters->front() != 'j' ||
      !is_of_crypt_alphabet(*parameters) || (parameters->back() != '5' && parameters->back() != 'T') || salt->empty() ||
      salt->size() > kSaltLimitBytes || !is_of_crypt_alphabet(*salt) || rest.size() != 43 ||
      !is_of_crypt_alphabet(rest)) {
    return std::unexpected(malformed(yescrypt));
  }
  const auto n = std::uint64_t{1} << std::min(crypt_number(parameters->substr(1, 1)) + 1, std::uint64_t{31});
  const std::uint64_t r = parameters->back() == '5' ? 8 : 32;
  if (auto fault = beyond_limit(yescrypt, "KiB of memory", n * r / 8)) return std::unexpected(*std::move(fault));
  return Crypt{.scheme = yescrypt, .hash_characters = rest.size()};
}

// ---- computing

bool is_correct(const Argon2& stored, const std::string& text, std::string_view password) {
  // Ours, and what is of its kind: by the library that makes ours, so that a dummy costs the same.
  if (stored.is_argon2id && stored.version == ARGON2_VERSION_13) {
    prepare_sodium();
    errno = 0;
    if (crypto_pwhash_str_verify(text.c_str(), password.data(), password.size()) == 0) return true;
    // libsodium says EINVAL for a wrong password, and leaves what the allocation said otherwise.
    if (errno == ENOMEM) throw Unavailable("no memory for a password hash");
    return false;
  }
  Bytes computed(stored.hash.size());
  argon2_context context{};
  context.out = computed.data();
  context.outlen = static_cast<std::uint32_t>(computed.size());
  // The library wants pointers to what may change. Nothing does: no flag asks for the password to be wiped.
  context.pwd = reinterpret_cast<std::uint8_t*>(const_cast<char*>(password.data()));  // NOLINT
  context.pwdlen = static_cast<std::uint32_t>(password.size());
  context.salt = const_cast<std::uint8_t*>(stored.salt.data());  // NOLINT
  context.saltlen = static_cast<std::uint32_t>(stored.salt.size());
  context.t_cost = stored.passes;
  context.m_cost = stored.memory_kib;
  context.lanes = stored.lanes;
  context.threads = 1;  // of the hashing pool, which counts its threads itself
  context.version = stored.version;
  const auto outcome = argon2_ctx(&context, stored.is_argon2id ? Argon2_id : Argon2_i);
  if (outcome == ARGON2_MEMORY_ALLOCATION_ERROR) throw Unavailable("no memory for a password hash");
  return outcome == ARGON2_OK && constant_time_equal(computed, stored.hash);
}

bool is_correct(const Scrypt& stored, const std::string&, std::string_view password) {
  constexpr std::uint64_t memory_limit = std::uint64_t{512} << 20;  // above what the table lets through
  Bytes computed(stored.hash.size());
  const int outcome = EVP_PBE_scrypt(password.data(), password.size(), stored.salt.data(), stored.salt.size(), stored.n,
                                     stored.r, stored.p, memory_limit, computed.data(), computed.size());
  if (outcome != 1) throw Unavailable("no memory for a password hash");
  return constant_time_equal(computed, stored.hash);
}

bool is_correct(const Pbkdf2& stored, const std::string&, std::string_view password) {
  const EVP_MD* const digest = stored.scheme == pbkdf2_sha1     ? EVP_sha1()
                               : stored.scheme == pbkdf2_sha256 ? EVP_sha256()
                                                                : EVP_sha512();
  Bytes computed(stored.hash.size());
  openssl::require(PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), stored.salt.data(),
                                     static_cast<int>(stored.salt.size()), static_cast<int>(stored.iterations), digest,
                                     static_cast<int>(computed.size()), computed.data()) == 1,
                   "PBKDF2");
  return constant_time_equal(computed, stored.hash);
}

bool is_correct(const Crypt& stored, const std::string& text, std::string_view password) {
  if (password.find('\0') != std::string_view::npos) return false;
  if (stored.scheme == bcrypt) password = password.substr(0, kBcryptPasswordBytes);
  // crypt(3) wants an end, and keeps what it computes from the password in its own buffer.
  struct Wiped {
    crypt_data data{};
    std::string password;
    ~Wiped() {
      wipe({reinterpret_cast<std::uint8_t*>(&data), sizeof data});
      wipe({reinterpret_cast<std::uint8_t*>(password.data()), password.size()});
    }
  };
  const auto wiped = std::make_unique<Wiped>();
  wiped->password.assign(password);
  errno = 0;
  const char* const outcome = crypt_r(wiped->password.c_str(), text.c_str(), &wiped->data);
  if (errno == ENOMEM) throw Unavailable("no memory for a password hash");
  if (outcome == nullptr) return false;
  const std::string_view computed(outcome);
  // The hash alone: some libraries set bits of bcrypt's salt that mean nothing, and crypt(3) clears them.
  if (computed.size() != text.size()) return false;
  const auto hash_of = [&](std::string_view whole) {
    return as_bytes(whole.substr(whole.size() - stored.hash_characters));
  };
  return constant_time_equal(hash_of(computed), hash_of(text));
}

}  // namespace

std::string_view name_of(HashScheme scheme) {
  switch (scheme) {
    case argon2:
      return "argon2";
    case bcrypt:
      return "bcrypt";
    case scrypt:
      return "scrypt";
    case pbkdf2_sha1:
      return "PBKDF2-SHA1";
    case pbkdf2_sha256:
      return "PBKDF2-SHA256";
    case pbkdf2_sha512:
      return "PBKDF2-SHA512";
    case sha256_crypt:
      return "sha256-crypt";
    case sha512_crypt:
      return "sha512-crypt";
    case yescrypt:
      return "yescrypt";
  }
  std::unreachable();
}

std::span<const HashLimit> hash_limits() { return kLimits; }

std::expected<StoredHash, StoredHashFault> StoredHash::read(std::string_view text) {
  if (text.size() > kTextLimitBytes || text.find('\0') != std::string_view::npos) {
    return std::unexpected(Fault{.code = "malformed", .detail = "is no password hash"});
  }
  const auto made_of = [text](auto reading) -> std::expected<StoredHash, StoredHashFault> {
    if (!reading) return std::unexpected(std::move(reading.error()));
    return StoredHash(text, *std::move(reading));
  };
  auto rest = text;
  if (take(rest, "$argon2id$")) return made_of(read_argon2(rest, true));
  if (take(rest, "$argon2i$")) return made_of(read_argon2(rest, false));
  if (take(rest, "$2b$") || take(rest, "$2a$") || take(rest, "$2y$")) return made_of(read_bcrypt(rest));
  if (take(rest, "$scrypt$")) return made_of(read_scrypt(rest));
  if (take(rest, "$7$")) return made_of(read_crypt_scrypt(rest));
  if (take(rest, "$pbkdf2$")) return made_of(read_pbkdf2(rest, pbkdf2_sha1));
  if (take(rest, "$pbkdf2-sha1$")) return made_of(read_pbkdf2(rest, pbkdf2_sha1));
  if (take(rest, "$pbkdf2-sha256$")) return made_of(read_pbkdf2(rest, pbkdf2_sha256));
  if (take(rest, "$pbkdf2-sha512$")) return made_of(read_pbkdf2(rest, pbkdf2_sha512));
  if (take(rest, "pbkdf2_sha1$")) return made_of(read_django_pbkdf2(rest, pbkdf2_sha1));
  if (take(rest, "pbkdf2_sha256$")) return made_of(read_django_pbkdf2(rest, pbkdf2_sha256));
  if (take(rest, "pbkdf2_sha512$")) return made_of(read_django_pbkdf2(rest, pbkdf2_sha512));
  if (take(rest, "$5$")) return made_of(read_sha_crypt(rest, sha256_crypt));
  if (take(rest, "$6$")) return made_of(read_sha_crypt(rest, sha512_crypt));
  if (take(rest, "$y$")) return made_of(read_yescrypt(rest));
  return std::unexpected(
      Fault{.code = "unknown-scheme",
            .detail = "is none of argon2id, argon2i, bcrypt, scrypt, PBKDF2, sha-crypt and yescrypt as they are spelt "
                      "by PHC, crypt(3), passlib or (PBKDF2) Django"});
}

bool StoredHash::matches(std::string_view password) const {
  return std::visit([&](const auto& parameters) { return is_correct(parameters, text_, password); }, parameters_);
}

bool StoredHash::is_of_cost(std::uint32_t memory_kib, std::uint32_t passes) const {
  const auto* const read = std::get_if<Argon2>(&parameters_);
  return read != nullptr && read->is_argon2id && read->version == ARGON2_VERSION_13 && read->memory_kib == memory_kib &&
         read->passes == passes && read->lanes == 1;
}

}  // namespace safawinet
