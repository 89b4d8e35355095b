#include "config/checks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace safawinet::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ListenAddress, IsAnIpAddressAndAPort) {
  EXPECT_EQ(parse_listen_address("127.0.0.1:8080"), (ListenAddress{"127.0.0.1", 8080}));
  EXPECT_EQ(parse_listen_address("0.0.0.0:0"), (ListenAddress{"0.0.0.0", 0}));
  EXPECT_EQ(parse_listen_address("[::1]:65535"), (ListenAddress{"::1", 65535}));
  EXPECT_EQ(parse_listen_address("localhost:80"), (ListenAddress{"127.0.0.1", 80}));
  for (const auto* text : {"", ":", ":8080", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                           "127.0.0.1:+1", "127.0.0.1: 80", "127.0.0.1:80 ", "::1:80", "[127.0.0.1]:80", "[::1]",
                           "[]:80", "example.com:80", "127.0.0.256:80", "127.1:80", "http://127.0.0.1:80"}) {
    EXPECT_FALSE(parse_listen_address(text)) << text;
  }
}

TEST(ListenAddress, IsWrittenAsItIsRead) {
  for (const auto* text : {"127.0.0.1:8080", "[2001:db8::1]:443"}) EXPECT_EQ(parse_listen_address(text)->text(), text);
}

TEST(Origin, HasSchemeHostAndPort) {
  for (const auto* text : {"https://example.com", "http://localhost:3000", "https://a-b.example.com:8443",
                           "http://192.0.2.1", "https://[2001:db8::1]", "https://[::1]:8443"}) {
    EXPECT_FALSE(check_origin(text)) << text;
  }
  for (const auto* text : {"",
                           "*",
                           "null",
                           "example.com",
                           "https://",
                           "https://Example.com",
                           "HTTPS://example.com",
                           "https://example.com/",
                           "https://example.com/path",
                           "https://example.com?x",
                           "https://example.com#x",
                           "https://user:secret@example.com",
                           "ftp://example.com",
                           "https://example.com:",
                           "https://example.com:0",
                           "https://example.com:65536",
                           "https://exa mple.com",
                           "https://[::1",
                           "https://[example]",
                           "https://[192.0.2.1]",
                           "https://ex\xC3\xA4mple.com"}) {
    EXPECT_TRUE(check_origin(text)) << text;
  }
}

TEST(Network, IsACidrBlockWithNothingBehindThePrefix) {
  for (const auto* text : {"10.0.0.0/8", "192.0.2.1", "192.0.2.1/32", "0.0.0.0/0", "2001:db8::/32", "::1", "::/0",
                           "192.0.2.128/25", "2001:db8::1/128"}) {
    EXPECT_FALSE(check_network(text)) << text;
  }
  for (const auto* text :
       {"", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8 ", "10.0.0/8", "10.0.0.1/8", "192.0.2.129/25",
        "2001:db8::/129", "2001:db8::1/64", "example.com", "/8", "10.0.0.0/8/8", "10.0.0.0/a"}) {
    EXPECT_TRUE(check_network(text)) << text;
  }
  EXPECT_THAT(*check_network("10.0.0.1/8"), HasSubstr("behind the prefix"));
}

TEST(Sender, IsAnAddressWithOrWithoutAName) {
  EXPECT_FALSE(check_sender("no-reply@example.com"));
  EXPECT_FALSE(check_sender("Safawinet Accounts <accounts@example.com>"));
  for (const auto* text :
       {"", "Safawinet", "Safawinet <accounts>", "a@b.c, d@e.f", "Safawinet <a@b.c> x", "@b", "a@", "<>"}) {
    EXPECT_TRUE(check_sender(text)) << text;
  }
}

TEST(MasterKey, Is32BytesInBase64) {
  const auto key = parse_master_key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
  ASSERT_TRUE(key);
  EXPECT_EQ(key->reveal().size(), 32U);
  EXPECT_EQ(key->reveal()[31], 31);
  EXPECT_TRUE(parse_master_key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"));
  for (const auto* text :
       {"", "short", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", "00112233445566778899aabbccddeeff"}) {
    const auto refused = parse_master_key(text);
    ASSERT_FALSE(refused) << text;
    EXPECT_THAT(refused.error(), HasSubstr("openssl rand -base64 32"));
  }
}

TEST(WithoutCredentials, LeavesNoUserAndNoPassword) {
  EXPECT_EQ(without_credentials("postgresql://ann:hush@db/x"), "postgresql://***@db/x");
  EXPECT_EQ(without_credentials("postgresql://ann:hu/s@h@db:5432/x"), "postgresql://***@db:5432/x");
  EXPECT_EQ(without_credentials("postgresql://db/x?user=ann&password=hush&sslmode=require"),
            "postgresql://db/x?user=ann&password=***&sslmode=require");
  EXPECT_EQ(without_credentials("host=db password=hush dbname=x"), "host=db password=*** dbname=x");
  EXPECT_EQ(without_credentials("redis://:hush@cache:6379"), "redis://***@cache:6379");
  EXPECT_EQ(without_credentials("https://example.com"), "https://example.com");
  EXPECT_EQ(without_credentials("Safawinet <a@example.com>"), "Safawinet <a@example.com>");
}

TEST(InQuotes, CutsAfterTakingTheCredentialsAway) {
  const auto text = in_quotes("postgresql://ann:" + std::string(300, 'x') + "@db/" + std::string(300, 'y'));
  EXPECT_THAT(text, Not(HasSubstr("xx")));
  EXPECT_LT(text.size(), 220U);
  EXPECT_EQ(in_quotes("a\"b\\\n"), "\"a\\\"b\\\\?\"");
}

TEST(Closest, FindsWhatWasMeant) {
  constexpr std::array<std::string_view, 3> known{"http.listen", "sessions.idle_days", "sessions.absolute_days"};
  EXPECT_EQ(closest("sesions.idle_days", known), "sessions.idle_days");
  EXPECT_EQ(closest("http.listne", known), "http.listen");
  EXPECT_EQ(closest("entirely different words", known), "");
  EXPECT_EQ(closest(std::string(100'000, 'x'), known), "");
  EXPECT_EQ(closest("", known), "");
}

}  // namespace
}  // namespace safawinet::config
