#include "crypto/refresh_token.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>

namespace safawinet {
namespace {

MacKey key_of(std::uint8_t byte) { return MacKey(Bytes(MacKey::kBytes, byte)); }

RefreshToken example() {
  return {.key_id = 7,
          .session = *SessionId::parse("01890a5d-ac96-774b-bcce-b302099a8057"),
          .generation = 0x0102030405060708};
}

std::optional<RefreshToken> parse(std::string_view text, const MacKey& key = key_of(1), std::uint32_t key_id = 7) {
  return parse_refresh_token(text, [&](std::uint32_t id) { return id == key_id ? &key : nullptr; });
}

TEST(RefreshToken, ParsesToWhatWasFormatted) {
  const std::uint64_t generations[] = {0, 1, 0x0102030405060708, std::numeric_limits<std::uint64_t>::max()};
  for (const auto generation : generations) {
    auto token = example();
    token.generation = generation;
    const auto text = token.format(key_of(1));
    EXPECT_EQ(text.size(), kRefreshTokenBytes);
    EXPECT_TRUE(text.starts_with("sf_rt_"));
    EXPECT_EQ(parse(text), token);
  }
}

// Tokens outlive upgrades: the layout, spelt out.
TEST(RefreshToken, HasTheDocumentedLayout) {
  const auto text = example().format(key_of(1));
  const auto bytes = from_base64url(text.substr(6));
  ASSERT_TRUE(bytes);
  ASSERT_EQ(bytes->size(), 61U);
  const auto body = ByteView(*bytes).first(29);
  EXPECT_EQ(to_hex(body), "010000000701890a5dac96774bbcceb302099a80570102030405060708");
  Bytes covered;
  for (const char c : std::string_view("safawinet refresh token")) covered.push_back(static_cast<std::uint8_t>(c));
  covered.insert(covered.end(), body.begin(), body.end());
  EXPECT_EQ(to_hex(ByteView(*bytes).subspan(29)), to_hex(hmac_sha256(Bytes(32, 1), covered)));
}

TEST(RefreshToken, IsTheSameTextForTheSameGenerationAndAnotherForTheNext) {
  EXPECT_EQ(example().format(key_of(1)), example().format(key_of(1)));
  auto next = example();
  ++next.generation;
  EXPECT_NE(next.format(key_of(1)), example().format(key_of(1)));
  EXPECT_NE(example().format(key_of(1)), example().format(key_of(2)));
}

TEST(RefreshToken, OfAnotherOrUnknownKeyIsRefused) {
  const auto text = example().format(key_of(1));
  EXPECT_FALSE(parse(text, key_of(2)));
  EXPECT_FALSE(parse(text, key_of(1), 8));
}

TEST(RefreshToken, WhoseKeyIdWasSwappedIsRefusedEvenIfBothIdsHaveThatKey) {
  auto bytes = *from_base64url(example().format(key_of(1)).substr(6));
  bytes[4] = 8;
  EXPECT_FALSE(parse("sf_rt_" + to_base64url(bytes), key_of(1), 8));
}

TEST(RefreshToken, ChangedInAnyBitIsRefused) {
  const auto bytes = *from_base64url(example().format(key_of(1)).substr(6));
  for (std::size_t i = 0; i < bytes.size() * 8; ++i) {
    auto changed = bytes;
    changed[i / 8] = static_cast<std::uint8_t>(changed[i / 8] ^ (1U << i % 8));
    const auto text = "sf_rt_" + to_base64url(changed);
    const auto any_id = parse_refresh_token(text, [key = key_of(1)](std::uint32_t) { return &key; });
    EXPECT_FALSE(any_id) << "bit " << i;
  }
}

// A later version of ours may lay its bytes out differently under the same key.
TEST(RefreshToken, OfAnotherVersionIsRefusedEvenWithItsMac) {
  auto bytes = *from_base64url(example().format(key_of(1)).substr(6));
  bytes[0] = 2;
  Bytes covered;
  for (const char c : std::string_view("safawinet refresh token")) covered.push_back(static_cast<std::uint8_t>(c));
  covered.insert(covered.end(), bytes.begin(), bytes.begin() + 29);
  const auto mac = key_of(1).sign(covered);
  std::copy(mac.begin(), mac.end(), bytes.begin() + 29);
  EXPECT_FALSE(parse("sf_rt_" + to_base64url(bytes)));
}

TEST(RefreshToken, HasOneSpelling) {
  const auto text = example().format(key_of(1));
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (int c = 0; c < 256; ++c) {
      auto changed = text;
      changed[i] = static_cast<char>(c);
      EXPECT_EQ(parse(changed).has_value(), changed == text) << "character " << i << " as " << c;
    }
  }
  for (const auto& other : {std::string(), std::string("sf_rt_"), text + "=", text + "A", " " + text, text + " ",
                            text + '\0', text.substr(6), text.substr(0, text.size() - 1), "sf_at_" + text.substr(6)}) {
    EXPECT_FALSE(parse(other)) << other;
  }
}

}  // namespace
}  // namespace safawinet
