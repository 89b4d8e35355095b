#include "config/redis_url.hpp"

#include <gmock/gmock.h>

namespace safawinet::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(RedisUrlTest, a_host_is_enough) {
  const auto url = parse_redis_url("redis://cache.example.com").value();
  EXPECT_EQ(url.host, "cache.example.com");
  EXPECT_EQ(url.port, 6379);
  EXPECT_EQ(url.user, "");
  EXPECT_TRUE(url.password.empty());
  EXPECT_EQ(url.database, 0U);
  EXPECT_FALSE(url.is_tls);
}

TEST(RedisUrlTest, everything_can_be_said) {
  const auto url = parse_redis_url("rediss://safawinet:p%40ss%2Fword%25@[2001:db8::1]:6380/12").value();
  EXPECT_EQ(url.host, "2001:db8::1");
  EXPECT_EQ(url.port, 6380);
  EXPECT_EQ(url.user, "safawinet");
  EXPECT_EQ(url.password.reveal(), "p@ss/word%");
  EXPECT_EQ(url.database, 12U);
  EXPECT_TRUE(url.is_tls);
}

TEST(RedisUrlTest, a_password_alone_is_that_of_the_default_user_and_may_hold_any_colon_or_at_sign) {
  const auto url = parse_redis_url("redis://:a:b@c@10.0.0.1:6379/").value();
  EXPECT_EQ(url.user, "");
  EXPECT_EQ(url.password.reveal(), "a:b@c");
  EXPECT_EQ(url.host, "10.0.0.1");
}

TEST(RedisUrlTest, what_cannot_be_used_is_refused_with_what_to_change_and_without_the_password) {
  struct Refused {
    std::string_view text;
    std::string_view complaint;
  };
  constexpr Refused refused[] = {
      {"cache:6379", "must begin with \"redis://\""},
      {"REDIS://cache", "must begin with \"redis://\""},
      {"hush@cache", "must begin with \"redis://\""},
      {"redis://", "must name a host"},
      {"redis://:hush@", "must name a host"},
      {"redis://:hush@ca che", "must name a host"},
      {"redis://hush@cache", "must have a password behind the user"},
      {"redis://ann:@cache", "must have a password behind the user"},
      {"redis://ann:hush%@cache", "\"%25\""},
      {"redis://ann:hush%zz@cache", "\"%25\""},
      {"redis://ann:hush/hush@cache", "\"%2F\""},
      {"redis://:hush@cache:0", "must have a port from 1 to 65535"},
      {"redis://:hush@cache:65536", "must have a port from 1 to 65535"},
      {"redis://:hush@cache:", "must have a port from 1 to 65535"},
      {"redis://:hush@[::1", "must be a URL such as"},
      {"redis://:hush@[::1]6379", "must have a port from 1 to 65535"},
      {"redis://:hush@cache/zero", "must have the number of a database"},
      {"redis://:hush@cache/-1", "must have the number of a database"},
      {"redis://:hush@cache/0/1", "must have the number of a database"},
      {"redis://:hush@cache?db=1", "must not have anything behind \"?\""},
  };
  for (const auto& [text, complaint] : refused) {
    const auto url = parse_redis_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_THAT(url.error(), HasSubstr(std::string(complaint))) << text;
    EXPECT_THAT(url.error(), Not(HasSubstr("hush"))) << text;
  }
}

}  // namespace
}  // namespace safawinet::config
