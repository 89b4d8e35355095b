// What is seen in a text, and what is not.
#include "evidence/artefacts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace safawinet {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kRefresh = "sf_rt_" + std::string(82, 'A');
const std::string kApiKey = "sf_ak_" + std::string(49, 'b');
const std::string kJwt = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl-_";
constexpr std::string_view kId = "01a22430-852c-77a9-9b81-9ebaa044760d";

// "refresh-token sf_rt_…"
std::vector<std::string> seen_in(std::string_view text) {
  std::vector<std::string> all;
  for (const auto& item : artefacts_in(text).items) all.push_back(std::string(name_of(item.kind)) + " " + item.text);
  return all;
}

TEST(Artefacts, tokens_and_keys_are_seen_wherever_they_stand) {
  EXPECT_THAT(seen_in(kRefresh), ElementsAre("refresh-token " + kRefresh));
  EXPECT_THAT(seen_in("Cookie: __Host-refresh=" + kRefresh + "; __Host-access=" + kJwt),
              ElementsAre("refresh-token " + kRefresh, "access-token " + kJwt));
  EXPECT_THAT(seen_in("Authorization: Bearer " + kJwt + "."), ElementsAre("access-token " + kJwt));
  EXPECT_THAT(seen_in(R"({"key":")" + kApiKey + "\"}\r\n"), ElementsAre("api-key " + kApiKey));
  EXPECT_THAT(seen_in("\x1b[31m" + kApiKey + "\x1b[0m<b>" + kRefresh + "</b>"),
              ElementsAre("api-key " + kApiKey, "refresh-token " + kRefresh));
}

TEST(Artefacts, words_that_are_too_short_or_too_long_for_one_are_none) {
  EXPECT_THAT(seen_in(kRefresh.substr(0, 87)), IsEmpty());
  EXPECT_THAT(seen_in(kRefresh + "A"), IsEmpty());
  EXPECT_THAT(seen_in(kApiKey + "b"), IsEmpty());
  EXPECT_THAT(seen_in("eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0"), IsEmpty());
  EXPECT_THAT(seen_in("eyJhbGciOiJFZERTQSJ9..c2ln"), IsEmpty());
  EXPECT_THAT(seen_in("eyJ" + std::string(5'000, 'a') + ".a.b"), IsEmpty());
}

TEST(Artefacts, ids_and_addresses_are_seen_in_their_one_spelling) {
  EXPECT_THAT(seen_in("user:01A22430-852C-77A9-9B81-9EBAA044760D"), ElementsAre("id " + std::string(kId)));
  EXPECT_THAT(seen_in("to=Ada.L+x@Example.COM."), ElementsAre("email ada.l+x@example.com"));
  EXPECT_THAT(seen_in("<mailto:'o'brien@example.com'>"), ElementsAre("email o'brien@example.com"));
  EXPECT_THAT(seen_in("203.0.113.7:52100 - [2001:DB8:0::1]:443, 10.0.0.0/8."),
              ElementsAre("ip-address 203.0.113.7", "ip-address 2001:db8::1", "ip-network 10.0.0.0/8"));
  EXPECT_THAT(seen_in("::ffff:192.0.2.1 and 192.0.2.9/24"),
              ElementsAre("ip-address 192.0.2.1", "ip-address 192.0.2.9"));
}

TEST(Artefacts, what_only_resembles_an_id_or_an_address_is_none) {
  EXPECT_THAT(seen_in("x01a22430-852c-77a9-9b81-9ebaa044760d"), IsEmpty());
  EXPECT_THAT(seen_in("01a22430-852c-77a9-9b81-9ebaa044760d0"), IsEmpty());
  EXPECT_THAT(seen_in("01a22430852c77a99b819ebaa044760d"), IsEmpty());
  EXPECT_THAT(seen_in("at 12:34:56, 2026-11-28T12:00:00Z, Chrome/120.0.0.0, std::string :: 1.2.3"), IsEmpty());
  EXPECT_THAT(seen_in("a @ b, @, @example.com, ada@, ada@example..com"), IsEmpty());
}

TEST(Artefacts, a_request_id_is_seen_behind_its_name) {
  EXPECT_THAT(seen_in(R"({"requestId":"AbCd_123-ZyX4567","n":1})"), ElementsAre("request-id AbCd_123-ZyX4567"));
  EXPECT_THAT(seen_in("X-Request-Id: AbCd_123-ZyX4567\r\n"), ElementsAre("request-id AbCd_123-ZyX4567"));
  EXPECT_THAT(seen_in(R"("{\"request_id\": \"AbCd_123-ZyX4567\"}")"), ElementsAre("request-id AbCd_123-ZyX4567"));
  EXPECT_THAT(seen_in("AbCd_123-ZyX4567 requestId=short requestId=AbCd_123-ZyX45678"), IsEmpty());
}

TEST(Artefacts, each_is_told_once_with_where_it_first_stands) {
  const auto found = artefacts_in("ip 192.0.2.7, again 192.0.2.7, and ADA@example.com ada@example.com");
  ASSERT_THAT(found.items, SizeIs(2));
  EXPECT_EQ(found.items[0].offset, 3U);
  EXPECT_EQ(found.items[1].offset, 35U);
  EXPECT_FALSE(found.is_cut);
}

TEST(Artefacts, of_too_many_the_tokens_are_kept) {
  std::string text;
  for (int i = 0; i < 4'000; ++i) text += "10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250) + " ";
  const auto found = artefacts_in(text + kRefresh);
  EXPECT_THAT(found.items, SizeIs(kArtefactsLimit));
  EXPECT_TRUE(found.is_cut);
  EXPECT_EQ(found.items.back().kind, ArtefactKind::refresh_token);
}

TEST(Artefacts, noise_of_every_kind_ends) {
  for (const std::string unit : {"@", "sf_rt_", "sf_ak_", "eyJ", "eyJ.", "a.", ":", "/", "-", "request", "requestid",
                                 "'", "0", "a@", "1.1.1.1/", "\xff\xfe", "\xe2\x80\xae"}) {
    std::string text;
    while (!unit.empty() && text.size() < 65'536) text += unit;
    EXPECT_LE(artefacts_in(text).items.size(), kArtefactsLimit);
  }
}

}  // namespace
}  // namespace safawinet
