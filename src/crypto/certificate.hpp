// X.509 certificates of others (RFC 5280), for the signatures that they vouch for.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/encoding.hpp"

namespace safawinet {

enum class SignatureDigest { sha1, sha256 };

// One certificate with an RSA key. Immutable and cheap to copy. Threading: any thread.
class Certificate {
 public:
  // The first one in PEM. Errors: what is wrong with it, for the log.
  static std::expected<Certificate, std::string> parse_pem(std::string_view pem);

  [[nodiscard]] bool is_valid_at(Time now) const { return now >= not_before_ && now <= not_after_; }
  [[nodiscard]] int rsa_bits() const { return rsa_bits_; }
  // RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2).
  [[nodiscard]] bool verify(SignatureDigest digest, ByteView data, ByteView signature) const;

 private:
  struct Key;
  std::shared_ptr<const Key> key_;
  Time not_before_;
  Time not_after_;
  int rsa_bits_ = 0;
};

}  // namespace safawinet
