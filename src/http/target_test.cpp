#include "http/target.hpp"

#include <gtest/gtest.h>

namespace safawinet::http {
namespace {

std::string decoded(std::string_view text) {
  const auto target = parse_target(text, Method::get);
  if (!target) return std::to_string(target.error().status);
  std::string path;
  decode_path(target->path, path);
  return path;
}

TEST(Target, DecodesThePathOnce) {
  EXPECT_EQ(decoded("/"), "/");
  EXPECT_EQ(decoded("/a/b/"), "/a/b/");
  EXPECT_EQ(decoded("/%41%7e%c3%a9"), "/A~\xc3\xa9");
  EXPECT_EQ(decoded("/%2541"), "/%41");
  EXPECT_EQ(decoded("/a:b@c;d=e,f!$&'()*+"), "/a:b@c;d=e,f!$&'()*+");
  EXPECT_EQ(decoded("/.well-known/...?/../"), "/.well-known/...");
}

TEST(Target, RefusesPathsThatServersReadDifferently) {
  for (const std::string_view path :
       {"//",      "//a",       "/a//b", "/.",     "/..",     "/./a",      "/a/../b", "/a/..",
        "/%2e",    "/%2E%2e/b", "/.%2e", "/a%2fb", "/a%2Fb",  "/a%5cb",    "/a\\b",   "/%00",
        "/%0d%0a", "/%1f",      "/%7f",  "/%ff",   "/%c0%af", "/%ed%a0%80"}) {
    EXPECT_EQ(decoded(path), "400") << path;
  }
}

TEST(Target, RefusesWhatIsNotInTheGrammar) {
  for (const std::string_view text :
       {"",          "a",          "*",   "?",   "/%",    "/%4",   "/%4g", "/%-1",  "/#",
        "/a#b",      "/a b",       "/\"", "/<>", "/^",    "/`",    "/{}",  "/|",    "/[]",
        "/\xc3\xa9", "/?\xc3\xa9", "/?#", "/?%", "/?%zz", "/?%00", "/?\\", "/?a b", "example.org:443",
        "mailto:a@b"}) {
    EXPECT_EQ(decoded(text), "400") << text;
  }
}

TEST(Target, TakesTheAbsoluteFormApart) {
  const auto target = parse_target("HTTPS://example.org:8443/a?b=/?c", Method::get);
  ASSERT_TRUE(target);
  EXPECT_EQ(target->authority, "example.org:8443");
  EXPECT_EQ(target->origin, "/a?b=/?c");
  EXPECT_EQ(target->path, "/a");
  EXPECT_EQ(target->query, "b=/?c");
  for (const std::string_view text :
       {"http://", "http:///a", "http://user@example.org/", "http://example.org:/a", "http://a?b", "http:/a",
        "ftp://a/", "http://a b/", "http://[::1/", "http://a%41/"}) {
    EXPECT_EQ(decoded(text), "400") << text;
  }
}

TEST(Target, TakesTheAsteriskWithOptionsOnly) {
  EXPECT_TRUE(parse_target("*", Method::options));
  EXPECT_FALSE(parse_target("*", Method::head));
  EXPECT_FALSE(parse_target("**", Method::options));
}

TEST(Authority, IsAHostWithOrWithoutAPort) {
  for (const std::string_view good :
       {"a", "example.org", "EXAMPLE.org:0", "192.0.2.1:65535", "[::1]", "[2001:db8::1]:80", "a_b-c"}) {
    EXPECT_TRUE(is_authority(good)) << good;
  }
  for (const std::string_view bad : {"",    ":80",       "a:",      "a:65536",  "a:8080808", "a:+1",    "a:b",  "a b",
                                     "a,b", "a/b",       "a@b",     "a?b",      "a%41",      "::1",     "[::1", "[]",
                                     "[a]", "[1.2.3.4]", "[::1]80", "[::1%lo]", "[::1]:",    "\xc3\xa9"}) {
    EXPECT_FALSE(is_authority(bad)) << bad;
  }
}

}  // namespace
}  // namespace safawinet::http
