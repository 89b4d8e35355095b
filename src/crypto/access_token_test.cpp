#include "crypto/access_token.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "base/json.hpp"
#include "base/testing.hpp"
#include "crypto/digest.hpp"
#include "crypto/testing_vectors.hpp"

namespace safawinet {
namespace {

using namespace std::chrono_literals;
using testing::ManualClock;
using testing::SeededRandom;

const Time kNow{1'800'000'000s};
constexpr std::string_view kIssuer = "https://api.safawinet.com";

AccessClaims example() {
  const ManualClock clock;
  SeededRandom random;
  return {.issuer = std::string(kIssuer),
          .audience = std::string(kIssuer),
          .client_id = "safawinet",
          .token_id = "zWZQw0Q1Kx6m",
          .issued_at = kNow,
          .expires_at = kNow + 10min,
          .subject = UserId::make(clock, random),
          .session = SessionId::make(clock, random),
          .role = "customer",
          .methods = {"pwd", "otp"},
          .authenticated_at = kNow - 1h,
          .epoch = 3,
          .token_version = 12};
}

const SigningKey& key_of(SigningAlgorithm algorithm) {
  static const SigningKey eddsa = SigningKey::generate(SigningAlgorithm::eddsa);
  static const SigningKey es256 = SigningKey::generate(SigningAlgorithm::es256);
  static const SigningKey rs256 = SigningKey::generate(SigningAlgorithm::rs256);
  return algorithm == SigningAlgorithm::eddsa ? eddsa : algorithm == SigningAlgorithm::es256 ? es256 : rs256;
}

const SigningKey& test_key() { return key_of(SigningAlgorithm::eddsa); }

std::expected<AccessClaims, TokenFault> verify(std::string_view token, const SigningKey& key = test_key(),
                                               Time now = kNow) {
  return verify_access_token(token,
                             [&](std::string_view id) { return id == key.id() ? &key.verifying_key() : nullptr; },
                             {.issuer = kIssuer, .audience = kIssuer, .now = now});
}

// What the log would say; "accepted" if the token was.
std::string outcome(std::string_view token, Time now = kNow) {
  const auto claims = verify(token, test_key(), now);
  return claims ? "accepted" : std::string(claims.error().reason);
}

std::string encode(std::string_view text) { return to_base64url(as_bytes(text)); }

// A token with this header and payload, truly signed by `key`.
std::string sign_parts(std::string_view header, std::string_view payload, const SigningKey& key = test_key()) {
  const std::string text = encode(header) + "." + encode(payload);
  return text + "." + to_base64url(key.sign(as_bytes(text)));
}

std::string good_header() { return R"({"alg":"EdDSA","typ":"at+jwt","kid":")" + test_key().id() + R"("})"; }

std::string decode_part(std::string_view token, int index) {
  for (int i = 0; i < index; ++i) token.remove_prefix(token.find('.') + 1);
  const auto bytes = from_base64url(token.substr(0, token.find('.')));
  return std::string(bytes->begin(), bytes->end());
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string good_payload() { return decode_part(issue_access_token(test_key(), example()), 1); }

TEST(AccessToken, IsVerifiedWithTheClaimsThatItWasIssuedWith) {
  for (const auto algorithm : {SigningAlgorithm::eddsa, SigningAlgorithm::es256, SigningAlgorithm::rs256}) {
    const auto& key = key_of(algorithm);
    const auto claims = verify(issue_access_token(key, example()), key);
    ASSERT_TRUE(claims) << claims.error().reason;
    EXPECT_EQ(*claims, example());
  }
}

TEST(AccessToken, HasTheHeaderAndPayloadOfRfc9068) {
  const auto token = issue_access_token(test_key(), example());
  EXPECT_EQ(decode_part(token, 0), good_header());
  const auto payload = parse_json(decode_part(token, 1));
  ASSERT_TRUE(payload);
  const boost::json::value expected = {{"iss", kIssuer},
                                       {"aud", kIssuer},
                                       {"client_id", "safawinet"},
                                       {"jti", "zWZQw0Q1Kx6m"},
                                       {"iat", 1'800'000'000},
                                       {"exp", 1'800'000'600},
                                       {"sub", example().subject.text()},
                                       {"sid", example().session.text()},
                                       {"role", "customer"},
                                       {"amr", {"pwd", "otp"}},
                                       {"acr", "urn:safawinet:acr:single-factor"},
                                       {"auth_time", 1'799'996'400},
                                       {"ep", 3},
                                       {"tv", 12}};
  EXPECT_EQ(*payload, expected);
}

TEST(AccessToken, SaysWhetherThereWereTwoFactors) {
  EXPECT_EQ(authentication_class({}), "urn:safawinet:acr:single-factor");
  EXPECT_EQ(authentication_class({"pwd"}), "urn:safawinet:acr:single-factor");
  EXPECT_EQ(authentication_class({"pwd", "otp", "mfa"}), "urn:safawinet:acr:multi-factor");
}

TEST(AccessToken, CarriesAwkwardTextUnharmed) {
  auto claims = example();
  claims.role = "\"quoted\" \\ back\nline\x01\x1f /slash \xe2\x82\xac \xf0\x9f\x94\x91";
  claims.methods = {};
  claims.token_id = "";
  claims.epoch = std::numeric_limits<std::int64_t>::max();
  claims.token_version = std::numeric_limits<std::int64_t>::min();
  const auto verified = verify(issue_access_token(test_key(), claims));
  ASSERT_TRUE(verified) << verified.error().reason;
  EXPECT_EQ(*verified, claims);
}

TEST(AccessToken, HoldsWholeSecondsRoundedDown) {
  auto claims = example();
  claims.issued_at += 999'999us;
  claims.expires_at += 999'999us;
  const auto verified = verify(issue_access_token(test_key(), claims));
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->issued_at, kNow);
  EXPECT_EQ(verified->expires_at, kNow + 10min);
}

TEST(AccessToken, DiesAtItsSecondWithoutAllowance) {
  const auto token = issue_access_token(test_key(), example());
  EXPECT_EQ(outcome(token, kNow + 10min - 1us), "accepted");
  EXPECT_EQ(outcome(token, kNow + 10min), "expired");
}

TEST(AccessToken, IsForOneIssuerAndAudience) {
  auto claims = example();
  claims.issuer += "/";
  EXPECT_EQ(outcome(issue_access_token(test_key(), claims)), "another issuer");
  claims = example();
  claims.audience = "https://other.example";
  EXPECT_EQ(outcome(issue_access_token(test_key(), claims)), "another audience");
}

TEST(AccessToken, OfAnUnknownKeyIsRefused) {
  const auto stranger = SigningKey::generate(SigningAlgorithm::eddsa);
  EXPECT_EQ(outcome(issue_access_token(stranger, example())), "no usable key with this kid");
  // The stranger says that it is ours.
  EXPECT_EQ(outcome(sign_parts(good_header(), good_payload(), stranger)), "wrong signature");
}

TEST(AccessToken, ChangedInAnyCharacterIsRefused) {
  const auto token = issue_access_token(test_key(), example());
  for (std::size_t i = 0; i < token.size(); ++i) {
    for (const char other : {'A', 'B', '.', '=', '\0', static_cast<char>(token[i] ^ 1)}) {
      if (other == token[i]) continue;
      auto changed = token;
      changed[i] = other;
      EXPECT_NE(outcome(changed), "accepted") << "character " << i;
    }
    EXPECT_NE(outcome(token.substr(0, i)), "accepted");
    EXPECT_NE(outcome(token.substr(0, i) + token.substr(i + 1)), "accepted");
  }
}

TEST(AccessToken, WithMoreOrFewerPartsOrPaddingIsRefused) {
  const auto token = issue_access_token(test_key(), example());
  for (const auto& text : {std::string(), std::string("."), std::string(".."), std::string("..."), token + ".",
                           "." + token, token + ".AAAA", token + "=", token + "==", token + " ", " " + token,
                           token + "\n", token.substr(0, token.rfind('.')), token.substr(0, token.rfind('.') + 1)}) {
    EXPECT_NE(outcome(text), "accepted") << text;
  }
}

// RFC 8725 section 3.1 and 2.1: what the header may not say. Each is signed by the right key.
TEST(AccessToken, WithAnyOtherHeaderIsRefused) {
  const auto kid = test_key().id();
  const auto kid_member = R"("kid":")" + kid + "\"";
  EXPECT_EQ(outcome(sign_parts(good_header(), good_payload())), "accepted");
  EXPECT_EQ(outcome(sign_parts(replaced(good_header(), "at+jwt", "AT+JWT"), good_payload())), "accepted");
  EXPECT_EQ(outcome(sign_parts("{" + kid_member + R"(,"typ":"at+jwt","alg":"EdDSA"})", good_payload())), "accepted");
  for (const auto& header : std::vector<std::string>{
           replaced(good_header(), "EdDSA", "none"),
           replaced(good_header(), "EdDSA", "HS256"),
           replaced(good_header(), "EdDSA", "RS256"),
           replaced(good_header(), "EdDSA", "eddsa"),
           replaced(good_header(), "EdDSA", "Ed25519"),
           replaced(good_header(), "at+jwt", "JWT"),
           replaced(good_header(), "at+jwt", "application/at+jwt"),
           replaced(good_header(), kid, "unknown"),
           replaced(good_header(), kid, ""),
           replaced(good_header(), "}", R"(,"crit":["exp"]})"),
           replaced(good_header(), "}", R"(,"b64":false})"),
           replaced(good_header(), "}", R"(,"jwk":{"kty":"OKP"}})"),
           replaced(good_header(), "}", R"(,"jku":"https://evil.example"})"),
           replaced(good_header(), "}", R"(,"x5u":"https://evil.example"})"),
           replaced(good_header(), "}", R"(,"cty":"JWT"})"),
           replaced(good_header(), "}", R"(,"zip":"DEF"})"),
           replaced(good_header(), "}", R"(,"alg":"EdDSA"})"),
           replaced(good_header(), "}", R"(,"\u0061lg":"EdDSA"})"),
           std::string(R"({"alg":"EdDSA","typ":"at+jwt"})"),
           R"({"alg":"EdDSA",)" + kid_member + "}",
           R"({"typ":"at+jwt",)" + kid_member + "}",
           R"({"alg":["EdDSA"],"typ":"at+jwt",)" + kid_member + "}",
           R"({"alg":"EdDSA","typ":null,)" + kid_member + "}",
           R"({"alg":"EdDSA","typ":"at+jwt","kid":1})",
           good_header() + " x",
           "[" + good_header() + "]",
           std::string("null"),
           std::string("{}"),
           std::string(),
           std::string("\xff"),
       }) {
    EXPECT_NE(outcome(sign_parts(header, good_payload())), "accepted") << header;
  }
}

TEST(AccessToken, OfOneAlgorithmIsNotReadAsAnother) {
  const auto& rsa = key_of(SigningAlgorithm::rs256);
  // RFC 8725 section 2.1: the public key, which everybody has, taken for an HMAC secret.
  const auto header = R"({"alg":"HS256","typ":"at+jwt","kid":")" + rsa.id() + R"("})";
  const auto text = encode(header) + "." + encode(good_payload());
  const auto secret = boost::json::serialize(rsa.verifying_key().jwk());
  const auto forged = text + "." + to_base64url(hmac_sha256(as_bytes(secret), as_bytes(text)));
  const auto claims = verify(forged, rsa);
  ASSERT_FALSE(claims);
  EXPECT_EQ(claims.error().reason, "alg is not the key's");
}

// Signed by the right key, so that only the reading of the payload stands between it and us.
TEST(AccessToken, WithAMalformedPayloadIsRefused) {
  const auto payload = good_payload();
  EXPECT_EQ(outcome(sign_parts(good_header(), replaced(payload, "}", R"(,"new":{"claim":[1]}})"))), "accepted");
  for (const auto& bad : std::vector<std::string>{
           replaced(payload, "}", R"(,"role":"superadmin"})"),
           replaced(payload, "}", R"(,"\u0072ole":"superadmin"})"),
           replaced(payload, R"("role":"customer")", R"("role":null)"),
           replaced(payload, R"("role":"customer")", R"("role":["customer"])"),
           replaced(payload, R"("role":"customer")", R"("Role":"customer")"),
           replaced(payload, R"("amr":["pwd","otp"])", R"("amr":"pwd")"),
           replaced(payload, R"("amr":["pwd","otp"])", R"("amr":["pwd",1])"),
           replaced(payload, R"("exp":1800000600)", R"("exp":"1800000600")"),
           replaced(payload, R"("exp":1800000600)", R"("exp":1800000600.0)"),
           replaced(payload, R"("exp":1800000600)", R"("exp":1.8000006e9)"),
           replaced(payload, R"("exp":1800000600)", R"("exp":9223372036854775807)"),
           replaced(payload, R"("exp":1800000600)", R"("exp":18446744073709551615)"),
           replaced(payload, R"("exp":1800000600)", R"("exp":-1)"),
           replaced(payload, R"("exp":1800000600,)", ""),
           replaced(payload, R"("ep":3)", R"("ep":"3")"),
           replaced(payload, R"("ep":3)", R"("ep":true)"),
           replaced(payload, R"("tv":12)", R"("tv":9223372036854775808)"),
           replaced(payload, example().subject.text(), "someone"),
           replaced(payload, example().session.text(), ""),
           replaced(payload, R"("aud":"https://api.safawinet.com")", R"("aud":["https://api.safawinet.com"])"),
           payload + "{}",
           payload.substr(0, payload.size() - 1),
           "[" + payload + "]",
           std::string("\xff"),
           std::string(),
       }) {
    EXPECT_NE(outcome(sign_parts(good_header(), bad)), "accepted") << bad;
  }
}

// Nodes of the version before go on while others are replaced.
TEST(AccessToken, FromBeforeThereWasAnAcrIsAccepted) {
  const auto payload = replaced(good_payload(), R"("acr":"urn:safawinet:acr:single-factor",)", "");
  EXPECT_EQ(payload.find("acr"), std::string::npos);
  const auto verified = verify(sign_parts(good_header(), payload));
  ASSERT_TRUE(verified) << verified.error().reason;
  EXPECT_EQ(*verified, example());
}

TEST(AccessToken, IsNeitherIssuedNorReadBeyondItsLimit) {
  auto claims = example();
  claims.role = std::string(4096, 'r');
  EXPECT_THROW(issue_access_token(test_key(), claims), std::length_error);
  const auto payload = replaced(good_payload(), "}", R"(,"new":")" + std::string(4096, 'n') + R"("})");
  EXPECT_EQ(outcome(sign_parts(good_header(), payload)), "longer than 4096 bytes");
}

// Wycheproof's JWS have other headers than ours, valid or not: none is an access token, even with its key known to us.
TEST(AccessToken, IsNoneOfWycheproofsSignatures) {
  const auto count = testing::for_each_vector("json_web_signature_test.json", [](const auto& group, const auto& test) {
    const auto* jwk = group.as_object().if_contains("public");
    if (jwk == nullptr || !test.at("jws").is_string()) return;
    auto members = jwk->as_object();
    members.erase("kid");
    const auto key = VerifyingKey::from_jwk(members);
    const auto claims =
        verify_access_token(testing::text_of(test, "jws"), [&](std::string_view) { return key ? &*key : nullptr; },
                            {.issuer = kIssuer, .audience = kIssuer, .now = kNow});
    EXPECT_FALSE(claims) << testing::describe(test);
  });
  if (!count)
    GTEST_SKIP() << "no json_web_signature_test.json: set SAFAWINET_VECTORS to a folder with Wycheproof's files";
  EXPECT_GT(*count, 100U);
}

}  // namespace
}  // namespace safawinet
