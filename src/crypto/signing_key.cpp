#include "crypto/signing_key.hpp"

#include <openssl/err.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <utility>

#include "crypto/jwk.hpp"
#include "crypto/openssl.hpp"
#include "crypto/sealing.hpp"
#include "crypto/sodium.hpp"

namespace safawinet {
namespace {

constexpr std::size_t kP256NumberBytes = 32;

constexpr const char* kDigest = "SHA256";  // of ES256 and RS256

std::string token_header(SigningAlgorithm algorithm, std::string_view id) {
  std::string header(R"({"alg":")");
  header.append(name_of(algorithm)).append(R"(","typ":"at+jwt","kid":")").append(id).append(R"("})");
  return to_base64url(as_bytes(header));
}

// JOSE wants r || s, each padded to 32 bytes; OpenSSL speaks the DER of RFC 3279 section 2.2.3.
Bytes jose_from_der(ByteView der) {
  const std::uint8_t* at = der.data();
  const openssl::EcdsaSignature pair(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  openssl::require(pair != nullptr, "d2i_ECDSA_SIG");
  Bytes jose(2 * kP256NumberBytes);
  constexpr int size = kP256NumberBytes;
  openssl::require(BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), jose.data(), size) == size &&
                       BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), jose.data() + size, size) == size,
                   "BN_bn2binpad");
  return jose;
}

// 64 bytes make at most 72 of DER: two integers of 33 bytes, three headers of two.
struct DerSignature {
  std::array<std::uint8_t, 72> bytes;
  std::size_t size;
};

DerSignature der_from_jose(ByteView jose) {
  const auto put_integer = [](std::uint8_t* at, ByteView number) {
    while (number.size() > 1 && number.front() == 0) number = number.subspan(1);
    const bool needs_sign_byte = number.front() >= 0x80;
    *at++ = 0x02;
    *at++ = static_cast<std::uint8_t>(number.size() + (needs_sign_byte ? 1 : 0));
    if (needs_sign_byte) *at++ = 0;
    return std::copy(number.begin(), number.end(), at);
  };
  DerSignature der{};
  std::uint8_t* at = der.bytes.data() + 2;
  at = put_integer(at, jose.first(kP256NumberBytes));
  at = put_integer(at, jose.subspan(kP256NumberBytes));
  der.size = static_cast<std::size_t>(at - der.bytes.data());
  der.bytes[0] = 0x30;
  der.bytes[1] = static_cast<std::uint8_t>(der.size - 2);
  return der;
}

std::array<std::uint8_t, 32> ed25519_public_key(const KeyHandle& handle) {
  std::array<std::uint8_t, 32> raw{};
  if (handle.algorithm != SigningAlgorithm::eddsa) return raw;
  prepare_sodium();
  std::size_t size = raw.size();
  openssl::require(EVP_PKEY_get_raw_public_key(handle.key.get(), raw.data(), &size) == 1 && size == raw.size(),
                   "EVP_PKEY_get_raw_public_key");
  return raw;
}

}  // namespace

// The seed and the public key, wiped with the last copy of the key.
struct SigningKey::Ed25519Secret {
  Ed25519Secret() = default;
  Ed25519Secret(const Ed25519Secret&) = delete;
  Ed25519Secret& operator=(const Ed25519Secret&) = delete;
  ~Ed25519Secret() { wipe(bytes); }

  std::array<std::uint8_t, crypto_sign_SECRETKEYBYTES> bytes{};
};

std::string_view name_of(SigningAlgorithm algorithm) {
  switch (algorithm) {
    case SigningAlgorithm::eddsa:
      return "EdDSA";
    case SigningAlgorithm::es256:
      return "ES256";
    case SigningAlgorithm::rs256:
      return "RS256";
  }
  return {};
}

std::optional<SigningAlgorithm> parse_signing_algorithm(std::string_view name) {
  for (const auto algorithm : {SigningAlgorithm::eddsa, SigningAlgorithm::es256, SigningAlgorithm::rs256}) {
    if (name == name_of(algorithm)) return algorithm;
  }
  return std::nullopt;
}

VerifyingKey::VerifyingKey(std::shared_ptr<const KeyHandle> handle) : handle_(std::move(handle)) {
  auto jwk = public_jwk(*handle_);
  auto id = jwk_thumbprint(jwk);
  jwk["alg"] = name_of(handle_->algorithm);
  jwk["use"] = "sig";
  jwk["kid"] = id;
  auto header = token_header(handle_->algorithm, id);
  facts_ = std::make_shared<const Facts>(Facts{.algorithm = handle_->algorithm,
                                               .ed25519 = ed25519_public_key(*handle_),
                                               .id = std::move(id),
                                               .jwk = std::move(jwk),
                                               .access_token_header = std::move(header)});
}

std::optional<VerifyingKey> VerifyingKey::from_jwk(const boost::json::object& jwk) {
  auto handle = key_from_jwk(jwk);
  if (!handle) return std::nullopt;
  VerifyingKey key(std::move(handle));
  for (const std::string_view name : {"alg", "use", "kid"}) {
    const auto* claimed = jwk.if_contains(name);
    if (claimed != nullptr && *claimed != key.jwk().at(name)) return std::nullopt;
  }
  if (const auto* uses = jwk.if_contains("key_ops")) {  // RFC 7517 section 4.3
    const auto* list = uses->if_array();
    if (list == nullptr || std::ranges::find(*list, boost::json::value("verify")) == list->end()) return std::nullopt;
  }
  return key;
}

bool VerifyingKey::verify(ByteView message, ByteView signature) const {
  if (algorithm() == SigningAlgorithm::eddsa) {
    return signature.size() == crypto_sign_BYTES &&
           crypto_sign_verify_detached(signature.data(), message.data(), message.size(), facts_->ed25519.data()) == 0;
  }
  DerSignature der;
  if (algorithm() == SigningAlgorithm::es256) {
    if (signature.size() != 2 * kP256NumberBytes) return false;
    der = der_from_jose(signature);
    signature = ByteView(der.bytes.data(), der.size);
  }
  const openssl::DigestContext context(EVP_MD_CTX_new());
  openssl::require(context && EVP_DigestVerifyInit_ex(context.get(), nullptr, kDigest, nullptr, nullptr,
                                                      handle_->key.get(), nullptr) == 1,
                   "EVP_DigestVerifyInit_ex");
  const bool is_valid =
      EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()) == 1;
  // A refused signature may leave an entry in this thread's error queue, where a later failure would report it as its
  // own.
  if (!is_valid) ERR_clear_error();
  return is_valid;
}

SigningKey::SigningKey(VerifyingKey public_half) : public_half_(std::move(public_half)) {
  if (algorithm() != SigningAlgorithm::eddsa) return;
  std::array<std::uint8_t, crypto_sign_SEEDBYTES> seed{};
  std::size_t size = seed.size();
  const auto* key = public_half_.handle_->key.get();
  const bool is_read = EVP_PKEY_get_raw_private_key(key, seed.data(), &size) == 1 && size == seed.size();
  std::array<std::uint8_t, crypto_sign_PUBLICKEYBYTES> public_key{};
  auto secret = std::make_shared<Ed25519Secret>();
  crypto_sign_seed_keypair(public_key.data(), secret->bytes.data(), seed.data());
  wipe(seed);
  openssl::require(is_read, "EVP_PKEY_get_raw_private_key");
  ed25519_secret_ = std::move(secret);
}

SigningKey SigningKey::generate(SigningAlgorithm algorithm) {
  return SigningKey(VerifyingKey(generate_key(algorithm)));
}

std::optional<SigningKey> SigningKey::from_pkcs8(ByteView der) {
  auto handle = key_from_pkcs8(der);
  if (!handle) return std::nullopt;
  return SigningKey(VerifyingKey(std::move(handle)));
}

Bytes SigningKey::pkcs8() const {
  const openssl::Pkcs8 info(EVP_PKEY2PKCS8(public_half_.handle_->key.get()));
  openssl::require(info != nullptr, "EVP_PKEY2PKCS8");
  const int size = i2d_PKCS8_PRIV_KEY_INFO(info.get(), nullptr);
  openssl::require(size > 0, "i2d_PKCS8_PRIV_KEY_INFO");
  Bytes der(static_cast<std::size_t>(size));
  std::uint8_t* at = der.data();
  openssl::require(i2d_PKCS8_PRIV_KEY_INFO(info.get(), &at) == size, "i2d_PKCS8_PRIV_KEY_INFO");
  return der;
}

Bytes SigningKey::sign(ByteView message) const {
  if (ed25519_secret_) {
    Bytes signature(crypto_sign_BYTES);
    crypto_sign_detached(signature.data(), nullptr, message.data(), message.size(), ed25519_secret_->bytes.data());
    return signature;
  }
  const KeyHandle& handle = *public_half_.handle_;
  const openssl::DigestContext context(EVP_MD_CTX_new());
  openssl::require(context && EVP_DigestSignInit_ex(context.get(), nullptr, kDigest, nullptr, nullptr, handle.key.get(),
                                                    nullptr) == 1,
                   "EVP_DigestSignInit_ex");
  Bytes signature(static_cast<std::size_t>(EVP_PKEY_get_size(handle.key.get())));
  std::size_t size = signature.size();
  openssl::require(EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) == 1,
                   "EVP_DigestSign");
  signature.resize(size);
  return handle.algorithm == SigningAlgorithm::es256 ? jose_from_der(signature) : signature;
}

}  // namespace safawinet
