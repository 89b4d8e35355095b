#include "sessions/revocation_index.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/testing.hpp"

namespace safawinet {
namespace {

class RevocationIndexTest : public ::testing::Test {
 protected:
  SessionId new_session() { return SessionId::make(clock_, random_); }
  UserId new_user() { return UserId::make(clock_, random_); }

  static Revocation of_session(SessionId session) {
    return {.scope = Revocation::Scope::session, .sessions = {session}, .user = {}};
  }
  static Revocation of_user(UserId user, std::int64_t version) {
    return {.scope = Revocation::Scope::user, .sessions = {}, .user = user, .token_version = version};
  }
  static Revocation of_everybody(std::int64_t epoch, std::vector<SessionId> spared = {}) {
    return {.scope = Revocation::Scope::global, .sessions = std::move(spared), .user = {}, .epoch = epoch};
  }
  TokenStanding token(std::int64_t epoch = 1, std::int64_t version = 1) {
    return {.session = new_session(), .user = new_user(), .token_version = version, .epoch = epoch};
  }

  testing::ManualClock clock_;
  testing::SeededRandom random_;
  RevocationIndex empty_;
};

TEST_F(RevocationIndexTest, nothing_is_dead_at_first) {
  EXPECT_FALSE(empty_.is_dead(token()));
  EXPECT_EQ(empty_.epoch(), 0);
  EXPECT_EQ(empty_.ended_sessions(), 0U);
}

TEST_F(RevocationIndexTest, an_ended_session_is_dead_whatever_its_epoch_and_version_and_no_other_is) {
  auto standing = token();
  const auto index = empty_.with({of_session(standing.session)}, 1);
  EXPECT_TRUE(index.is_dead(standing));
  standing.epoch = 99;
  standing.token_version = 99;
  EXPECT_TRUE(index.is_dead(standing));
  EXPECT_FALSE(index.is_dead(token()));
}

TEST_F(RevocationIndexTest, tokens_below_the_users_version_are_dead_and_those_of_it_are_not) {
  const auto old = token(1, 1);
  auto current = old;
  current.token_version = 2;
  const auto index = empty_.with({of_user(old.user, 2)}, 1);
  EXPECT_TRUE(index.is_dead(old));
  EXPECT_FALSE(index.is_dead(current));
  EXPECT_FALSE(index.is_dead(token(1, 1)));
}

TEST_F(RevocationIndexTest, tokens_below_the_epoch_are_dead_and_those_of_it_are_not) {
  const auto old = token(1);
  const auto current = token(2);
  const auto newer = token(3);
  const auto index = empty_.with({of_everybody(2)}, 2);
  EXPECT_TRUE(index.is_dead(old));
  EXPECT_FALSE(index.is_dead(current));
  EXPECT_FALSE(index.is_dead(newer)) << "issued by a node that has read further";
}

TEST_F(RevocationIndexTest, the_epoch_counts_also_when_its_row_is_no_longer_on_record) {
  const auto index = empty_.with({}, 5);
  EXPECT_TRUE(index.is_dead(token(4)));
  EXPECT_FALSE(index.is_dead(token(5)));
}

TEST_F(RevocationIndexTest, a_spared_session_lives_on_with_its_old_token) {
  const auto spared = token(1);
  const auto other = token(1);
  const auto index = empty_.with({of_everybody(2, {spared.session})}, 2);
  EXPECT_FALSE(index.is_dead(spared));
  EXPECT_TRUE(index.is_dead(other));
}

TEST_F(RevocationIndexTest, a_spared_session_dies_with_the_next_global_logout_that_spares_another) {
  const auto spared = token(1);
  const auto other = token(1);
  const auto index = empty_.with({of_everybody(2, {spared.session}), of_everybody(3, {other.session})}, 3);
  EXPECT_TRUE(index.is_dead(spared));
  EXPECT_TRUE(index.is_dead(other)) << "it was not spared by the first one";
  auto refreshed = other;
  refreshed.epoch = 2;
  EXPECT_FALSE(index.is_dead(refreshed));
}

TEST_F(RevocationIndexTest, a_session_spared_by_every_global_logout_since_lives) {
  const auto spared = token(1);
  const auto index = empty_.with({of_everybody(2, {spared.session}), of_everybody(3, {spared.session})}, 3);
  EXPECT_FALSE(index.is_dead(spared));
}

TEST_F(RevocationIndexTest, a_global_logout_may_spare_several) {
  const auto first = token(1);
  const auto second = token(1);
  const auto index = empty_.with({of_everybody(2, {second.session, first.session})}, 2);
  EXPECT_FALSE(index.is_dead(first));
  EXPECT_FALSE(index.is_dead(second));
  EXPECT_TRUE(index.is_dead(token(1)));
}

TEST_F(RevocationIndexTest, together_two_have_all_that_either_has) {
  const auto ended = token(3);
  const auto also_ended = token(3);
  const auto changed = token(3, 1);
  const auto spared = token(1);
  const auto one = empty_.with({of_session(ended.session), of_everybody(2, {spared.session})}, 2);
  const auto other =
      empty_.with({of_session(also_ended.session), of_user(changed.user, 2), of_everybody(3, {spared.session})}, 3);
  for (const auto& both : {one.with(other), other.with(one)}) {
    EXPECT_EQ(both.ended_sessions(), 2U);
    EXPECT_EQ(both.epoch(), 3);
    for (const auto& dead : {ended, also_ended, changed, token(1), token(2)}) EXPECT_TRUE(both.is_dead(dead));
    EXPECT_FALSE(both.is_dead(spared));
    EXPECT_FALSE(both.is_dead(token(3)));
  }
}

TEST_F(RevocationIndexTest, a_spared_session_that_ends_by_itself_is_dead) {
  const auto spared = token(1);
  const auto index = empty_.with({of_everybody(2, {spared.session}), of_session(spared.session)}, 2);
  EXPECT_TRUE(index.is_dead(spared));
}

TEST_F(RevocationIndexTest, applying_the_same_twice_changes_nothing) {
  const auto standing = token();
  const std::vector<Revocation> revocations{of_session(standing.session), of_user(standing.user, 3), of_everybody(2)};
  const auto once = empty_.with(revocations, 2);
  const auto twice = once.with(revocations, 2);
  EXPECT_EQ(twice.ended_sessions(), once.ended_sessions());
  EXPECT_EQ(twice.epoch(), once.epoch());
  EXPECT_TRUE(twice.is_dead(standing));
}

TEST_F(RevocationIndexTest, a_lower_version_or_epoch_that_comes_later_brings_nothing_back) {
  const auto standing = token(1, 2);
  const auto index = empty_.with({of_user(standing.user, 3), of_everybody(4)}, 4);
  const auto later = index.with({of_user(standing.user, 2), of_everybody(3)}, 3);
  EXPECT_EQ(later.epoch(), 4);
  auto refreshed = standing;
  refreshed.epoch = 4;
  EXPECT_TRUE(later.is_dead(refreshed)) << "version 2 is below 3";
  refreshed.token_version = 3;
  EXPECT_FALSE(later.is_dead(refreshed));
}

TEST_F(RevocationIndexTest, every_order_and_grouping_gives_the_same_answers) {
  const auto ended = token(1);
  const auto spared = token(1);
  const auto plain = token(1);
  const auto current = token(3);
  std::vector<Revocation> revocations{of_session(ended.session), of_everybody(2, {spared.session}),
                                      of_everybody(3, {spared.session}), of_user(plain.user, 2)};
  std::vector<int> order{0, 1, 2, 3};
  do {
    RevocationIndex one_by_one;
    std::vector<Revocation> together;
    for (const int i : order) {
      const auto& revocation = revocations.at(static_cast<std::size_t>(i));
      one_by_one = one_by_one.with({revocation}, 1);
      together.push_back(revocation);
    }
    for (const auto& index : {one_by_one, empty_.with(together, 3)}) {
      EXPECT_TRUE(index.is_dead(ended));
      EXPECT_TRUE(index.is_dead(plain));
      EXPECT_FALSE(index.is_dead(spared));
      EXPECT_FALSE(index.is_dead(current));
    }
  } while (std::ranges::next_permutation(order).found);
}

TEST_F(RevocationIndexTest, thousands_of_ended_sessions_are_each_found) {
  std::vector<SessionId> sessions;
  RevocationIndex index;
  for (int batch = 0; batch < 20; ++batch) {
    std::vector<Revocation> revocations;
    for (int i = 0; i < 500; ++i) revocations.push_back(of_session(sessions.emplace_back(new_session())));
    index = index.with(revocations, 1);
  }
  EXPECT_EQ(index.ended_sessions(), sessions.size());
  for (const auto& session : sessions) {
    EXPECT_TRUE(index.is_dead({.session = session, .user = {}, .token_version = 1, .epoch = 1}));
  }
  EXPECT_FALSE(index.is_dead(token()));
}

}  // namespace
}  // namespace safawinet
