#include "crypto/keyring.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "base/error.hpp"
#include "base/json.hpp"

namespace safawinet {
namespace {

using namespace std::chrono_literals;

MacKey mac_key(std::uint8_t byte) { return MacKey(Bytes(MacKey::kBytes, byte)); }

struct Example {
  SigningKey active = SigningKey::generate(SigningAlgorithm::eddsa);
  SigningKey former = SigningKey::generate(SigningAlgorithm::es256);
  Keyring ring{{.active = active,
                .verifying = {former.verifying_key()},
                .mac_keys = {{1, mac_key(1)}, {2, mac_key(2)}},
                .active_mac_key_id = 2}};
};

AccessClaims claims() {
  const Time now{1'800'000'000s};
  return {.issuer = "https://a.example",
          .audience = "https://a.example",
          .client_id = "safawinet",
          .token_id = "1",
          .issued_at = now,
          .expires_at = now + 10min,
          .subject = {},
          .session = {},
          .role = "customer",
          .methods = {"pwd"},
          .authenticated_at = now};
}

const AccessExpectations kExpected{
    .issuer = "https://a.example", .audience = "https://a.example", .now = Time(1'800'000'000s)};

TEST(Keyring, VerifiesWhatItsActiveAndFormerKeysSigned) {
  const Example example;
  EXPECT_TRUE(example.ring.verify_access_token(example.ring.issue_access_token(claims()), kExpected));
  EXPECT_TRUE(example.ring.verify_access_token(issue_access_token(example.former, claims()), kExpected));
  const auto stranger = SigningKey::generate(SigningAlgorithm::eddsa);
  EXPECT_FALSE(example.ring.verify_access_token(issue_access_token(stranger, claims()), kExpected));
}

TEST(Keyring, FindsKeysById) {
  const Example example;
  EXPECT_EQ(example.ring.find_verifying_key(example.active.id())->id(), example.active.id());
  EXPECT_EQ(example.ring.find_verifying_key(example.former.id())->id(), example.former.id());
  EXPECT_EQ(example.ring.find_verifying_key(""), nullptr);
  EXPECT_EQ(example.ring.find_verifying_key("unknown"), nullptr);
  EXPECT_NE(example.ring.find_mac_key(1), nullptr);
  EXPECT_NE(example.ring.find_mac_key(2), nullptr);
  EXPECT_EQ(example.ring.find_mac_key(3), nullptr);
  EXPECT_EQ(example.ring.active_mac_key_id(), 2U);
}

TEST(Keyring, PublishesPublicKeysAlone) {
  const Example example;
  const auto jwks = parse_json(example.ring.jwks());
  ASSERT_TRUE(jwks);
  ASSERT_EQ(jwks->as_object().size(), 1U);
  const auto& keys = jwks->at("keys").as_array();
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_EQ(keys[0], boost::json::value(example.active.verifying_key().jwk()));
  EXPECT_EQ(keys[1], boost::json::value(example.former.verifying_key().jwk()));
  for (const auto& key : keys) {
    EXPECT_FALSE(key.as_object().contains("d"));
    EXPECT_TRUE(VerifyingKey::from_jwk(key.as_object()));
  }
}

TEST(Keyring, DerivesRefreshTokensWithTheKeyThatTheyName) {
  const Example example;
  for (const std::uint32_t id : {1U, 2U}) {
    const RefreshToken token{.key_id = id, .session = {}, .generation = 5};
    const auto text = example.ring.format_refresh_token(token);
    EXPECT_EQ(text, token.format(mac_key(static_cast<std::uint8_t>(id))));
    EXPECT_EQ(example.ring.parse_refresh_token(text), token);
  }
  EXPECT_THROW((void)example.ring.format_refresh_token({.key_id = 3, .session = {}, .generation = 0}),
               std::out_of_range);
}

struct ExampleWithNext {
  SigningKey active = SigningKey::generate(SigningAlgorithm::eddsa);
  SigningKey next = SigningKey::generate(SigningAlgorithm::eddsa);
  Keyring ring{{.active = active,
                .verifying = {},
                .mac_keys = {{1, mac_key(1)}, {2, mac_key(2)}},
                .active_mac_key_id = 1,
                .next = next,
                .next_mac_key_id = 2}};
};

TEST(Keyring, KnowsItsNextKeyBeforeItIsUsed) {
  const ExampleWithNext example;
  EXPECT_EQ(example.ring.signing_key().id(), example.active.id());
  EXPECT_TRUE(example.ring.verify_access_token(issue_access_token(example.next, claims()), kExpected));
  EXPECT_NE(example.ring.jwks().find(example.next.id()), std::string::npos);
}

TEST(Keyring, WithoutItsActiveKeySignsWithTheNext) {
  const ExampleWithNext example;
  const std::vector<std::string> distrusted{example.active.id()};
  const auto left = example.ring.without(distrusted);
  EXPECT_EQ(left.signing_key().id(), example.next.id());
  EXPECT_FALSE(left.contains(example.active.id()));
  EXPECT_FALSE(left.verify_access_token(issue_access_token(example.active, claims()), kExpected));
  EXPECT_EQ(left.jwks().find(example.active.id()), std::string::npos);
  EXPECT_EQ(left.active_mac_key_id(), 1U);
}

TEST(Keyring, WithoutAMacKeyTakesNoRefreshTokenOfIt) {
  const ExampleWithNext example;
  const auto text = example.ring.format_refresh_token({.key_id = 1, .session = {}, .generation = 1});
  const std::vector<std::string> distrusted{"1"};
  const auto left = example.ring.without(distrusted);
  EXPECT_EQ(left.parse_refresh_token(text), std::nullopt);
  EXPECT_EQ(left.active_mac_key_id(), 2U);
  EXPECT_EQ(left.signing_key().id(), example.active.id());
}

TEST(Keyring, WithoutAnyKeyIssuesNothing) {
  const ExampleWithNext example;
  const std::vector<std::string> distrusted{example.active.id(), example.next.id(), "1", "2"};
  const auto left = example.ring.without(distrusted);
  EXPECT_THROW((void)left.issue_access_token(claims()), Unavailable);
  EXPECT_THROW((void)left.active_mac_key_id(), Unavailable);
  EXPECT_EQ(left.jwks(), R"({"keys":[]})");
}

TEST(Keyring, RefusesPartsThatContradictEachOther) {
  const Example example;
  const auto build = [&](std::vector<VerifyingKey> verifying, std::vector<std::pair<std::uint32_t, MacKey>> mac_keys) {
    return Keyring({.active = example.active,
                    .verifying = std::move(verifying),
                    .mac_keys = std::move(mac_keys),
                    .active_mac_key_id = 1});
  };
  EXPECT_NO_THROW(build({}, {{1, mac_key(1)}}));
  EXPECT_THROW(build({}, {}), std::invalid_argument);
  EXPECT_THROW(build({}, {{2, mac_key(1)}}), std::invalid_argument);
  EXPECT_THROW(build({}, {{1, mac_key(1)}, {1, mac_key(2)}}), std::invalid_argument);
  EXPECT_THROW(build({example.active.verifying_key()}, {{1, mac_key(1)}}), std::invalid_argument);
}

}  // namespace
}  // namespace safawinet
