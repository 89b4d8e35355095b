#include "crypto/digest.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include <stdexcept>

#include "crypto/openssl.hpp"

namespace safawinet {
namespace {

constexpr std::size_t kHkdfLimitBytes = 255 * kSha256Bytes;

// OpenSSL 3 looks an algorithm up by name under a lock at each use unless it was fetched before.
const EVP_MD* sha256_algorithm() {
  static const openssl::Digest algorithm(EVP_MD_fetch(nullptr, "SHA256", nullptr));
  openssl::require(algorithm != nullptr, "EVP_MD_fetch");
  return algorithm.get();
}

openssl::MacContext prepare_hmac(ByteView key) {
  static const openssl::Mac algorithm(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  openssl::require(algorithm != nullptr, "EVP_MAC_fetch");
  openssl::MacContext context(EVP_MAC_CTX_new(algorithm.get()));
  openssl::require(context != nullptr, "EVP_MAC_CTX_new");
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_end()};
  // A null key means "keep the former one", so an empty key still needs an address.
  const std::uint8_t nothing = 0;
  openssl::require(EVP_MAC_init(context.get(), key.empty() ? &nothing : key.data(), key.size(), parameters) == 1,
                   "EVP_MAC_init");
  return context;
}

Sha256 finish(EVP_MAC_CTX* context, ByteView data) {
  Sha256 mac;
  std::size_t length = 0;
  openssl::require(EVP_MAC_update(context, data.data(), data.size()) == 1 &&
                       EVP_MAC_final(context, mac.data(), &length, mac.size()) == 1 && length == mac.size(),
                   "EVP_MAC_final");
  return mac;
}

OSSL_PARAM octets(const char* name, ByteView bytes) {
  // OpenSSL only reads through this pointer; its type lacks the const. It takes only a non-null pointer, also to no
  // bytes.
  static constexpr std::uint8_t kNothing = 0;
  const auto* const data = bytes.empty() ? &kNothing : bytes.data();
  auto* const readable = const_cast<std::uint8_t*>(data);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  return OSSL_PARAM_construct_octet_string(name, readable, bytes.size());
}

}  // namespace

Sha256 sha256(ByteView data) {
  thread_local const openssl::DigestContext context(EVP_MD_CTX_new());
  Sha256 digest;
  openssl::require(context && EVP_DigestInit_ex2(context.get(), sha256_algorithm(), nullptr) == 1 &&
                       EVP_DigestUpdate(context.get(), data.data(), data.size()) == 1 &&
                       EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1,
                   "EVP_Digest");
  return digest;
}

Sha256 hmac_sha256(ByteView key, ByteView data) { return finish(prepare_hmac(key).get(), data); }

bool constant_time_equal(ByteView left, ByteView right) {
  return left.size() == right.size() && (left.empty() || CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0);
}

Bytes hkdf_sha256(ByteView secret, ByteView salt, ByteView info, std::size_t length) {
  if (length > kHkdfLimitBytes) throw std::invalid_argument("HKDF-SHA256 gives at most 8160 bytes");
  if (length == 0) return {};
  static const openssl::Kdf algorithm(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  openssl::require(algorithm != nullptr, "EVP_KDF_fetch");
  const openssl::KdfContext context(EVP_KDF_CTX_new(algorithm.get()));
  openssl::require(context != nullptr, "EVP_KDF_CTX_new");
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                                   octets(OSSL_KDF_PARAM_KEY, secret), octets(OSSL_KDF_PARAM_SALT, salt),
                                   octets(OSSL_KDF_PARAM_INFO, info), OSSL_PARAM_construct_end()};
  Bytes out(length);
  openssl::require(EVP_KDF_derive(context.get(), out.data(), out.size(), parameters) == 1, "EVP_KDF_derive");
  return out;
}

// EVP_MAC_CTX_free cleanses the key and both inner states.
struct MacKey::Prepared {
  openssl::MacContext context;
};

MacKey::MacKey(ByteView key) {
  if (key.size() != kBytes) throw std::invalid_argument("a MAC key has 32 bytes");
  prepared_ = std::make_shared<const Prepared>(prepare_hmac(key));
}

Sha256 MacKey::sign(ByteView data) const {
  // The prepared context is only read, so that threads need no lock; the copy is ours.
  const openssl::MacContext context(EVP_MAC_CTX_dup(prepared_->context.get()));
  openssl::require(context != nullptr, "EVP_MAC_CTX_dup");
  return finish(context.get(), data);
}

bool MacKey::verify(ByteView data, ByteView mac) const { return constant_time_equal(sign(data), mac); }

}  // namespace safawinet
