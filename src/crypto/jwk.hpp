// Inside src/crypto only: OpenSSL keys to and from JWK (RFC 7517, RFC 7518 section 6, RFC 8037) and PKCS#8.
#pragma once

#include <boost/json/object.hpp>

#include <memory>
#include <string>

#include "base/encoding.hpp"
#include "crypto/openssl.hpp"
#include "crypto/signing_key.hpp"

namespace safawinet {

// A key of one of our three kinds. Immutable once made, so that threads may share it.
struct KeyHandle {
  openssl::Key key;
  SigningAlgorithm algorithm;
};

std::shared_ptr<const KeyHandle> generate_key(SigningAlgorithm algorithm);

// Null for anything but an acceptable key; the contracts are those of VerifyingKey::from_jwk and
// SigningKey::from_pkcs8, but for `alg`, `use` and `kid`.
std::shared_ptr<const KeyHandle> key_from_jwk(const boost::json::object& jwk);
std::shared_ptr<const KeyHandle> key_from_pkcs8(ByteView der);

// The members that make the public key, in the order in which RFC 7638 section 3.3 hashes them.
boost::json::object public_jwk(const KeyHandle& handle);

// RFC 7638 over what public_jwk gives.
std::string jwk_thumbprint(const boost::json::object& public_members);

}  // namespace safawinet
