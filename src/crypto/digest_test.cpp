#include "crypto/digest.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>

#include "crypto/testing_vectors.hpp"

namespace safawinet {
namespace {

using testing::bytes_of;
using testing::describe;
using testing::for_each_vector;
using testing::from_hex;
using testing::text_of;

Bytes repeated(std::uint8_t byte, std::size_t count) { return Bytes(count, byte); }

Bytes counting(std::uint8_t first, std::size_t count) {
  Bytes bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::uint8_t>(first + i);
  return bytes;
}

// FIPS 180-4, and the empty text of NIST's examples.
TEST(Sha256, AgreesWithTheStandardsExamples) {
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

struct HmacExample {
  Bytes key;
  Bytes data;
  std::string mac;
};

// RFC 4231 section 4, test cases 1 to 4, 6 and 7 (5 truncates).
TEST(HmacSha256, AgreesWithRfc4231) {
  const HmacExample examples[] = {
      {repeated(0x0b, 20), from_hex("4869205468657265"),
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {from_hex("4a656665"), from_hex("7768617420646f2079612077616e7420666f72206e6f7468696e673f"),
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {repeated(0xaa, 20), repeated(0xdd, 50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {counting(1, 25), repeated(0xcd, 50), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {repeated(0xaa, 131),
       from_hex(
           "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b65792046697273"
           "74"),
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {repeated(0xaa, 131),
       from_hex(
           "5468697320697320612074657374207573696e672061206c6172676572207468616e20626c6f636b2d73697a65206b657920616e64"
           "2061206c6172676572207468616e20626c6f636b2d73697a6520646174612e20546865206b6579206e6565647320746f20626520"
           "686173686564206265666f7265206265696e6720757365642062792074686520484d414320616c676f726974686d2e"),
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  };
  for (const auto& example : examples) EXPECT_EQ(to_hex(hmac_sha256(example.key, example.data)), example.mac);
}

TEST(HmacSha256, AgreesWithWycheproof) {
  const auto count = for_each_vector("hmac_sha256_test.json", [](const auto& group, const auto& test) {
    const auto mac = hmac_sha256(bytes_of(test, "key"), bytes_of(test, "msg"));
    const auto tag_bytes = group.at("tagSize").template to_number<std::size_t>() / 8;
    const bool is_equal = constant_time_equal(ByteView(mac).first(tag_bytes), bytes_of(test, "tag"));
    EXPECT_EQ(is_equal, text_of(test, "result") == "valid") << describe(test);
  });
  if (!count) GTEST_SKIP() << "no hmac_sha256_test.json: set SAFAWINET_VECTORS to a folder with Wycheproof's files";
  EXPECT_GT(*count, 100U);
}

struct HkdfExample {
  Bytes secret;
  Bytes salt;
  Bytes info;
  std::string key;
};

// RFC 5869 appendix A, test cases 1 to 3.
TEST(HkdfSha256, AgreesWithRfc5869) {
  const HkdfExample examples[] = {
      {repeated(0x0b, 22), counting(0, 13), counting(0xf0, 10),
       "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
      {counting(0, 80), counting(0x60, 80), counting(0xb0, 80),
       "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b"
       "8"
       "367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
      {repeated(0x0b, 22),
       {},
       {},
       "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
  };
  for (const auto& example : examples) {
    EXPECT_EQ(to_hex(hkdf_sha256(example.secret, example.salt, example.info, example.key.size() / 2)), example.key);
  }
}

TEST(HkdfSha256, AgreesWithWycheproof) {
  const auto count = for_each_vector("hkdf_sha256_test.json", [](const auto&, const auto& test) {
    const auto size = test.at("size").template to_number<std::size_t>();
    const auto derive = [&] {
      return hkdf_sha256(bytes_of(test, "ikm"), bytes_of(test, "salt"), bytes_of(test, "info"), size);
    };
    if (text_of(test, "result") == "valid") {
      EXPECT_EQ(derive(), bytes_of(test, "okm")) << describe(test);
    } else {
      EXPECT_THROW(derive(), std::invalid_argument) << describe(test);
    }
  });
  if (!count) GTEST_SKIP() << "no hkdf_sha256_test.json: set SAFAWINET_VECTORS to a folder with Wycheproof's files";
  EXPECT_GT(*count, 50U);
}

TEST(ConstantTimeEqual, ComparesWholeTexts) {
  EXPECT_TRUE(constant_time_equal({}, {}));
  EXPECT_TRUE(constant_time_equal(as_bytes("same"), as_bytes("same")));
  EXPECT_FALSE(constant_time_equal(as_bytes("same"), as_bytes("sane")));
  EXPECT_FALSE(constant_time_equal(as_bytes("same"), as_bytes("same longer")));
  EXPECT_FALSE(constant_time_equal(as_bytes("same"), {}));
}

TEST(MacKey, GivesTheMacOfHmacSha256EveryTime) {
  const Bytes key = counting(1, MacKey::kBytes);
  const MacKey prepared(key);
  for (const std::string text :
       {"", "a", "a longer text that fills more than one block of sixty-four bytes, as they go"}) {
    const auto mac = hmac_sha256(key, as_bytes(text));
    EXPECT_EQ(prepared.sign(as_bytes(text)), mac);
    EXPECT_TRUE(prepared.verify(as_bytes(text), mac));
    auto changed = mac;
    changed.back() ^= 1;
    EXPECT_FALSE(prepared.verify(as_bytes(text), changed));
    EXPECT_FALSE(prepared.verify(as_bytes(text), ByteView(mac).first(31)));
  }
}

TEST(MacKey, RefusesAKeyOfAnotherSize) {
  EXPECT_THROW(MacKey(repeated(1, 31)), std::invalid_argument);
  EXPECT_THROW(MacKey(repeated(1, 33)), std::invalid_argument);
  EXPECT_THROW(MacKey({}), std::invalid_argument);
}

TEST(MacKey, IsSharedByThreads) {
  const Bytes bytes = counting(7, MacKey::kBytes);
  const MacKey key(bytes);
  const auto expected = hmac_sha256(bytes, as_bytes("text"));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 1000; ++round) EXPECT_EQ(key.sign(as_bytes("text")), expected);
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace safawinet
