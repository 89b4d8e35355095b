// Keys that sign access tokens, and their public halves: EdDSA with Ed25519 (RFC 8037), ES256 (RFC 7518 section 3.4)
// and RS256 (section 3.3). Signatures are in the JOSE form: 64 bytes for EdDSA, r || s (64 bytes) for ES256, the
// modulus' size for RS256.
//
// EdDSA is signed and verified by libsodium, which takes 0.6 of OpenSSL's time for the same signatures; the others by
// OpenSSL, which also reads and writes the keys of all.
//
// Threading: keys are immutable; sign and verify may run in any number of threads at once. Copies are cheap and share
// the underlying key, which is wiped with the last of them.
#pragma once

#include <boost/json/object.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/encoding.hpp"

namespace safawinet {

enum class SigningAlgorithm { eddsa, es256, rs256 };

// "EdDSA", "ES256", "RS256": the values of `alg` (RFC 7518 section 3.1, RFC 8037 section 3.1). Case matters.
std::string_view name_of(SigningAlgorithm algorithm);
std::optional<SigningAlgorithm> parse_signing_algorithm(std::string_view name);

// OpenSSL's key, shared by its copies (an EVP_PKEY; other modules have no business with it).
struct KeyHandle;

class VerifyingKey {
 public:
  // A public key as JWK (RFC 7517), Ed25519, P-256 or RSA of 2048 to 4096 bits. None if a member is missing, of the
  // wrong type or size, not canonical base64url, if the point is not on its curve, if `alg`, `use`, `kid` or `key_ops`
  // contradict the key, or if private members are present. Unknown members are ignored, as RFC 7517 section 4 asks.
  static std::optional<VerifyingKey> from_jwk(const boost::json::object& jwk);

  [[nodiscard]] SigningAlgorithm algorithm() const { return facts_->algorithm; }
  // The JWK thumbprint (RFC 7638) in base64url, 43 characters: the same key has the same id wherever it is computed.
  [[nodiscard]] const std::string& id() const { return facts_->id; }
  // kty, crv, x, y (or n, e), alg, use "sig" and kid, for the JWKS. Holds nothing secret.
  [[nodiscard]] const boost::json::object& jwk() const { return facts_->jwk; }
  // The first part of every access token that this key signs: the header {"alg","typ":"at+jwt","kid"} in base64url.
  [[nodiscard]] const std::string& access_token_header() const { return facts_->access_token_header; }

  [[nodiscard]] bool verify(ByteView message, ByteView signature) const;

 private:
  friend class SigningKey;
  struct Facts {
    SigningAlgorithm algorithm;
    std::array<std::uint8_t, 32> ed25519{};  // the public key, of EdDSA
    std::string id;
    boost::json::object jwk;
    std::string access_token_header;
  };
  explicit VerifyingKey(std::shared_ptr<const KeyHandle> handle);

  std::shared_ptr<const KeyHandle> handle_;
  std::shared_ptr<const Facts> facts_;
};

class SigningKey {
 public:
  // A new key from OpenSSL's random source. RSA has 2048 bits and takes up to a second; the others take microseconds.
  static SigningKey generate(SigningAlgorithm algorithm);

  // What pkcs8() gave, or any unencrypted PKCS#8 (RFC 5958) DER of an Ed25519, P-256 or RSA (2048 to 4096 bits) key.
  // None if it is not that, or if something follows it.
  static std::optional<SigningKey> from_pkcs8(ByteView der);

  // The private key in the clear: seal it, then wipe it.
  [[nodiscard]] Bytes pkcs8() const;

  [[nodiscard]] SigningAlgorithm algorithm() const { return public_half_.algorithm(); }
  [[nodiscard]] const std::string& id() const { return public_half_.id(); }
  [[nodiscard]] const VerifyingKey& verifying_key() const { return public_half_; }

  // EdDSA and RS256 give the same signature for the same message; ES256 does not. Throws openssl::Failure if it cannot
  // sign.
  [[nodiscard]] Bytes sign(ByteView message) const;

 private:
  explicit SigningKey(VerifyingKey public_half);

  struct Ed25519Secret;

  VerifyingKey public_half_;                             // its handle holds the private part too
  std::shared_ptr<const Ed25519Secret> ed25519_secret_;  // of EdDSA, as libsodium wants it
};

}  // namespace safawinet
