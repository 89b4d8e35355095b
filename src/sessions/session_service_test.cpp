#include "sessions/session_service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sessions/testing.hpp"

namespace safawinet {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::SessionsAtWork;
using ::testing::SizeIs;

class SessionServiceTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  std::int64_t sessions_alive() { return at_work_.number("SELECT count(*) FROM refresh_sessions"); }
  std::int64_t ended_for(const char* reason) {
    return at_work_.number("SELECT count(*) FROM ended_sessions WHERE reason = $1", reason);
  }
  void wait(microseconds by) {
    at_work_.clock.advance(by);
    at_work_.run(at_work_.feed.catch_up());  // as a living node does
  }
  AccessClaims claims_of(const IssuedTokens& tokens) {
    const AccessExpectations expected{
        .issuer = at_work_.rules.issuer, .audience = at_work_.rules.audience, .now = at_work_.clock.now()};
    return at_work_.keyring.get()->verify_access_token(tokens.access_token.reveal(), expected).value();
  }

  SessionsAtWork at_work_{GetParam()};
  UserId user_ = at_work_.add_user({.role = "support"});
};

class StrictSessionServiceTest : public SessionServiceTest {
 protected:
  SessionsAtWork strict_{GetParam(), testing::rules_with_grace(seconds(0))};
};

TEST_P(SessionServiceTest, a_login_gives_tokens_that_say_what_the_database_says) {
  const auto tokens = at_work_.sign_in(user_);
  const auto claims = claims_of(tokens);
  EXPECT_EQ(claims.subject, user_);
  EXPECT_EQ(claims.session, at_work_.session_of(tokens));
  EXPECT_EQ(claims.role, "support");
  EXPECT_EQ(claims.epoch, 1);
  EXPECT_EQ(claims.token_version, 1);
  EXPECT_EQ(claims.client_id, "safawinet");
  EXPECT_THAT(claims.methods, ElementsAre("pwd"));
  EXPECT_EQ(claims.expires_at - claims.issued_at, minutes(10));
  EXPECT_EQ(tokens.expires_in, minutes(10));
  EXPECT_TRUE(at_work_.is_accepted(tokens));
}

TEST_P(SessionServiceTest, two_logins_are_two_sessions) {
  const auto first = at_work_.sign_in(user_);
  const auto second = at_work_.sign_in(user_);
  EXPECT_NE(at_work_.session_of(first), at_work_.session_of(second));
  EXPECT_EQ(sessions_alive(), 2);
}

TEST_P(SessionServiceTest, a_login_cannot_slip_past_a_deactivation_a_credential_change_or_a_missing_proof) {
  const auto unproved = at_work_.add_user({.email = "new@example.com", .is_verified = false});
  EXPECT_EQ(at_work_.try_sign_in(unproved).error().code, ErrorCode::invalid_credentials);
  at_work_.by_hand("UPDATE users SET credential_version = 2");
  EXPECT_EQ(at_work_.try_sign_in(user_, 1).error().code, ErrorCode::invalid_credentials);
  EXPECT_TRUE(at_work_.try_sign_in(user_, 2));
  at_work_.by_hand("UPDATE users SET is_active = false");
  EXPECT_EQ(at_work_.try_sign_in(user_, 2).error().code, ErrorCode::invalid_credentials);
  at_work_.by_hand("DELETE FROM users");
  EXPECT_EQ(at_work_.try_sign_in(user_, 2).error().code, ErrorCode::invalid_credentials);
  EXPECT_EQ(sessions_alive(), 0);
}

// Rotation.

TEST_P(SessionServiceTest, a_refresh_gives_the_successor_and_keeps_the_session) {
  auto tokens = at_work_.sign_in(user_);
  const auto session = at_work_.session_of(tokens);
  for (std::uint64_t generation = 2; generation < 6; ++generation) {
    wait(minutes(1));
    auto next = at_work_.refresh(tokens.refresh_token);
    ASSERT_TRUE(next);
    EXPECT_NE(next->refresh_token.reveal(), tokens.refresh_token.reveal());
    EXPECT_EQ(at_work_.parsed(next->refresh_token).generation, generation);
    EXPECT_EQ(at_work_.session_of(*next), session);
    EXPECT_TRUE(at_work_.is_accepted(*next));
    EXPECT_TRUE(at_work_.is_accepted(tokens)) << "a refresh ends no access token";
    tokens = std::move(*next);
  }
  EXPECT_EQ(sessions_alive(), 1);
}

TEST_P(SessionServiceTest, the_time_of_the_login_stays_in_refreshed_tokens) {
  const auto tokens = at_work_.sign_in(user_);
  const auto signed_in_at = claims_of(tokens).authenticated_at;
  wait(hours(1));
  EXPECT_EQ(claims_of(at_work_.refresh(tokens.refresh_token).value()).authenticated_at, signed_in_at);
}

TEST_P(SessionServiceTest, whatever_is_no_refresh_token_of_ours_is_refused_and_changes_nothing) {
  const auto tokens = at_work_.sign_in(user_);
  const std::string good(tokens.refresh_token.reveal());
  auto changed = good;
  changed[20] = changed[20] == 'A' ? 'B' : 'A';
  for (const auto& text : {std::string(), std::string("nonsense"), changed, good + "A", good.substr(0, 40),
                           std::string(tokens.access_token.reveal())}) {
    const auto answer = at_work_.refresh(SecretText(text));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::unauthenticated);
  }
  EXPECT_TRUE(at_work_.refresh(tokens.refresh_token));
}

TEST_P(SessionServiceTest, a_generation_that_was_never_given_out_is_refused_and_ends_nothing) {
  const auto tokens = at_work_.sign_in(user_);
  auto forged = at_work_.parsed(tokens.refresh_token);
  forged.generation = 7;
  const SecretText text(at_work_.keyring.get()->format_refresh_token(forged));
  EXPECT_FALSE(at_work_.refresh(text));
  EXPECT_TRUE(at_work_.refresh(tokens.refresh_token));
}

// Grace: a lost answer may be asked for again.

TEST_P(SessionServiceTest, the_same_token_again_within_grace_gives_the_same_successor_byte_for_byte) {
  const auto tokens = at_work_.sign_in(user_);
  const auto first = at_work_.refresh(tokens.refresh_token).value();
  wait(seconds(29));
  const auto again = at_work_.refresh(tokens.refresh_token);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->refresh_token.reveal(), first.refresh_token.reveal());
  EXPECT_TRUE(at_work_.is_accepted(*again));
  EXPECT_NE(again->access_token.reveal(), first.access_token.reveal()) << "the access token is a fresh one";
  EXPECT_EQ(sessions_alive(), 1);
  EXPECT_THAT(at_work_.take_mails(), IsEmpty());
}

TEST_P(SessionServiceTest, a_successor_is_derived_with_the_key_of_its_predecessor) {
  const auto tokens = at_work_.sign_in(user_);
  const auto first = at_work_.refresh(tokens.refresh_token).value();
  const auto former = at_work_.keyring.get();
  auto parts = Keyring::Parts{.active = SigningKey::from_pkcs8(former->signing_key().pkcs8()),
                              .verifying = {},
                              .mac_keys = {{1, *former->find_mac_key(1)}, {2, MacKey(Bytes(MacKey::kBytes, 7))}},
                              .active_mac_key_id = 2};
  at_work_.keyring.set(std::make_shared<const Keyring>(std::move(parts)));
  EXPECT_EQ(at_work_.refresh(tokens.refresh_token)->refresh_token.reveal(), first.refresh_token.reveal());
  EXPECT_EQ(at_work_.parsed(at_work_.sign_in(user_).refresh_token).key_id, 2U);
}

TEST_P(SessionServiceTest, the_grace_ends_after_its_seconds) {
  const auto tokens = at_work_.sign_in(user_);
  const auto successor = at_work_.refresh(tokens.refresh_token).value();
  wait(seconds(30));
  EXPECT_FALSE(at_work_.refresh(tokens.refresh_token));
  EXPECT_TRUE(at_work_.is_dead(successor)) << "its use was reuse";
}

TEST_P(SessionServiceTest, the_grace_ends_when_the_successor_is_used) {
  const auto tokens = at_work_.sign_in(user_);
  const auto second = at_work_.refresh(tokens.refresh_token).value();
  const auto third = at_work_.refresh(second.refresh_token).value();
  EXPECT_FALSE(at_work_.refresh(tokens.refresh_token)) << "within 30 seconds, but its successor was used";
  EXPECT_TRUE(at_work_.is_dead(third));
}

TEST_P(SessionServiceTest, the_grace_counts_from_the_rotation_and_repeats_do_not_lengthen_it) {
  const auto tokens = at_work_.sign_in(user_);
  EXPECT_TRUE(at_work_.refresh(tokens.refresh_token));
  wait(seconds(20));
  EXPECT_TRUE(at_work_.refresh(tokens.refresh_token));
  wait(seconds(10));
  EXPECT_FALSE(at_work_.refresh(tokens.refresh_token));
}

TEST_P(SessionServiceTest, a_mode_takes_the_grace_away_and_makes_access_tokens_short) {
  const auto first = at_work_.sign_in(user_);
  EXPECT_EQ(first.expires_in, minutes(10));
  at_work_.mode_in_force.set(
      {.mode = CompromiseMode::contain, .reason = {}, .actor = {}, .since = {}, .expires_at = {}},
      at_work_.clock.monotonic());
  const auto second = at_work_.refresh(first.refresh_token);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->expires_in, minutes(1));
  EXPECT_FALSE(at_work_.refresh(first.refresh_token)) << "reuse at once";
  EXPECT_FALSE(at_work_.refresh(second->refresh_token));
}

TEST_P(StrictSessionServiceTest, without_grace_the_second_use_is_reuse) {
  const auto tokens = strict_.sign_in(strict_.add_user());
  const auto successor = strict_.refresh(tokens.refresh_token).value();
  EXPECT_FALSE(strict_.refresh(tokens.refresh_token));
  EXPECT_TRUE(strict_.is_dead(successor));
  EXPECT_THAT(strict_.take_mails(), SizeIs(1));
}

TEST_P(StrictSessionServiceTest, without_grace_a_clock_that_goes_back_gives_none) {
  const auto tokens = strict_.sign_in(strict_.add_user());
  EXPECT_TRUE(strict_.refresh(tokens.refresh_token));
  strict_.clock.advance(-seconds(5));
  EXPECT_FALSE(strict_.refresh(tokens.refresh_token));
}

// Reuse: somebody else has a copy.

TEST_P(SessionServiceTest, reuse_ends_the_session_once_with_one_mail_and_one_audit_row) {
  const auto stolen = at_work_.sign_in(user_);
  const auto other_device = at_work_.sign_in(user_);
  auto current = at_work_.refresh(stolen.refresh_token).value();
  current = at_work_.refresh(current.refresh_token).value();
  for (int i = 0; i < 3; ++i) {
    const auto answer = at_work_.refresh(stolen.refresh_token);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::unauthenticated);
  }
  EXPECT_TRUE(at_work_.is_dead(current));
  EXPECT_TRUE(at_work_.is_accepted(other_device));
  EXPECT_EQ(ended_for("reuse"), 1);

  const auto mails = at_work_.take_mails();
  ASSERT_THAT(mails, SizeIs(1));
  EXPECT_EQ(mails.front().to, "ada@example.com");
  EXPECT_THAT(mails.front().text, HasSubstr("Firefox on Linux"));

  const auto audited =
      at_work_.rows("SELECT outcome, actor, target, ip_address, request_id, reason FROM audit_log WHERE action = $1",
                    "session.refresh-token-reused");
  ASSERT_EQ(audited.size(), 1U);
  EXPECT_EQ(audited.front().get<std::string>(0), "refused");
  EXPECT_EQ(audited.front().get<std::string>(1), "anonymous");
  EXPECT_EQ(audited.front().get<std::string>(2), "user:" + user_.text());
  EXPECT_EQ(audited.front().get<std::string>(3), "192.0.2.8");
  EXPECT_EQ(audited.front().get<std::string>(4), "r-1");
  EXPECT_THAT(audited.front().get<std::string>(5), HasSubstr("session:" + at_work_.session_of(stolen).text()));
}

TEST_P(SessionServiceTest, an_old_token_of_a_session_that_has_ended_raises_no_alarm) {
  const auto first = at_work_.sign_in(user_);
  auto current = at_work_.refresh(first.refresh_token).value();
  current = at_work_.refresh(current.refresh_token).value();
  at_work_.run(at_work_.sessions.end_by_token(current.refresh_token, at_work_.origin));
  EXPECT_FALSE(at_work_.refresh(first.refresh_token));
  EXPECT_THAT(at_work_.take_mails(), IsEmpty());
}

// Lifetimes.

TEST_P(SessionServiceTest, a_session_that_is_not_used_ends_and_one_that_is_goes_on) {
  const auto idle = at_work_.sign_in(user_);
  auto used = at_work_.sign_in(user_);
  wait(days(7));
  used = at_work_.refresh(used.refresh_token).value();
  wait(days(7) - seconds(1));
  EXPECT_EQ(at_work_.run(at_work_.sessions.list(user_, std::nullopt, 10)).size(), 2U);
  wait(seconds(1));
  EXPECT_EQ(at_work_.refresh(idle.refresh_token).error().code, ErrorCode::unauthenticated);
  EXPECT_TRUE(at_work_.refresh(used.refresh_token));
  EXPECT_EQ(at_work_.run(at_work_.sessions.list(user_, std::nullopt, 10)).size(), 1U);
}

TEST_P(SessionServiceTest, no_use_carries_a_session_past_its_absolute_end) {
  auto tokens = at_work_.sign_in(user_);
  for (int day = 10; day < 30; day += 10) {
    wait(days(10));
    tokens = at_work_.refresh(tokens.refresh_token).value();
  }
  wait(days(10) - minutes(3));
  tokens = at_work_.refresh(tokens.refresh_token).value();
  EXPECT_LE(tokens.expires_in, minutes(3)) << "no access token outlives the session";
  EXPECT_GT(tokens.expires_in, minutes(2));
  wait(minutes(3));
  EXPECT_TRUE(at_work_.is_dead(tokens));
}

TEST_P(SessionServiceTest, an_expired_session_ends_without_an_alarm_whichever_token_is_shown) {
  const auto first = at_work_.sign_in(user_);
  auto current = at_work_.refresh(first.refresh_token).value();
  current = at_work_.refresh(current.refresh_token).value();
  wait(days(14));
  EXPECT_FALSE(at_work_.refresh(first.refresh_token));
  EXPECT_FALSE(at_work_.refresh(current.refresh_token));
  EXPECT_THAT(at_work_.take_mails(), IsEmpty());
}

// One's own devices.

TEST_P(SessionServiceTest, a_list_shows_the_devices_as_they_are) {
  const auto tokens = at_work_.sign_in(user_);
  const auto signed_in_at = at_work_.clock.now();
  wait(hours(1));
  EXPECT_TRUE(at_work_.refresh(tokens.refresh_token));
  const auto sessions = at_work_.run(at_work_.sessions.list(user_, std::nullopt, 10));
  ASSERT_THAT(sessions, SizeIs(1));
  EXPECT_EQ(sessions[0].id, at_work_.session_of(tokens));
  EXPECT_EQ(sessions[0].device.name, "Firefox on Linux");
  EXPECT_EQ(sessions[0].device.ip_address, "192.0.2.8") << "that of the refresh";
  EXPECT_EQ(sessions[0].created_at, signed_in_at);
  EXPECT_EQ(sessions[0].last_used_at, at_work_.clock.now());
  EXPECT_EQ(sessions[0].expires_at, at_work_.clock.now() + days(14));
}

TEST_P(SessionServiceTest, a_logout_by_any_token_of_the_session_ends_it_and_twice_is_fine) {
  const auto first = at_work_.sign_in(user_);
  const auto second = at_work_.refresh(first.refresh_token).value();
  at_work_.run(at_work_.sessions.end_by_token(first.refresh_token, at_work_.origin));
  EXPECT_TRUE(at_work_.is_dead(second));
  at_work_.run(at_work_.sessions.end_by_token(first.refresh_token, at_work_.origin));
  at_work_.run(at_work_.sessions.end_by_token(SecretText("nonsense"), at_work_.origin));
  EXPECT_EQ(ended_for("logout"), 1);
  EXPECT_EQ(at_work_.text("SELECT actor FROM ended_sessions"), "user:" + user_.text());
}

TEST_P(SessionServiceTest, one_session_is_ended_by_its_owner_only) {
  const auto other = at_work_.add_user({.email = "bob@example.com"});
  const auto tokens = at_work_.sign_in(user_);
  const auto session = at_work_.session_of(tokens);
  EXPECT_EQ(at_work_.run(at_work_.sessions.end_one(other, session, "ended-by-user", at_work_.origin)).error().code,
            ErrorCode::not_found);
  EXPECT_TRUE(at_work_.is_accepted(tokens));
  EXPECT_TRUE(at_work_.run(at_work_.sessions.end_one(user_, session, "ended-by-user", at_work_.origin)));
  EXPECT_TRUE(at_work_.is_dead(tokens));
  EXPECT_EQ(at_work_.run(at_work_.sessions.end_one(user_, session, "ended-by-user", at_work_.origin)).error().code,
            ErrorCode::not_found);
}

TEST_P(SessionServiceTest, ending_the_others_leaves_this_one_and_those_of_other_people) {
  const auto bob = at_work_.add_user({.email = "bob@example.com"});
  const auto current = at_work_.sign_in(user_);
  const auto second = at_work_.sign_in(user_);
  const auto third = at_work_.sign_in(user_);
  const auto of_bob = at_work_.sign_in(bob);
  EXPECT_EQ(at_work_.run(at_work_.sessions.end_others(user_, at_work_.session_of(current), at_work_.origin)), 2);
  EXPECT_TRUE(at_work_.is_dead(second));
  EXPECT_TRUE(at_work_.is_dead(third));
  EXPECT_TRUE(at_work_.is_accepted(current));
  EXPECT_TRUE(at_work_.is_accepted(of_bob));
  EXPECT_EQ(at_work_.run(at_work_.sessions.end_others(user_, at_work_.session_of(current), at_work_.origin)), 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, SessionServiceTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());
INSTANTIATE_TEST_SUITE_P(Engines, StrictSessionServiceTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
