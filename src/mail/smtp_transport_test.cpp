#include "mail/smtp_transport.hpp"

#include <gtest/gtest.h>

namespace safawinet {
namespace {

using enum Handover::Kind;

struct Case {
  SmtpStage stage;
  const char* reply;
  Handover::Kind kind;
  bool is_servers_trouble;
};

class SmtpReply : public ::testing::TestWithParam<Case> {};

TEST_P(SmtpReply, means) {
  const auto& [stage, reply, kind, is_servers_trouble] = GetParam();
  const auto handover = judge_smtp_reply(stage, reply);
  EXPECT_EQ(handover.kind, kind) << reply;
  EXPECT_EQ(handover.is_servers_trouble, is_servers_trouble) << reply;
  EXPECT_EQ(handover.detail, reply);
}

INSTANTIATE_TEST_SUITE_P(
    Replies, SmtpReply,
    ::testing::Values(Case{SmtpStage::greeting, "554 no service", later, true},
                      Case{SmtpStage::greeting, "535 5.7.8 wrong password", later, true},
                      Case{SmtpStage::sender, "550 5.7.1 not from you", later, true},
                      Case{SmtpStage::recipient, "550 5.1.1 no such user", recipient_refused, false},
                      Case{SmtpStage::recipient, "550 no such user", recipient_refused, false},
                      Case{SmtpStage::recipient, "553 5.1.8 bad sender", later, true},
                      Case{SmtpStage::recipient, "550 5.2.1 disabled", recipient_refused, false},
                      Case{SmtpStage::recipient, "552 5.2.2 full", later, false},
                      Case{SmtpStage::recipient, "552 full", later, false},
                      Case{SmtpStage::recipient, "550 5.7.1 policy", later, false},
                      Case{SmtpStage::recipient, "554 5.7.1 <a@b.example>: Relay access denied", later, true},
                      Case{SmtpStage::recipient, "550 relaying denied", later, true},
                      Case{SmtpStage::recipient, "550 5.1.1 <x>: User unknown in relay recipient table",
                           recipient_refused, false},
                      Case{SmtpStage::recipient, "452 4.3.1 disk full", later, true},
                      Case{SmtpStage::recipient, "451 4.7.1 greylisted", later, false},
                      Case{SmtpStage::recipient, "530 5.7.0 Authentication required", later, true},
                      Case{SmtpStage::recipient, "503 5.5.1 bad sequence", later, true},
                      Case{SmtpStage::data, "550 5.7.1 policy", message_refused, false},
                      Case{SmtpStage::recipient, "450 4.2.0 greylisted", later, false},
                      Case{SmtpStage::recipient, "421 going down", later, true},
                      Case{SmtpStage::data, "554 5.6.0 bad content", message_refused, false},
                      Case{SmtpStage::data, "550 5.1.1 no such user", recipient_refused, false},
                      Case{SmtpStage::data, "550 spam", message_refused, false},
                      Case{SmtpStage::data, "451 later", later, false},
                      Case{SmtpStage::recipient, "5", message_refused, false}));

TEST(JudgeSmtpReply, is_about_the_mailbox_only_where_it_says_so) {
  for (const auto* reply :
       {"550 5.1.1 no such user", "550 5.2.1 disabled", "552 5.2.2 full", "450 4.2.0 busy", "450 busy"}) {
    EXPECT_TRUE(judge_smtp_reply(SmtpStage::recipient, reply).is_about_mailbox) << reply;
  }
  for (const auto* reply :
       {"550 no", "550 5.7.1 policy", "451 4.7.1 blocked", "452 4.3.1 full", "553 5.1.8 sender", "421 bye"}) {
    EXPECT_FALSE(judge_smtp_reply(SmtpStage::recipient, reply).is_about_mailbox) << reply;
  }
}

}  // namespace
}  // namespace safawinet
