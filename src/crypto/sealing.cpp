#include "crypto/sealing.hpp"

#include <sodium.h>

#include <algorithm>
#include <string>
#include <utility>

#include "crypto/digest.hpp"
#include "crypto/sodium.hpp"

namespace safawinet {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t kFingerprintBytes = 4;
static_assert(MasterKey::kBytes == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
static_assert(MasterKey::kOverheadBytes == 1 + kNonceBytes + kTagBytes);

using Key = std::array<std::uint8_t, MasterKey::kBytes>;

// `family` keeps the keys that seal apart from those that are given away by derive().
Key derive_key(const Key& master, std::string_view family, std::string_view purpose) {
  std::string info("safawinet/");
  info.append(family).append("/1/").append(purpose);
  Bytes derived = hkdf_sha256(master, {}, as_bytes(info), MasterKey::kBytes);
  Key key;
  std::copy(derived.begin(), derived.end(), key.begin());
  wipe(derived);
  return key;
}

// Lives as long as one seal or open.
struct SealingKey {
  SealingKey(const Key& master, std::string_view purpose) : bytes(derive_key(master, "seal", purpose)) {}
  SealingKey(const SealingKey&) = delete;
  SealingKey& operator=(const SealingKey&) = delete;
  ~SealingKey() { wipe(bytes); }

  Key bytes;
};

std::string associated_data(std::string_view purpose) {
  std::string data(1, static_cast<char>(kVersion));
  data.append(purpose);
  return data;
}

}  // namespace

void wipe(std::span<std::uint8_t> bytes) noexcept { sodium_memzero(bytes.data(), bytes.size()); }

std::optional<MasterKey> MasterKey::parse(std::string_view base64) {
  prepare_sodium();
  auto bytes = from_base64(base64);
  if (!bytes) return std::nullopt;
  std::optional<MasterKey> key;
  if (bytes->size() == kBytes) {
    key = MasterKey();
    std::copy(bytes->begin(), bytes->end(), key->key_.begin());
  }
  wipe(*bytes);
  return key;
}

SecretText MasterKey::generate_text(Random& random) {
  Key bytes;
  random.fill(std::as_writable_bytes(std::span(bytes)));
  SecretText text(to_base64(bytes));
  wipe(bytes);
  return text;
}

MasterKey::MasterKey(MasterKey&& other) noexcept : key_(other.key_), others_(std::move(other.others_)) {
  wipe(other.key_);
}

MasterKey& MasterKey::operator=(MasterKey&& other) noexcept {
  if (this != &other) {
    key_ = other.key_;
    wipe(other.key_);
    others_ = std::move(other.others_);
  }
  return *this;
}

MasterKey::~MasterKey() { wipe(key_); }

Bytes MasterKey::seal(std::string_view purpose, ByteView plaintext) const {
  const SealingKey key(key_, purpose);
  const std::string associated = associated_data(purpose);
  Bytes sealed(plaintext.size() + kOverheadBytes);
  sealed[0] = kVersion;
  std::uint8_t* const nonce = sealed.data() + 1;
  randombytes_buf(nonce, kNonceBytes);
  crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + kNonceBytes, nullptr, plaintext.data(), plaintext.size(),
                                             as_bytes(associated).data(), associated.size(), nullptr, nonce,
                                             key.bytes.data());
  return sealed;
}

std::optional<Bytes> MasterKey::open(std::string_view purpose, ByteView sealed) const {
  auto opened = open_alone(purpose, sealed);
  for (auto other = others_.begin(); !opened && other != others_.end(); ++other) {
    opened = other->open_alone(purpose, sealed);
  }
  return opened;
}

bool MasterKey::opens_alone(std::string_view purpose, ByteView sealed) const {
  auto opened = open_alone(purpose, sealed);
  if (opened) wipe(*opened);
  return opened.has_value();
}

std::vector<std::string> MasterKey::fingerprints_of_others() const {
  std::vector<std::string> fingerprints;
  for (const auto& other : others_) fingerprints.push_back(other.fingerprint());
  return fingerprints;
}

std::string MasterKey::fingerprint() const {
  const auto derived = derive_key(key_, "fingerprint", "");
  return to_hex(ByteView(derived).first(kFingerprintBytes));
}

std::optional<Bytes> MasterKey::open_alone(std::string_view purpose, ByteView sealed) const {
  if (sealed.size() < kOverheadBytes || sealed[0] != kVersion) return std::nullopt;
  const SealingKey key(key_, purpose);
  const std::string associated = associated_data(purpose);
  const ByteView nonce = sealed.subspan(1, kNonceBytes);
  const ByteView ciphertext = sealed.subspan(1 + kNonceBytes);
  Bytes plaintext(ciphertext.size() - kTagBytes);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(plaintext.data(), nullptr, nullptr, ciphertext.data(),
                                                 ciphertext.size(), as_bytes(associated).data(), associated.size(),
                                                 nonce.data(), key.bytes.data()) != 0) {
    return std::nullopt;
  }
  return plaintext;
}

RootSecret RootSecret::generate(Random& random) {
  prepare_sodium();
  RootSecret secret;
  random.fill(std::as_writable_bytes(std::span(secret.secret_)));
  return secret;
}

RootSecret RootSecret::of(const MasterKey& master_key) {
  RootSecret secret;
  secret.secret_ = master_key.key_;
  return secret;
}

std::optional<RootSecret> RootSecret::from(ByteView bytes) {
  prepare_sodium();
  if (bytes.size() != MasterKey::kBytes) return std::nullopt;
  RootSecret secret;
  std::ranges::copy(bytes, secret.secret_.begin());
  return secret;
}

RootSecret::RootSecret(RootSecret&& other) noexcept : secret_(other.secret_) { wipe(other.secret_); }

RootSecret& RootSecret::operator=(RootSecret&& other) noexcept {
  if (this != &other) {
    secret_ = other.secret_;
    wipe(other.secret_);
  }
  return *this;
}

RootSecret::~RootSecret() { wipe(secret_); }

std::array<std::uint8_t, MasterKey::kBytes> RootSecret::derive(std::string_view purpose) const {
  return derive_key(secret_, "derive", purpose);
}

}  // namespace safawinet
