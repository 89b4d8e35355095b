#include "cache/rate_limiter.hpp"

#include <gtest/gtest.h>

#include "base/testing.hpp"

namespace safawinet {
namespace {

constexpr RateLimit kThreeAMinute{"test", 3, std::chrono::minutes(1)};
constexpr RateLimit kOneOfThree{"test", 3, std::chrono::minutes(1), true};

class RateLimiterTest : public ::testing::Test {
 protected:
  bool take(const std::string& subject) { return !limiter_.take_now(kThreeAMinute, subject).has_value(); }

  testing::ManualClock clock_;
  MemoryRateLimiter limiter_{clock_};
};

TEST_F(RateLimiterTest, lets_exactly_as_many_through_as_the_limit_says) {
  EXPECT_TRUE(take("a"));
  EXPECT_TRUE(take("a"));
  EXPECT_TRUE(take("a"));
  EXPECT_FALSE(take("a"));
  EXPECT_TRUE(take("b")) << "others have their own count";
}

TEST_F(RateLimiterTest, says_when_there_is_room_again_and_there_is) {
  take("a");
  clock_.advance(std::chrono::seconds(20));
  take("a");
  take("a");
  EXPECT_EQ(limiter_.take_now(kThreeAMinute, "a"), std::chrono::seconds(40));
  clock_.advance(std::chrono::seconds(40));
  EXPECT_TRUE(take("a"));
  EXPECT_FALSE(take("a")) << "the two later ones still count";
}

TEST_F(RateLimiterTest, a_refused_one_does_not_count) {
  for (int i = 0; i < 10; ++i) take("a");
  clock_.advance(std::chrono::minutes(1));
  EXPECT_TRUE(take("a"));
  EXPECT_TRUE(take("a"));
  EXPECT_TRUE(take("a"));
}

TEST_F(RateLimiterTest, a_use_with_a_place_of_its_own_passes_once_although_others_have_used_up_the_count) {
  for (int i = 0; i < 5; ++i) take("a");
  EXPECT_FALSE(limiter_.take_now(kOneOfThree, "a"));
  EXPECT_TRUE(limiter_.take_now(kOneOfThree, "a"));
  EXPECT_FALSE(take("a"));
  clock_.advance(std::chrono::minutes(1));
  EXPECT_FALSE(limiter_.take_now(kOneOfThree, "a"));
}

TEST_F(RateLimiterTest, uses_with_a_place_of_their_own_alone_are_as_many_as_others) {
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(limiter_.take_now(kOneOfThree, "a"));
  EXPECT_TRUE(limiter_.take_now(kOneOfThree, "a"));
  EXPECT_FALSE(take("a"));
}

TEST_F(RateLimiterTest, what_is_given_back_does_not_count) {
  limiter_.give_back(kThreeAMinute, "a");
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(take("a"));
    limiter_.give_back(kThreeAMinute, "a");
  }
  take("a");
  take("a");
  EXPECT_TRUE(take("a"));
  EXPECT_FALSE(take("a"));
}

TEST_F(RateLimiterTest, stays_bounded_whatever_the_number_of_subjects) {
  for (std::size_t i = 0; i < kLimitedSubjectsLimit + 1000; ++i) EXPECT_TRUE(take(std::to_string(i)));
  take("last");
  take("last");
  take("last");
  EXPECT_FALSE(take("last"));
}

}  // namespace
}  // namespace safawinet
