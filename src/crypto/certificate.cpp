#include "crypto/certificate.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <ctime>

#include "crypto/openssl.hpp"

namespace safawinet {
namespace {

using Bio = openssl::Owned<BIO, BIO_free>;
using X509Certificate = openssl::Owned<X509, X509_free>;

std::optional<Time> time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
  return std::chrono::time_point_cast<Time::duration>(std::chrono::system_clock::from_time_t(timegm(&parts)));
}

}  // namespace

struct Certificate::Key {
  openssl::Key key;
};

std::expected<Certificate, std::string> Certificate::parse_pem(std::string_view pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  openssl::require(bio != nullptr, "BIO_new_mem_buf");
  const X509Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (certificate == nullptr) return std::unexpected("is no certificate in PEM");
  openssl::Key key(X509_get_pubkey(certificate.get()));
  ERR_clear_error();
  if (key == nullptr || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) return std::unexpected("has no RSA key");
  const auto not_before = time_of(X509_get0_notBefore(certificate.get()));
  const auto not_after = time_of(X509_get0_notAfter(certificate.get()));
  if (!not_before || !not_after) return std::unexpected("has no times of validity");
  Certificate parsed;
  parsed.rsa_bits_ = EVP_PKEY_get_bits(key.get());
  parsed.key_ = std::make_shared<const Key>(Key{std::move(key)});
  parsed.not_before_ = *not_before;
  parsed.not_after_ = *not_after;
  return parsed;
}

bool Certificate::verify(SignatureDigest digest, ByteView data, ByteView signature) const {
  const openssl::DigestContext context(EVP_MD_CTX_new());
  openssl::require(context != nullptr, "EVP_MD_CTX_new");
  const auto* const algorithm = digest == SignatureDigest::sha1 ? EVP_sha1() : EVP_sha256();
  openssl::require(EVP_DigestVerifyInit(context.get(), nullptr, algorithm, nullptr, key_->key.get()) == 1,
                   "EVP_DigestVerifyInit");
  const bool is_right =
      EVP_DigestVerify(context.get(), signature.data(), signature.size(), data.data(), data.size()) == 1;
  ERR_clear_error();
  return is_right;
}

}  // namespace safawinet
