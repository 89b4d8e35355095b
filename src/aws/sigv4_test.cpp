#include "aws/sigv4.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace safawinet::aws {
namespace {

// The examples of Amazon's test suite for Signature Version 4 ("aws4_testsuite"): names, credentials and date are
// theirs.
const Credentials kExample{.access_key_id = "AKIDEXAMPLE",
                           .secret_access_key = SecretText("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
                           .session_token = {}};
const Scope kService{.region = "us-east-1", .service = "service"};
const Time kThen = *parse_rfc3339("2015-08-30T12:36:00Z");

std::string authorization_of(const Request& request, const Credentials& credentials = kExample) {
  for (const auto& [name, value] : sign(request, kService, credentials, kThen)) {
    if (name == "Authorization") return value;
  }
  return {};
}

TEST(Sigv4, get_vanilla) {
  EXPECT_EQ(authorization_of({.method = "GET", .host = "example.amazonaws.com"}),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            "SignedHeaders=host;x-amz-date, "
            "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

TEST(Sigv4, get_vanilla_query_order_key_case) {
  EXPECT_EQ(
      authorization_of(
          {.method = "GET", .host = "example.amazonaws.com", .query = {{"Param2", "value2"}, {"Param1", "value1"}}}),
      "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
      "SignedHeaders=host;x-amz-date, "
      "Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
}

TEST(Sigv4, post_vanilla) {
  EXPECT_EQ(authorization_of({.method = "POST", .host = "example.amazonaws.com"}),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            "SignedHeaders=host;x-amz-date, "
            "Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
}

TEST(Sigv4, post_x_www_form_urlencoded) {
  EXPECT_EQ(authorization_of({.method = "POST",
                              .host = "example.amazonaws.com",
                              .fields = {{"Content-Type", "application/x-www-form-urlencoded"}},
                              .body = "Param1=value1"}),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date, "
            "Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
}

TEST(Sigv4, get_header_value_trim) {
  EXPECT_EQ(authorization_of({.method = "GET",
                              .host = "example.amazonaws.com",
                              .fields = {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}}}),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            "SignedHeaders=host;my-header1;my-header2;x-amz-date, "
            "Signature=acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}

TEST(Sigv4, what_is_encoded_is_encoded_again_for_the_signature) {
  const Request request{.method = "GET", .host = "h", .path = "/a b/\xE2\x98\x83"};
  EXPECT_EQ(target_of(request), "/a%20b/%E2%98%83");
  EXPECT_THAT(canonical_request(request), ::testing::HasSubstr("\n/a%2520b/%25E2%2598%2583\n"));
}

TEST(Sigv4, a_session_token_is_signed_and_sent) {
  auto credentials = kExample;
  credentials.session_token = SecretText("the-token");
  EXPECT_THAT(authorization_of({.method = "GET", .host = "example.amazonaws.com"}, credentials),
              ::testing::HasSubstr("SignedHeaders=host;x-amz-date;x-amz-security-token"));
  EXPECT_THAT(sign({.method = "GET", .host = "h"}, kService, credentials, kThen),
              ::testing::Contains(::testing::Pair("X-Amz-Security-Token", "the-token")));
}

}  // namespace
}  // namespace safawinet::aws
