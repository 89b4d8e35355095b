// Forced logout of one and of all, and the housekeeping behind it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sessions/testing.hpp"

namespace safawinet {
namespace {

using std::chrono::days;
using std::chrono::hours;
using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Gt;
using ::testing::Le;
using testing::SessionsAtWork;

class ForcedLogoutTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  std::int64_t revocations() { return at_work_.number("SELECT count(*) FROM revocations"); }
  bool sweep() { return at_work_.run(at_work_.sessions.sweep()); }

  SessionsAtWork at_work_{GetParam()};
  UserId user_ = at_work_.add_user();
  UserId operator_ = at_work_.add_user({.email = "operator@example.com", .role = "admin"});
};

// One user.

TEST_P(ForcedLogoutTest, all_sessions_of_one_user_die_at_once_and_nobody_elses) {
  const auto first = at_work_.sign_in(user_);
  const auto second = at_work_.sign_in(user_);
  const auto other = at_work_.sign_in(operator_);
  const auto ended = at_work_.force_logout(user_, at_work_.session_of(other), operator_);
  EXPECT_EQ(ended.sessions, 2);
  EXPECT_FALSE(ended.spared) << "the caller's session is not one of this user's";
  EXPECT_FALSE(ended.epoch);
  EXPECT_EQ(ended.revocation_sequence, at_work_.number("SELECT max(seq) FROM revocations"));
  EXPECT_TRUE(at_work_.is_dead(first));
  EXPECT_TRUE(at_work_.is_dead(second));
  EXPECT_TRUE(at_work_.is_accepted(other));
  EXPECT_TRUE(at_work_.is_accepted(at_work_.sign_in(user_))) << "a new login is not forbidden";
}

TEST_P(ForcedLogoutTest, ones_own_session_is_spared_when_one_signs_oneself_out) {
  const auto current = at_work_.sign_in(operator_);
  const auto second = at_work_.sign_in(operator_);
  const auto ended = at_work_.force_logout(operator_, at_work_.session_of(current), operator_);
  EXPECT_EQ(ended.sessions, 1);
  EXPECT_EQ(ended.spared, at_work_.session_of(current));
  EXPECT_TRUE(at_work_.is_accepted(current));
  EXPECT_TRUE(at_work_.is_dead(second));
}

TEST_P(ForcedLogoutTest, doing_it_again_ends_nothing_more) {
  at_work_.sign_in(user_);
  const auto first = at_work_.force_logout(user_, std::nullopt, operator_);
  const auto again = at_work_.force_logout(user_, std::nullopt, operator_);
  EXPECT_EQ(first.sessions, 1);
  EXPECT_EQ(again.sessions, 0);
  EXPECT_EQ(again.revocation_sequence, first.revocation_sequence);
}

TEST_P(ForcedLogoutTest, it_is_on_record_with_who_why_and_from_where) {
  at_work_.sign_in(user_);
  at_work_.force_logout(user_, std::nullopt, operator_);
  const auto audited = at_work_.rows(
      "SELECT action, outcome, actor, target, reason, ip_address FROM audit_log WHERE action LIKE 'session.force%'");
  ASSERT_EQ(audited.size(), 1U);
  const auto column = [&audited](std::size_t i) { return audited.front().get<std::string>(i); };
  EXPECT_EQ(column(0), "session.force-logout");
  EXPECT_EQ(column(1), "done");
  EXPECT_EQ(column(2), "user:" + operator_.text());
  EXPECT_EQ(column(3), "user:" + user_.text());
  EXPECT_EQ(column(4), "stolen laptop");
  EXPECT_EQ(column(5), "192.0.2.8");
  EXPECT_EQ(at_work_.text("SELECT actor FROM ended_sessions WHERE reason = 'forced-logout'"),
            "user:" + operator_.text());
}

TEST_P(ForcedLogoutTest, nothing_happens_when_it_cannot_be_recorded) {
  const auto tokens = at_work_.sign_in(user_);
  at_work_.by_hand("ALTER TABLE audit_log RENAME TO elsewhere");
  EXPECT_ANY_THROW(at_work_.force_logout(user_, std::nullopt, operator_));
  EXPECT_ANY_THROW(at_work_.force_logout(std::nullopt, std::nullopt, operator_));
  at_work_.run(at_work_.feed.catch_up());
  EXPECT_TRUE(at_work_.is_accepted(tokens));
  EXPECT_EQ(revocations(), 0);
}

// Everybody.

TEST_P(ForcedLogoutTest, everybody_is_signed_out_but_the_spared_session) {
  const auto of_user = at_work_.sign_in(user_);
  const auto spared = at_work_.sign_in(operator_);
  const auto second = at_work_.sign_in(operator_);
  const auto ended = at_work_.force_logout(std::nullopt, at_work_.session_of(spared), operator_);
  EXPECT_EQ(ended.sessions, 2);
  EXPECT_EQ(ended.spared, at_work_.session_of(spared));
  EXPECT_EQ(ended.epoch, 2);
  EXPECT_TRUE(at_work_.is_dead(of_user));
  EXPECT_TRUE(at_work_.is_dead(second));
  EXPECT_TRUE(at_work_.is_accepted(spared));
  EXPECT_TRUE(at_work_.refresh(spared.refresh_token));
  EXPECT_TRUE(at_work_.is_accepted(at_work_.sign_in(user_)));
  EXPECT_EQ(at_work_.text("SELECT target FROM audit_log WHERE action = 'session.force-logout-all'"), "everybody");
}

TEST_P(ForcedLogoutTest, everybody_means_everybody_when_none_is_spared) {
  const auto own = at_work_.sign_in(operator_);
  const auto ended = at_work_.force_logout(std::nullopt, std::nullopt, operator_);
  EXPECT_EQ(ended.sessions, 1);
  EXPECT_FALSE(ended.spared);
  EXPECT_TRUE(at_work_.is_dead(own));
}

TEST_P(ForcedLogoutTest, of_two_operators_only_the_last_one_is_spared) {
  const auto other_operator = at_work_.add_user({.email = "second@example.com", .role = "admin"});
  const auto first = at_work_.sign_in(operator_);
  auto second = at_work_.sign_in(other_operator);
  at_work_.force_logout(std::nullopt, at_work_.session_of(first), operator_);
  EXPECT_TRUE(at_work_.is_dead(second));
  second = at_work_.sign_in(other_operator);
  at_work_.force_logout(std::nullopt, at_work_.session_of(second), other_operator);
  EXPECT_TRUE(at_work_.is_dead(first)) << "spared by the first, not by the second";
  EXPECT_TRUE(at_work_.is_accepted(second));
  EXPECT_TRUE(at_work_.refresh(second.refresh_token));
}

TEST_P(ForcedLogoutTest, the_same_operator_is_spared_over_and_over_with_the_same_access_token) {
  const auto own = at_work_.sign_in(operator_);
  for (int i = 0; i < 3; ++i) {
    at_work_.force_logout(std::nullopt, at_work_.session_of(own), operator_);
    EXPECT_TRUE(at_work_.is_accepted(own));
  }
  EXPECT_TRUE(at_work_.refresh(own.refresh_token));
}

TEST_P(ForcedLogoutTest, a_session_that_another_global_logout_has_ended_is_not_said_to_be_spared) {
  const auto first = at_work_.sign_in(operator_);
  const auto second = at_work_.sign_in(operator_);
  at_work_.force_logout(std::nullopt, at_work_.session_of(first), operator_);
  const auto ended = at_work_.force_logout(std::nullopt, at_work_.session_of(second), operator_);
  EXPECT_FALSE(ended.spared);
  EXPECT_TRUE(at_work_.is_dead(first));
  EXPECT_TRUE(at_work_.is_dead(second));
}

TEST_P(ForcedLogoutTest, sessions_of_an_older_epoch_are_not_counted_again) {
  at_work_.sign_in(user_);
  at_work_.force_logout(std::nullopt, std::nullopt, operator_);
  EXPECT_EQ(at_work_.force_logout(std::nullopt, std::nullopt, operator_).sessions, 0);
  EXPECT_EQ(at_work_.force_logout(user_, std::nullopt, operator_).sessions, 0);
}

TEST_P(ForcedLogoutTest, the_feed_has_one_row_for_everybody_whatever_their_number) {
  for (int i = 0; i < 10; ++i) at_work_.sign_in(user_);
  at_work_.force_logout(std::nullopt, std::nullopt, operator_);
  EXPECT_EQ(revocations(), 1);
}

// Housekeeping.

TEST_P(ForcedLogoutTest, the_sweep_takes_all_older_rows_in_rounds_and_writes_no_revocation) {
  constexpr int kSessions = 5'200;
  at_work_.add_sessions(user_, kSessions);
  EXPECT_EQ(at_work_.force_logout(std::nullopt, std::nullopt, operator_).sessions, kSessions);
  const auto alive = at_work_.sign_in(user_);
  const auto before = revocations();
  while (sweep()) {
  }
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM refresh_sessions"), kSessions + 1) << "it may still be counting";
  at_work_.clock.advance(std::chrono::seconds(30));
  at_work_.run(at_work_.feed.catch_up());
  int sweeps = 1;
  while (sweep()) ++sweeps;
  EXPECT_THAT(sweeps, AllOf(Ge(2), Le(11)));
  EXPECT_EQ(revocations(), before);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM ended_sessions WHERE reason = 'global-logout' AND actor = $1",
                            "user:" + operator_.text()),
            kSessions);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM refresh_sessions"), 1);
  EXPECT_TRUE(at_work_.is_accepted(alive));
}

TEST_P(ForcedLogoutTest, the_sweep_leaves_expired_sessions_alone_until_no_trigger_would_revoke_them) {
  at_work_.clock.advance(-days(20));
  at_work_.sign_in(user_);
  at_work_.clock.advance(days(14) + std::chrono::seconds(100));
  EXPECT_FALSE(sweep());
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM refresh_sessions"), 1);
  at_work_.clock.advance(std::chrono::minutes(10));
  EXPECT_FALSE(sweep());
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM refresh_sessions"), 0);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM ended_sessions WHERE reason = 'expired'"), 1);
  EXPECT_EQ(revocations(), 0);
}

TEST_P(ForcedLogoutTest, old_revocations_leave_the_database_and_the_index_and_their_tokens_have_expired_by_then) {
  const auto tokens = at_work_.sign_in(user_);
  at_work_.force_logout(user_, std::nullopt, operator_);
  EXPECT_EQ(at_work_.feed.index()->ended_sessions(), 1U);
  at_work_.clock.advance(hours(2));
  sweep();
  EXPECT_EQ(revocations(), 1) << "longer than any access token may live";
  at_work_.clock.advance(hours(2));
  sweep();
  EXPECT_EQ(revocations(), 0);
  EXPECT_EQ(at_work_.feed.index()->ended_sessions(), 0U);
  at_work_.run(at_work_.feed.catch_up());
  EXPECT_FALSE(at_work_.is_accepted(tokens));
  const auto later = at_work_.sign_in(user_);
  at_work_.force_logout(user_, std::nullopt, operator_);
  EXPECT_FALSE(at_work_.is_accepted(later)) << "the feed goes on after the purge";
  EXPECT_THAT(at_work_.number("SELECT max(seq) FROM revocations"), Gt(1)) << "no number is used twice";
}

TEST_P(ForcedLogoutTest, evidence_is_kept_for_ninety_days) {
  at_work_.sign_in(user_);
  at_work_.force_logout(user_, std::nullopt, operator_);
  at_work_.clock.advance(days(89));
  sweep();
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM ended_sessions"), 1);
  at_work_.clock.advance(days(2));
  sweep();
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM ended_sessions"), 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, ForcedLogoutTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
