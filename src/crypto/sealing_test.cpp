#include "crypto/sealing.hpp"

#include <gtest/gtest.h>
#include <sodium.h>

#include <string>
#include <utility>

#include "base/testing.hpp"
#include "crypto/sodium.hpp"
#include "crypto/testing_vectors.hpp"

namespace safawinet {
namespace {

using testing::SeededRandom;

// The bytes 0, 1, 2, ... 31.
MasterKey key() { return *MasterKey::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="); }
MasterKey other_key() { return *MasterKey::parse("AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="); }

TEST(MasterKey, IsReadFromExactlyThirtyTwoBytesOfBase64) {
  EXPECT_FALSE(MasterKey::parse(""));
  EXPECT_FALSE(MasterKey::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg=="));  // 31
  EXPECT_FALSE(MasterKey::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g"));  // 33
  EXPECT_FALSE(MasterKey::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"));   // no padding
  EXPECT_FALSE(MasterKey::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9="));  // unused bits set
  EXPECT_FALSE(MasterKey::parse(" AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="));
}

TEST(MasterKey, IsGeneratedAsTextThatItReads) {
  SeededRandom random;
  const auto first = MasterKey::generate_text(random);
  const auto second = MasterKey::generate_text(random);
  EXPECT_TRUE(MasterKey::parse(first.reveal()));
  EXPECT_NE(first.reveal(), second.reveal());
}

TEST(MasterKey, OpensWhatItSealedForTheSamePurpose) {
  for (const std::string text : {"", "x", "a secret of some length"}) {
    const auto sealed = key().seal("signing-key", as_bytes(text));
    EXPECT_EQ(sealed.size(), text.size() + MasterKey::kOverheadBytes);
    const auto opened = key().open("signing-key", sealed);
    ASSERT_TRUE(opened);
    EXPECT_EQ(*opened, Bytes(text.begin(), text.end()));
  }
}

TEST(MasterKey, SealsTheSameTextDifferentlyEachTime) {
  EXPECT_NE(key().seal("purpose", as_bytes("text")), key().seal("purpose", as_bytes("text")));
}

TEST(MasterKey, DoesNotOpenForAnotherPurposeOrWithAnotherKey) {
  const auto sealed = key().seal("totp-secret/1", as_bytes("secret"));
  EXPECT_FALSE(key().open("totp-secret/2", sealed));
  EXPECT_FALSE(key().open("totp-secret/", sealed));
  EXPECT_FALSE(key().open("", sealed));
  EXPECT_FALSE(other_key().open("totp-secret/1", sealed));
}

TEST(MasterKey, DoesNotOpenWhatWasChangedInAnyBit) {
  const auto sealed = key().seal("purpose", as_bytes("secret"));
  for (std::size_t i = 0; i < sealed.size() * 8; ++i) {
    auto changed = sealed;
    changed[i / 8] = static_cast<std::uint8_t>(changed[i / 8] ^ (1U << i % 8));
    EXPECT_FALSE(key().open("purpose", changed)) << "bit " << i;
  }
}

TEST(MasterKey, DoesNotOpenWhatWasCutOrExtended) {
  auto sealed = key().seal("purpose", as_bytes("secret"));
  for (std::size_t size = 0; size < sealed.size(); ++size)
    EXPECT_FALSE(key().open("purpose", ByteView(sealed).first(size)));
  sealed.push_back(0);
  EXPECT_FALSE(key().open("purpose", sealed));
}

TEST(RootSecret, DerivesTheSameKeyForTheSamePurposeOnly) {
  EXPECT_EQ(RootSecret::of(key()).derive("audit"), RootSecret::of(key()).derive("audit"));
  EXPECT_NE(RootSecret::of(key()).derive("audit"), RootSecret::of(key()).derive("audit2"));
  EXPECT_NE(RootSecret::of(key()).derive("audit"), RootSecret::of(other_key()).derive("audit"));
}

TEST(MasterKey, AlsoOpensWhatAnotherOneHasSealedAndKnowsWhichItWas) {
  const auto of_other = other_key().seal("purpose", as_bytes("text"));
  auto both = key();
  EXPECT_FALSE(both.open("purpose", of_other));
  std::vector<MasterKey> others;
  others.push_back(other_key());
  both.also_open_with(std::move(others));
  EXPECT_EQ(both.open("purpose", of_other), Bytes({'t', 'e', 'x', 't'}));
  EXPECT_FALSE(both.open("another purpose", of_other));
  EXPECT_FALSE(both.opens_alone("purpose", of_other));
  EXPECT_TRUE(both.opens_alone("purpose", both.seal("purpose", as_bytes("text"))));
  EXPECT_TRUE(key().open("purpose", both.seal("purpose", as_bytes("text"))));
}

TEST(MasterKey, IsToldFromOthersByItsFingerprint) {
  EXPECT_EQ(key().fingerprint(), key().fingerprint());
  EXPECT_NE(key().fingerprint(), other_key().fingerprint());
  EXPECT_EQ(key().fingerprint().size(), 8U);
}

TEST(RootSecret, IsReadBackFromItsBytes) {
  SeededRandom random;
  const auto made = RootSecret::generate(random);
  EXPECT_EQ(RootSecret::from(made.reveal()).value().derive("x"), made.derive("x"));
  EXPECT_FALSE(RootSecret::from(made.reveal().first(31)));
}

// What is stored must open after an upgrade: this value was sealed by the first version.
TEST(MasterKey, OpensWhatAnEarlierVersionSealed) {
  const auto sealed = from_base64url("AbT0leC_lyYnC0JbWF13KUmg6s8WiZipjOwFaDOSnEqMuJzraw3YS80B_a8FyU9ml6WJgkHc");
  ASSERT_TRUE(sealed);
  const auto opened = key().open("signing-key", *sealed);
  ASSERT_TRUE(opened);
  EXPECT_EQ(std::string(opened->begin(), opened->end()), "first version");
}

TEST(MasterKey, MovesItsBytesAndLeavesNoneBehind) {
  auto from = key();
  const auto sealed = from.seal("purpose", as_bytes("secret"));
  auto to = std::move(from);
  EXPECT_TRUE(to.open("purpose", sealed));
  EXPECT_FALSE(from.open("purpose", sealed));  // NOLINT(bugprone-use-after-move): that it forgot is the point
  auto assigned = other_key();
  assigned = std::move(to);
  EXPECT_TRUE(assigned.open("purpose", sealed));
  EXPECT_FALSE(to.open("purpose", sealed));  // NOLINT(bugprone-use-after-move)
}

// A master key derives its keys and takes its nonces from the kernel, so the vectors are asked of the library itself.
TEST(Xchacha20Poly1305, AgreesWithWycheproof) {
  prepare_sodium();
  const auto count = testing::for_each_vector("xchacha20_poly1305_test.json", [](const auto& group, const auto& test) {
    // Nonces of other lengths are refused by the type of every call of ours.
    if (group.at("ivSize").template to_number<int>() != 192) return;
    const auto key = testing::bytes_of(test, "key");
    const auto nonce = testing::bytes_of(test, "iv");
    const auto data = testing::bytes_of(test, "aad");
    auto sealed = testing::bytes_of(test, "ct");
    const auto tag = testing::bytes_of(test, "tag");
    sealed.insert(sealed.end(), tag.begin(), tag.end());
    Bytes opened(sealed.size());
    unsigned long long size = 0;
    const bool is_opened =
        crypto_aead_xchacha20poly1305_ietf_decrypt(opened.data(), &size, nullptr, sealed.data(), sealed.size(),
                                                   data.data(), data.size(), nonce.data(), key.data()) == 0;
    EXPECT_EQ(is_opened, testing::text_of(test, "result") == "valid") << testing::describe(test);
    opened.resize(size);
    EXPECT_TRUE(!is_opened || opened == testing::bytes_of(test, "msg")) << testing::describe(test);
  });
  if (!count)
    GTEST_SKIP() << "no xchacha20_poly1305_test.json: set SAFAWINET_VECTORS to a folder with Wycheproof's files";
  EXPECT_GT(*count, 200U);
}

}  // namespace
}  // namespace safawinet
