#include "crypto/jwk.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include <boost/json/serialize.hpp>

#include <array>
#include <optional>
#include <string_view>

#include "crypto/digest.hpp"

namespace safawinet {
namespace {

constexpr std::size_t kNumberBytes = 32;  // of Ed25519 and P-256 alike
constexpr int kRsaBits = 2048;
constexpr int kRsaLimitBits = 4096;
constexpr std::size_t kRsaLimitBytes = kRsaLimitBits / 8;
constexpr const char* kP256 = "prime256v1";

std::shared_ptr<const KeyHandle> accept(openssl::Key key, SigningAlgorithm algorithm) {
  return std::make_shared<const KeyHandle>(KeyHandle{.key = std::move(key), .algorithm = algorithm});
}

// What failed was somebody's input: nothing of it may stay in this thread's error queue.
std::shared_ptr<const KeyHandle> decline() {
  ERR_clear_error();
  return nullptr;
}

std::string number_text(const EVP_PKEY* key, const char* name, std::size_t fixed_bytes = 0) {
  BIGNUM* raw = nullptr;
  openssl::require(EVP_PKEY_get_bn_param(key, name, &raw) == 1, "EVP_PKEY_get_bn_param");
  const openssl::Number number(raw);
  Bytes bytes(fixed_bytes != 0 ? fixed_bytes : static_cast<std::size_t>(BN_num_bytes(raw)));
  const int size = static_cast<int>(bytes.size());
  openssl::require(BN_bn2binpad(raw, bytes.data(), size) == size, "BN_bn2binpad");
  return to_base64url(bytes);
}

bool is_text(const boost::json::object& object, std::string_view name, std::string_view expected) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() && value->get_string() == expected;
}

std::optional<Bytes> octets_of(const boost::json::object& jwk, std::string_view name) {
  const auto* value = jwk.if_contains(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return from_base64url(std::string_view(value->get_string()));
}

// RFC 7518 section 6.3.1: the unsigned number in as few bytes as hold it.
bool is_minimal(const Bytes& number) { return !number.empty() && number.front() != 0; }

openssl::Key from_parameters(const char* type, OSSL_PARAM* parameters) {
  const openssl::KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  openssl::require(context && EVP_PKEY_fromdata_init(context.get()) == 1, "EVP_PKEY_fromdata_init");
  EVP_PKEY* key = nullptr;
  if (EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) return nullptr;
  return openssl::Key(key);
}

bool is_public_key_sound(EVP_PKEY* key) {
  const openssl::KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  return context && EVP_PKEY_public_check(context.get()) == 1;
}

openssl::Key ed25519_from(const boost::json::object& jwk) {
  const auto x = octets_of(jwk, "x");
  if (!is_text(jwk, "crv", "Ed25519") || !x || x->size() != kNumberBytes) return nullptr;
  return openssl::Key(EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, x->data(), x->size()));
}

openssl::Key p256_from(const boost::json::object& jwk) {
  const auto x = octets_of(jwk, "x");
  const auto y = octets_of(jwk, "y");
  if (!is_text(jwk, "crv", "P-256") || !x || !y || x->size() != kNumberBytes || y->size() != kNumberBytes)
    return nullptr;
  Bytes point{0x04};  // uncompressed (SEC 1 section 2.3.3)
  point.insert(point.end(), x->begin(), x->end());
  point.insert(point.end(), y->begin(), y->end());
  char curve[] = "prime256v1";
  OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0),
                             OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
                             OSSL_PARAM_construct_end()};
  auto key = from_parameters("EC", parameters);
  return key && is_public_key_sound(key.get()) ? std::move(key) : nullptr;
}

// Size and exponent, whatever the key came from. An even or tiny exponent makes signatures worthless.
bool is_rsa_acceptable(const EVP_PKEY* key) {
  const int bits = EVP_PKEY_get_bits(key);
  if (bits < kRsaBits || bits > kRsaLimitBits) return false;
  BIGNUM* raw = nullptr;
  if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &raw) != 1) return false;
  const openssl::Number exponent(raw);
  return BN_is_odd(raw) && !BN_is_one(raw) && BN_num_bits(raw) <= 64;
}

openssl::Key rsa_from(const boost::json::object& jwk) {
  const auto n = octets_of(jwk, "n");
  const auto e = octets_of(jwk, "e");
  if (!n || !e || !is_minimal(*n) || !is_minimal(*e) || n->size() > kRsaLimitBytes || e->size() > 8) return nullptr;
  const openssl::Number modulus(BN_bin2bn(n->data(), static_cast<int>(n->size()), nullptr));
  const openssl::Number exponent(BN_bin2bn(e->data(), static_cast<int>(e->size()), nullptr));
  const openssl::ParameterBuilder builder(OSSL_PARAM_BLD_new());
  openssl::require(modulus && exponent && builder &&
                       OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) == 1 &&
                       OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) == 1,
                   "OSSL_PARAM_BLD_push_BN");
  const openssl::Parameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  openssl::require(parameters != nullptr, "OSSL_PARAM_BLD_to_param");
  auto key = from_parameters("RSA", parameters.get());
  return key && is_rsa_acceptable(key.get()) ? std::move(key) : nullptr;
}

std::optional<SigningAlgorithm> algorithm_of(const EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "ED25519") == 1) return SigningAlgorithm::eddsa;
  if (EVP_PKEY_is_a(key, "EC") == 1) {
    std::array<char, 32> curve{};
    if (EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, curve.data(), curve.size(), nullptr) != 1 ||
        std::string_view(curve.data()) != kP256) {
      return std::nullopt;
    }
    return SigningAlgorithm::es256;
  }
  if (EVP_PKEY_is_a(key, "RSA") == 1 && is_rsa_acceptable(key)) return SigningAlgorithm::rs256;
  return std::nullopt;
}

}  // namespace

std::shared_ptr<const KeyHandle> generate_key(SigningAlgorithm algorithm) {
  openssl::Key key;
  switch (algorithm) {
    case SigningAlgorithm::eddsa:
      key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
      break;
    case SigningAlgorithm::es256:
      key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", kP256));
      break;
    case SigningAlgorithm::rs256:
      key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<std::size_t>(kRsaBits)));
      break;
  }
  openssl::require(key != nullptr, "EVP_PKEY_Q_keygen");
  return accept(std::move(key), algorithm);
}

std::shared_ptr<const KeyHandle> key_from_jwk(const boost::json::object& jwk) {
  // Private or symmetric material where a public key belongs means that somebody published a secret: refuse to go
  // along.
  for (const std::string_view name : {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}) {
    if (jwk.contains(name)) return nullptr;
  }
  openssl::Key key;
  SigningAlgorithm algorithm{};
  if (is_text(jwk, "kty", "OKP")) {
    algorithm = SigningAlgorithm::eddsa;
    key = ed25519_from(jwk);
  } else if (is_text(jwk, "kty", "EC")) {
    algorithm = SigningAlgorithm::es256;
    key = p256_from(jwk);
  } else if (is_text(jwk, "kty", "RSA")) {
    algorithm = SigningAlgorithm::rs256;
    key = rsa_from(jwk);
  }
  return key ? accept(std::move(key), algorithm) : decline();
}

std::shared_ptr<const KeyHandle> key_from_pkcs8(ByteView der) {
  const std::uint8_t* at = der.data();
  const openssl::Pkcs8 info(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(der.size())));
  if (!info || at != der.data() + der.size()) return decline();
  openssl::Key key(EVP_PKCS82PKEY_ex(info.get(), nullptr, nullptr));
  if (!key) return decline();
  const auto algorithm = algorithm_of(key.get());
  return algorithm ? accept(std::move(key), *algorithm) : decline();
}

boost::json::object public_jwk(const KeyHandle& handle) {
  const EVP_PKEY* key = handle.key.get();
  switch (handle.algorithm) {
    case SigningAlgorithm::eddsa: {
      std::array<std::uint8_t, kNumberBytes> x{};
      std::size_t size = x.size();
      openssl::require(EVP_PKEY_get_raw_public_key(key, x.data(), &size) == 1 && size == x.size(),
                       "EVP_PKEY_get_raw_public_key");
      return {{"crv", "Ed25519"}, {"kty", "OKP"}, {"x", to_base64url(x)}};
    }
    case SigningAlgorithm::es256:
      return {{"crv", "P-256"},
              {"kty", "EC"},
              {"x", number_text(key, OSSL_PKEY_PARAM_EC_PUB_X, kNumberBytes)},
              {"y", number_text(key, OSSL_PKEY_PARAM_EC_PUB_Y, kNumberBytes)}};
    case SigningAlgorithm::rs256:
      return {{"e", number_text(key, OSSL_PKEY_PARAM_RSA_E)},
              {"kty", "RSA"},
              {"n", number_text(key, OSSL_PKEY_PARAM_RSA_N)}};
  }
  return {};
}

std::string jwk_thumbprint(const boost::json::object& public_members) {
  return to_base64url(sha256(as_bytes(boost::json::serialize(public_members))));
}

}  // namespace safawinet
