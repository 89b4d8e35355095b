// What comes back of mail, and what it does.
#include "bounces/bounces.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accounts/testing.hpp"

namespace safawinet {
namespace {

using testing::refusal_of;

class BouncesTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  // As the mail worker leaves it.
  Uuid sent(std::string email, std::string provider_id = "ses-1") {
    const auto now = at_work_.clock.now();
    const auto id = Uuid::version7(now, at_work_.random);
    const EndedMail mail{.id = id,
                         .user = {},
                         .email = std::move(email),
                         .kind = "reset-password",
                         .outcome = "sent",
                         .attempts = 1,
                         .detail = {},
                         .provider_id = std::move(provider_id),
                         .created_at = now,
                         .ended_at = now,
                         .feedback = {},
                         .feedback_at = {}};
    const auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
      co_await mails_.insert_ended(transaction, mail);
      co_return true;
    };
    at_work_.run(at_work_.database.transact(body)).value();
    return id;
  }

  SesEvent event(SesEventKind kind, std::string type, std::string email = "ada@example.com") {
    at_work_.clock.advance(std::chrono::seconds(1));
    const auto now = at_work_.clock.now();
    ++events_;
    return {.kind = kind,
            .name = {},
            .provider_id = "ses-1",
            .mail = {},
            .sent_at = now - std::chrono::hours(1),
            .at = now,
            .feedback_id = "f-" + std::to_string(events_),
            .type = std::move(type),
            .subtype = "General",
            .detail = {},
            .recipients = {{.email = std::move(email), .detail = "smtp; 550"}}};
  }
  SesEvent bounce(std::string type) { return event(SesEventKind::bounce, std::move(type)); }

  Result<Taken> take(SesEvent event) { return take(std::move(event), "m-" + std::to_string(events_)); }
  Result<Taken> take(SesEvent event, std::string message_id) {
    return at_work_.run(bounces_.take(std::move(event), std::move(message_id)));
  }

  // Empty: NULL, or no row.
  std::string text(const char* sql) {
    const sql::Statement statement{sql};
    const auto rows = at_work_.run(at_work_.database.read(statement));
    return rows.empty() ? std::string() : rows.front().find<std::string>(0).value_or("");
  }
  std::string status() { return text("SELECT email_status FROM users WHERE email = 'ada@example.com'"); }
  std::int64_t count() { return at_work_.number("SELECT bounce_count FROM users WHERE email = 'ada@example.com'"); }
  std::string suppression() { return text("SELECT scope || ' ' || reason FROM mail_suppressions"); }
  std::string feedback() { return text("SELECT feedback FROM mail_history WHERE kind = 'reset-password'"); }
  std::string held() { return text("SELECT disabled_reason FROM users WHERE NOT is_active"); }

  testing::AccountsAtWork at_work_{GetParam()};
  MailStore mails_;
  Log log_{LogLevel::error};
  Bounces bounces_{{.database = at_work_.database,
                    .sessions = at_work_.sessions,
                    .audit = at_work_.audit,
                    .log = log_,
                    .clock = at_work_.clock,
                    .random = at_work_.random},
                   {.threshold = 5, .holds_accounts = true}};
  int events_ = 0;
  UserId ada_ = at_work_.sign_up("ada@example.com");
};

TEST_P(BouncesTest, a_permanent_bounce_marks_and_suppresses_the_address) {
  sent("ada@example.com");
  EXPECT_EQ(take(bounce("Permanent")), Taken::acted);
  EXPECT_EQ(status(), "bounced");
  EXPECT_EQ(suppression(), "all bounce");
  EXPECT_EQ(feedback(), "bounced");
  EXPECT_EQ(count(), 0);
}

TEST_P(BouncesTest, a_notification_that_comes_again_changes_nothing) {
  sent("ada@example.com");
  const auto one = bounce("Transient");
  EXPECT_EQ(take(one, "m-1"), Taken::acted);
  EXPECT_EQ(take(one, "m-1"), Taken::again);
  EXPECT_EQ(take(one, "m-2"), Taken::again) << "another notification of the same feedback";
  EXPECT_EQ(count(), 1);
}

TEST_P(BouncesTest, five_bounces_hold_the_account_and_end_its_sessions) {
  sent("ada@example.com");
  const auto logged_in = at_work_.log_in("ada@example.com").value();
  for (int i = 0; i < 4; ++i) take(bounce("Transient")).value();
  EXPECT_EQ(held(), "");
  at_work_.run(at_work_.feed.catch_up());
  EXPECT_TRUE(at_work_.guard.authenticate(logged_in.tokens.access_token.reveal()));
  take(bounce("Undetermined")).value();
  EXPECT_EQ(held(), "bounces");
  EXPECT_FALSE(at_work_.guard.authenticate(logged_in.tokens.access_token.reveal()));
  EXPECT_EQ(at_work_.audited("user.held"), 1);
  EXPECT_EQ(suppression(), "all bounce");
}

TEST_P(BouncesTest, a_message_at_fault_counts_against_nobody) {
  sent("ada@example.com");
  for (const auto* subtype : {"MessageTooLarge", "ContentRejected", "AttachmentRejected"}) {
    auto too_large = bounce("Transient");
    too_large.subtype = subtype;
    EXPECT_EQ(take(too_large), Taken::acted);
  }
  EXPECT_EQ(count(), 0);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM mail_feedback"), 3) << "they are shown all the same";
}

TEST_P(BouncesTest, a_delivery_sets_the_count_back_unless_it_is_an_old_one) {
  sent("ada@example.com");
  take(bounce("Transient")).value();
  const auto early = event(SesEventKind::delivery, "");
  take(bounce("Transient")).value();
  EXPECT_EQ(take(early, "m-early"), Taken::acted);
  EXPECT_EQ(count(), 2) << "something has bounced since";
  EXPECT_EQ(take(event(SesEventKind::delivery, "")), Taken::acted);
  EXPECT_EQ(count(), 0);
  EXPECT_EQ(feedback(), "delivered");
}

TEST_P(BouncesTest, a_delivery_after_a_permanent_bounce_makes_the_address_good_again) {
  sent("ada@example.com");
  take(bounce("Permanent")).value();
  EXPECT_EQ(take(event(SesEventKind::delivery, "")), Taken::acted);
  EXPECT_EQ(status(), "ok");
  EXPECT_EQ(suppression(), "");
}

TEST_P(BouncesTest, a_bounce_that_is_told_after_a_later_delivery_does_not_count) {
  sent("ada@example.com");
  const auto late = bounce("Transient");
  take(event(SesEventKind::delivery, "")).value();
  EXPECT_EQ(take(late, "m-late"), Taken::acted);
  EXPECT_EQ(count(), 0);
  EXPECT_EQ(feedback(), "delivered");
}

TEST_P(BouncesTest, a_complaint_leaves_security_mail_and_not_spam_takes_it_back) {
  sent("ada@example.com");
  take(event(SesEventKind::complaint, "abuse")).value();
  EXPECT_EQ(status(), "complained");
  EXPECT_EQ(suppression(), "not-security complaint");
  take(event(SesEventKind::complaint, "not-spam")).value();
  EXPECT_EQ(status(), "ok");
  EXPECT_EQ(suppression(), "");
}

TEST_P(BouncesTest, a_complaint_of_one_of_several_recipients_does_nothing) {
  sent("ada@example.com");
  auto one_of_two = event(SesEventKind::complaint, "abuse");
  one_of_two.recipients.push_back({.email = "grace@example.com", .detail = {}});
  EXPECT_EQ(take(one_of_two), Taken::acted);
  EXPECT_EQ(status(), "ok");
  EXPECT_EQ(suppression(), "");
}

TEST_P(BouncesTest, what_is_about_no_mail_of_ours_changes_nothing_and_is_counted) {
  EXPECT_EQ(take(bounce("Permanent")), Taken::foreign);
  sent("grace@example.com");
  EXPECT_EQ(take(bounce("Permanent")), Taken::foreign) << "the mail was to somebody else";
  EXPECT_EQ(status(), "ok");
  EXPECT_EQ(suppression(), "");
  EXPECT_EQ(at_work_.number("SELECT CAST(sum(count) AS bigint) FROM mail_counts WHERE name = 'foreign'"), 2);
}

TEST_P(BouncesTest, an_event_that_is_faster_than_our_record_of_the_mail_comes_again) {
  auto young = bounce("Permanent");
  young.sent_at = at_work_.clock.now();
  EXPECT_EQ(refusal_of(take(young, "m-1")), ErrorCode::unavailable);
  sent("ada@example.com");
  EXPECT_EQ(take(young, "m-1"), Taken::acted);
}

TEST_P(BouncesTest, a_mail_is_found_by_our_tag_where_the_providers_id_is_not_known) {
  const auto id = sent("ada@example.com", "");
  auto tagged = bounce("Permanent");
  tagged.mail = id;
  EXPECT_EQ(take(tagged), Taken::acted);
}

TEST_P(BouncesTest, the_last_superadmin_is_never_held) {
  at_work_.by_hand("UPDATE users SET role = 'superadmin'");
  sent("ada@example.com");
  for (int i = 0; i < 6; ++i) take(bounce("Transient")).value();
  EXPECT_EQ(held(), "");
  EXPECT_EQ(suppression(), "all bounce");
  EXPECT_EQ(text("SELECT name FROM mail_warnings"), "last-superadmin-bounces");
}

TEST_P(BouncesTest, one_of_two_superadmins_is) {
  at_work_.sign_up("grace@example.com");
  at_work_.by_hand("UPDATE users SET role = 'superadmin'");
  sent("ada@example.com");
  for (int i = 0; i < 5; ++i) take(bounce("Transient")).value();
  EXPECT_EQ(held(), "bounces");
}

TEST_P(BouncesTest, a_rejection_warns) {
  sent("ada@example.com");
  auto reject = event(SesEventKind::reject, "");
  reject.detail = "Bad content";
  EXPECT_EQ(take(reject), Taken::acted);
  EXPECT_EQ(text("SELECT name || ': ' || detail FROM mail_warnings"), "mail-rejected: Bad content");
  EXPECT_EQ(status(), "ok");
}

TEST_P(BouncesTest, what_a_server_said_while_we_sent_counts_once) {
  const RefusedRecipient refused{.mail = Uuid::version7(at_work_.clock.now(), at_work_.random),
                                 .user = ada_,
                                 .email = "ada@example.com",
                                 .is_permanent = true,
                                 .detail = "550 5.1.1 no such user"};
  at_work_.run(bounces_.take_refusal(refused));
  at_work_.run(bounces_.take_refusal(refused));
  EXPECT_EQ(status(), "bounced");
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM mail_feedback WHERE source = 'smtp'"), 1);
}

TEST_P(BouncesTest, an_operator_records_one_of_somebody_not_above_them) {
  const auto superadmin = at_work_.sign_up("root@example.com");
  const auto admin = at_work_.sign_up("admin@example.com");
  at_work_.by_hand("UPDATE users SET role = 'superadmin' WHERE email = 'root@example.com'");
  at_work_.by_hand("UPDATE users SET role = 'admin' WHERE email = 'admin@example.com'");
  const auto as = [](UserId user, Role role) { return Operator::person(user, SessionId{}, role); };
  const auto record = [&](Operator acting, std::string email) {
    return at_work_.run(
        bounces_.record(std::move(acting), std::move(email), FeedbackType::permanent, "a letter", at_work_.origin));
  };
  EXPECT_EQ(refusal_of(record(as(admin, Role::admin), "root@example.com")), ErrorCode::forbidden);
  EXPECT_EQ(refusal_of(record(as(ada_, Role::customer), "ada@example.com")), ErrorCode::forbidden);
  EXPECT_EQ(suppression(), "");
  EXPECT_TRUE(record(as(admin, Role::admin), "ada@example.com"));
  EXPECT_EQ(status(), "bounced");
  EXPECT_EQ(at_work_.audited("mail.bounce-recorded"), 1);
  EXPECT_TRUE(record(as(superadmin, Role::superadmin), "root@example.com"));
}

TEST_P(BouncesTest, message_ids_are_forgotten_only_when_the_messages_would_be_too_old) {
  sent("ada@example.com");
  take(bounce("Transient"), "m-1").value();
  at_work_.clock.advance(std::chrono::days(15));
  at_work_.run(bounces_.sweep(std::chrono::days(90)));
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM sns_messages"), 1);
  at_work_.clock.advance(std::chrono::days(2));
  at_work_.run(bounces_.sweep(std::chrono::days(90)));
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM sns_messages"), 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, BouncesTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
