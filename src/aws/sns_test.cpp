#include "aws/sns.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace safawinet::aws {
namespace {

constexpr std::string_view kTopic = "arn:aws:sns:eu-central-1:123456789012:bounces";
constexpr std::string_view kGoodUrl =
    "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem";

std::string notification(std::string_view more = "") {
  return R"({"Type":"Notification","MessageId":"m-1","TopicArn":"arn:aws:sns:eu-central-1:123456789012:bounces",)"
         R"("Message":"hello","Timestamp":"2026-11-29T18:00:00.000Z","SignatureVersion":"2","Signature":"c2ln",)"
         R"("SigningCertURL":"https://x","Unheard":{"of":1})" +
         std::string(more) + "}";
}

TEST(Sns, what_is_signed_is_in_the_order_of_names) {
  const auto message = parse_sns_message(notification());
  ASSERT_TRUE(message);
  EXPECT_EQ(canonical_text(*message),
            "Message\nhello\nMessageId\nm-1\nTimestamp\n2026-11-29T18:00:00.000Z\nTopicArn\n"
            "arn:aws:sns:eu-central-1:123456789012:bounces\nType\nNotification\n");
}

TEST(Sns, a_subject_is_signed_where_there_is_one) {
  const auto message = parse_sns_message(notification(R"(,"Subject":"Amazon SES")"));
  ASSERT_TRUE(message);
  EXPECT_THAT(canonical_text(*message), ::testing::HasSubstr("MessageId\nm-1\nSubject\nAmazon SES\nTimestamp\n"));
}

TEST(Sns, of_a_confirmation_url_and_token_are_signed) {
  const auto message = parse_sns_message(
      R"({"Type":"SubscriptionConfirmation","MessageId":"m-1","Token":"t-1","TopicArn":"arn:aws:sns:eu-central-1:1:b",)"
      R"("Message":"hello","SubscribeURL":"https://s","Timestamp":"2026-11-29T18:00:00Z","SignatureVersion":"1",)"
      R"("Signature":"c2ln","SigningCertURL":"https://x"})");
  ASSERT_TRUE(message);
  EXPECT_EQ(canonical_text(*message),
            "Message\nhello\nMessageId\nm-1\nSubscribeURL\nhttps://s\nTimestamp\n2026-11-29T18:00:00Z\nToken\nt-1\n"
            "TopicArn\narn:aws:sns:eu-central-1:1:b\nType\nSubscriptionConfirmation\n");
}

TEST(Sns, what_is_no_envelope_is_refused) {
  for (const auto* body :
       {"", "[]", "{}", R"({"Type":"Notification"})", R"({"Type":"Else"})", "{\"Type\":\"Notification\",",
        R"({"Type":"Notification","Type":"Notification"})", R"({"Type":1})"}) {
    const auto message = parse_sns_message(body);
    ASSERT_FALSE(message) << body;
    EXPECT_EQ(message.error().code, ErrorCode::unreadable_request);
  }
}

TEST(Sns, the_certificate_is_in_one_place_of_the_topics_region) {
  EXPECT_TRUE(is_certificate_url_of(kGoodUrl, kTopic));
  const std::string name = "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem";
  for (const std::string_view host :
       {"sns.eu-central-1.amazonaws.com.evil.example", "sns.eu-central-1.amazonaws.com@evil.example"}) {
    EXPECT_FALSE(is_certificate_url_of("https://" + std::string(host) + name, kTopic)) << host;
  }
  for (const auto* url :
       {"http://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
        "https://sns.eu-central-1.amazonaws.com:444/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
        "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789ABCDEF0123456789abcdef.pem",
        "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-../../../../etc/passwd/012345678.pem",
        "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem?x",
        "https://sns.eu-central-1.amazonaws.com/x/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
        ""}) {
    EXPECT_FALSE(is_certificate_url_of(url, kTopic)) << url;
  }
  EXPECT_FALSE(is_certificate_url_of(kGoodUrl, "arn:aws:sqs:eu-central-1:123456789012:bounces"));
  EXPECT_FALSE(is_certificate_url_of(
      "https://sns..amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem", "arn:aws:sns::1:b"));
}

TEST(Sns, the_regions_of_china_have_a_domain_of_their_own) {
  EXPECT_EQ(sns_host_of("arn:aws-cn:sns:cn-north-1:1:b"), "sns.cn-north-1.amazonaws.com.cn");
  EXPECT_EQ(sns_host_of("arn:aws-us-gov:sns:us-gov-west-1:1:b"), "sns.us-gov-west-1.amazonaws.com");
}

TEST(Sns, a_subscription_is_confirmed_at_an_address_that_we_make) {
  const SnsMessage message{.type = SnsMessage::Type::subscription_confirmation,
                           .message_id = {},
                           .topic_arn = std::string(kTopic),
                           .subject = {},
                           .message = {},
                           .timestamp = {},
                           .token = "a&b=c",
                           .subscribe_url = "https://evil.example/",
                           .signature_version = {},
                           .signature = {},
                           .signing_certificate_url = {}};
  EXPECT_EQ(confirmation_url_of(message),
            "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&AuthenticateOnUnsubscribe=true&"
            "Token=a%26b%3Dc&TopicArn=arn%3Aaws%3Asns%3Aeu-central-1%3A123456789012%3Abounces");
}

}  // namespace
}  // namespace safawinet::aws
