#include "bounces/ses_event.hpp"

#include <gtest/gtest.h>

namespace safawinet {
namespace {

constexpr std::string_view kMail =
    R"("mail":{"timestamp":"2026-11-29T18:00:00.000Z","messageId":"0102-ses","destination":["ada@example.com"],)"
    R"("tags":{"safawinet-mail":["01890a5d-ac96-774b-bcce-b302099a8057"],"ses:caller-identity":["x"]},"unheard":[]})";

std::string event_of(std::string_view what) { return "{" + std::string(what) + "," + std::string(kMail) + "}"; }

TEST(SesEvent, a_bounce_of_either_shape_says_the_same) {
  const std::string bounce =
      R"("bounce":{"bounceType":"Permanent","bounceSubType":"General","bouncedRecipients":[{"emailAddress":)"
      R"("Ada <ada@example.com>","action":"failed","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 unknown"}],)"
      R"("timestamp":"2026-11-29T18:00:02.000Z","feedbackId":"f-1","reportingMTA":"dns; x"})";
  for (const auto* name : {"eventType", "notificationType"}) {
    const auto event = parse_ses_event(event_of("\"" + std::string(name) + "\":\"Bounce\"," + bounce));
    ASSERT_TRUE(event);
    EXPECT_EQ(event->kind, SesEventKind::bounce);
    EXPECT_EQ(event->provider_id, "0102-ses");
    EXPECT_EQ(event->mail->text(), "01890a5d-ac96-774b-bcce-b302099a8057");
    EXPECT_EQ(event->feedback_id, "f-1");
    EXPECT_EQ(event->type, "Permanent");
    ASSERT_EQ(event->recipients.size(), 1U);
    EXPECT_EQ(event->recipients.front().email, "ada@example.com");
    EXPECT_EQ(event->recipients.front().detail, "smtp; 550 5.1.1 unknown");
    EXPECT_EQ(to_rfc3339(event->at), "2026-11-29T18:00:02.000000Z");
  }
}

TEST(SesEvent, a_complaint_says_what_the_recipient_called_it) {
  const auto event = parse_ses_event(
      event_of(R"("eventType":"Complaint","complaint":{"complainedRecipients":[{"emailAddress":"ada@example.com"}],)"
               R"("timestamp":"2026-11-29T18:00:02Z","feedbackId":"f-2","complaintFeedbackType":"not-spam"})"));
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, SesEventKind::complaint);
  EXPECT_EQ(event->type, "not-spam");
}

TEST(SesEvent, a_delivery_has_recipients_and_no_feedback_id) {
  const auto event = parse_ses_event(event_of(
      R"("eventType":"Delivery","delivery":{"timestamp":"2026-11-29T18:00:02Z","recipients":["ada@example.com"]})"));
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, SesEventKind::delivery);
  EXPECT_EQ(event->recipients.front().email, "ada@example.com");
}

TEST(SesEvent, what_is_no_event_is_of_no_consequence) {
  for (const auto* text : {"Successfully validated SNS topic for Amazon SES event publishing.", "", "[]", "{}",
                           R"({"eventType":"Open"})", R"({"eventType":1})"}) {
    const auto event = parse_ses_event(text);
    ASSERT_TRUE(event) << text;
    EXPECT_EQ(event->kind, SesEventKind::other);
  }
}

TEST(SesEvent, one_that_lacks_what_it_is_about_is_refused) {
  for (const auto& text : {std::string(R"({"eventType":"Bounce"})"), event_of(R"("eventType":"Bounce")"),
                           event_of(R"("eventType":"Bounce","bounce":{"timestamp":"2026-11-29T18:00:02Z"})"),
                           event_of(R"("eventType":"Delivery","delivery":{"timestamp":"yesterday"})"),
                           std::string(R"({"eventType":"Delivery","mail":{"timestamp":1},"delivery":{}})")}) {
    EXPECT_FALSE(parse_ses_event(text)) << text;
  }
}

TEST(SesEvent, an_address_is_bare) {
  EXPECT_EQ(bare_address("<ada@example.com>"), "ada@example.com");
  EXPECT_EQ(bare_address(" ada@example.com "), "ada@example.com");
  EXPECT_EQ(bare_address("\"<x>\" <ada@example.com"), "ada@example.com");
}

}  // namespace
}  // namespace safawinet
