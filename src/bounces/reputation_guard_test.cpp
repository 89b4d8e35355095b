#include "bounces/reputation_guard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace safawinet {
namespace {

using ::testing::HasSubstr;

TEST(ReputationGuard, few_mails_say_nothing) {
  EXPECT_FALSE(reason_to_hold({.sent = 99, .bounced = 99}, false));
  EXPECT_FALSE(reason_to_hold({.sent = 100, .bounced = 4}, false)) << "four bounces are four bounces";
  EXPECT_FALSE(reason_to_hold({.sent = 1'000, .complained = 1}, false)) << "one recipient is one recipient";
}

TEST(ReputationGuard, it_holds_mail_before_the_limit_is_reached) {
  EXPECT_FALSE(reason_to_hold({.sent = 1'000, .bounced = 39}, false));
  const auto reason = reason_to_hold({.sent = 1'000, .bounced = 40}, false);
  ASSERT_TRUE(reason);
  EXPECT_THAT(*reason, HasSubstr("4.00 %"));
  EXPECT_THAT(*reason, HasSubstr("5.00 %"));
  EXPECT_TRUE(reason_to_hold({.sent = 2'000, .complained = 2}, false));
}

TEST(ReputationGuard, it_lets_go_only_when_the_rates_are_well_below) {
  EXPECT_TRUE(reason_to_hold({.sent = 1'000, .bounced = 35}, true));
  EXPECT_FALSE(reason_to_hold({.sent = 1'000, .bounced = 29}, true));
}

TEST(ReputationGuard, what_a_server_refused_at_once_was_tried_too) {
  EXPECT_DOUBLE_EQ((MailFigures{.sent = 50, .bounced = 50, .refused = 50}.bounce_rate()), 0.5);
  EXPECT_DOUBLE_EQ(MailFigures{}.bounce_rate(), 0.0);
}

}  // namespace
}  // namespace safawinet
