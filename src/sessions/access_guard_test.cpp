#include "sessions/access_guard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sessions/testing.hpp"

namespace safawinet {
namespace {

using ::testing::Le;
using testing::SessionsAtWork;

class AccessGuardTest : public ::testing::Test {
 protected:
  ErrorCode refusal(std::string_view token) {
    const auto caller = at_work_.guard.authenticate(token);
    if (caller) ADD_FAILURE() << "was accepted";
    return caller ? ErrorCode::conflict : caller.error().code;
  }
  AccessGuard guard_for(std::string issuer, std::string audience, std::size_t limit = kVerifiedTokensLimit) {
    return {at_work_.keyring,    at_work_.feed, at_work_.mode_in_force, at_work_.clock, std::move(issuer),
            std::move(audience), limit};
  }

  SessionsAtWork at_work_{sql::testing::kEngines.front()};
  UserId user_ = at_work_.add_user({.role = "support"});
};

TEST_F(AccessGuardTest, a_token_names_its_caller_the_first_time_and_from_memory) {
  const auto tokens = at_work_.sign_in(user_);
  for (int i = 0; i < 3; ++i) {
    const auto caller = at_work_.guard.authenticate(tokens.access_token.reveal());
    ASSERT_TRUE(caller);
    EXPECT_EQ(caller->user, user_);
    EXPECT_EQ(caller->session, at_work_.session_of(tokens));
    EXPECT_EQ(caller->role, Role::support);
    EXPECT_EQ(caller->authenticated_at, std::chrono::floor<std::chrono::seconds>(at_work_.clock.now()));
  }
}

TEST_F(AccessGuardTest, whatever_is_no_token_of_ours_is_refused_alike) {
  const std::string token(at_work_.sign_in(user_).access_token.reveal());
  auto changed = token;
  changed[token.size() / 2] = changed[token.size() / 2] == 'A' ? 'B' : 'A';
  for (const auto& text : {std::string(), std::string("nonsense"), token.substr(1), token + "A", changed,
                           token.substr(0, token.rfind('.') + 1)}) {
    EXPECT_EQ(refusal(text), ErrorCode::unauthenticated) << text;
    EXPECT_EQ(refusal(text), ErrorCode::unauthenticated) << "again: " << text;
  }
}

TEST_F(AccessGuardTest, a_token_of_another_issuer_or_for_another_audience_is_refused) {
  const std::string token(at_work_.sign_in(user_).access_token.reveal());
  auto other_issuer = guard_for("https://other.example.com", at_work_.rules.audience);
  auto other_audience = guard_for(at_work_.rules.issuer, "https://other.example.com");
  auto same = guard_for(at_work_.rules.issuer, at_work_.rules.audience);
  EXPECT_FALSE(other_issuer.authenticate(token));
  EXPECT_FALSE(other_audience.authenticate(token));
  EXPECT_TRUE(same.authenticate(token));
}

TEST_F(AccessGuardTest, a_remembered_token_expires) {
  const auto tokens = at_work_.sign_in(user_);
  EXPECT_TRUE(at_work_.is_accepted(tokens));
  at_work_.clock.advance(tokens.expires_in - std::chrono::seconds(1));
  at_work_.run(at_work_.feed.catch_up());
  EXPECT_TRUE(at_work_.is_accepted(tokens));
  at_work_.clock.advance(std::chrono::seconds(1));
  at_work_.run(at_work_.feed.catch_up());
  EXPECT_EQ(refusal(tokens.access_token.reveal()), ErrorCode::unauthenticated);
}

TEST_F(AccessGuardTest, a_token_from_before_a_mode_lives_no_longer_than_one_of_now) {
  const auto tokens = at_work_.sign_in(user_);
  const auto token = tokens.access_token.reveal();
  EXPECT_TRUE(at_work_.guard.authenticate(token));
  at_work_.clock.advance(std::chrono::seconds(90));
  at_work_.run(at_work_.feed.catch_up());
  at_work_.mode_in_force.set({.mode = CompromiseMode::watch, .reason = {}, .actor = {}, .since = {}, .expires_at = {}},
                             at_work_.clock.monotonic());
  EXPECT_TRUE(at_work_.guard.authenticate(token));
  EXPECT_EQ(at_work_.guard.inspect(token)->expires_at - at_work_.guard.inspect(token)->issued_at,
            std::chrono::minutes(5));
  at_work_.mode_in_force.set(
      {.mode = CompromiseMode::contain, .reason = {}, .actor = {}, .since = {}, .expires_at = {}},
      at_work_.clock.monotonic());
  EXPECT_EQ(refusal(token), ErrorCode::unauthenticated);
  EXPECT_FALSE(at_work_.guard.inspect(token));
  const auto fresh = at_work_.sign_in(user_);
  EXPECT_EQ(fresh.expires_in, std::chrono::seconds(60));
  EXPECT_TRUE(at_work_.guard.authenticate(fresh.access_token.reveal()));
  at_work_.clock.advance(std::chrono::seconds(60));
  at_work_.run(at_work_.feed.catch_up());
  EXPECT_EQ(refusal(fresh.access_token.reveal()), ErrorCode::unauthenticated);
}

TEST_F(AccessGuardTest, a_remembered_token_is_dead_once_it_is_revoked) {
  const auto tokens = at_work_.sign_in(user_);
  EXPECT_TRUE(at_work_.is_accepted(tokens));
  EXPECT_TRUE(at_work_.is_accepted(tokens));
  at_work_.by_hand("DELETE FROM refresh_sessions");
  EXPECT_EQ(refusal(tokens.access_token.reveal()), ErrorCode::unauthenticated);
}

TEST_F(AccessGuardTest, a_remembered_token_is_dead_once_its_key_has_left_the_keyring) {
  const auto tokens = at_work_.sign_in(user_);
  EXPECT_TRUE(at_work_.is_accepted(tokens));
  const auto former = at_work_.keyring.get();
  auto key = SigningKey::generate(SigningAlgorithm::eddsa);
  std::array<std::uint8_t, MacKey::kBytes> mac_key{};
  std::vector<std::pair<std::uint32_t, MacKey>> mac_keys{{1, MacKey(mac_key)}};
  at_work_.keyring.set(std::make_shared<const Keyring>(
      Keyring::Parts{.active = std::move(key), .verifying = {}, .mac_keys = mac_keys, .active_mac_key_id = 1}));
  EXPECT_EQ(refusal(tokens.access_token.reveal()), ErrorCode::unauthenticated);
  at_work_.keyring.set(former);
  EXPECT_TRUE(at_work_.is_accepted(tokens));
}

TEST_F(AccessGuardTest, a_token_goes_on_as_long_as_its_key_verifies) {
  const auto tokens = at_work_.sign_in(user_);
  const auto former = at_work_.keyring.get();
  auto key = SigningKey::generate(SigningAlgorithm::es256);
  std::array<std::uint8_t, MacKey::kBytes> mac_key{};
  std::vector<std::pair<std::uint32_t, MacKey>> mac_keys{{1, MacKey(mac_key)}};
  at_work_.keyring.set(
      std::make_shared<const Keyring>(Keyring::Parts{.active = std::move(key),
                                                     .verifying = {former->signing_key().verifying_key()},
                                                     .mac_keys = mac_keys,
                                                     .active_mac_key_id = 1}));
  EXPECT_TRUE(at_work_.is_accepted(tokens));
}

TEST_F(AccessGuardTest, what_it_remembers_is_bounded_however_the_tokens_come_again) {
  constexpr std::size_t kLimit = 32;
  auto guard = guard_for(at_work_.rules.issuer, at_work_.rules.audience, kLimit);
  std::vector<IssuedTokens> all;
  for (int i = 0; i < 100; ++i) {
    const auto& tokens = all.emplace_back(at_work_.sign_in(user_));
    EXPECT_TRUE(guard.authenticate(tokens.access_token.reveal()));
    // Everything that was seen before comes again and again.
    for (const auto& former : all) ASSERT_TRUE(guard.authenticate(former.access_token.reveal()));
    ASSERT_THAT(guard.remembered(), Le(2 * kLimit));
  }
}

}  // namespace
}  // namespace safawinet
