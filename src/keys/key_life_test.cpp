#include "keys/key_life.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace safawinet {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

const Time kNow{1'800'000'000s};

class KeyLifeTest : public ::testing::Test {
 protected:
  // The life of the keys that the one before it left, at this moment.
  KeyLife at(Time now) {
    return KeyLife(keys_, rules_, now, [this](const std::string& algorithm) {
      return KeyEntry{.id = "key-" + std::to_string(++made_), .algorithm = algorithm};
    });
  }
  void keep(const KeyLife& life) {
    for (const auto& key : life.changed()) {
      *std::ranges::find(keys_, key.id, &KeyEntry::id) = key;
    }
    for (const auto& key : life.made()) keys_.push_back(key);
  }
  void go_on(Time now, bool may_retire = true) {
    auto life = at(now);
    life.go_on([may_retire](const KeyEntry&) { return may_retire; });
    keep(life);
  }
  std::optional<Time> rotate(Time now) {
    auto life = at(now);
    const auto due_at = life.rotate();
    life.go_on([](const KeyEntry&) { return true; });
    keep(life);
    return due_at;
  }
  void distrust(Time now, const std::string& id) {
    auto life = at(now);
    EXPECT_TRUE(life.distrust(id));
    life.go_on([](const KeyEntry&) { return true; });
    keep(life);
  }
  // "key-1 active, key-2 next"
  std::vector<std::string> states() const {
    std::vector<std::string> all;
    for (const auto& key : keys_) all.push_back(key.id + " " + std::string(name_of(key.state)));
    return all;
  }

  KeyRules rules_{.algorithm = "EdDSA", .known_before = 5min, .verifies_after = 1h, .rotated_every = 0s};
  std::vector<KeyEntry> keys_;
  int made_ = 0;
};

TEST_F(KeyLifeTest, BeginsWithOneThatIsActiveAndOneThatWillBe) {
  go_on(kNow);
  EXPECT_THAT(states(), ElementsAre("key-1 active", "key-2 next"));
  go_on(kNow + 1h);
  EXPECT_THAT(states(), ElementsAre("key-1 active", "key-2 next"));
}

TEST_F(KeyLifeTest, ANextKeyFollowsOnlyWhenItHasBeenKnownForLongEnough) {
  go_on(kNow);
  EXPECT_EQ(rotate(kNow + 1min), kNow + 5min);
  EXPECT_THAT(states(), ElementsAre("key-1 active", "key-2 next"));
  EXPECT_EQ(rotate(kNow + 2min), kNow + 5min);  // asked twice, once due
  go_on(kNow + 5min - 1s);
  EXPECT_THAT(states(), ElementsAre("key-1 active", "key-2 next"));
  go_on(kNow + 5min);
  EXPECT_THAT(states(), ElementsAre("key-1 verifying", "key-2 active", "key-3 next"));
  EXPECT_EQ(rotate(kNow + 11min), std::nullopt);
  EXPECT_THAT(states(), ElementsAre("key-1 verifying", "key-2 verifying", "key-3 active", "key-4 next"));
}

TEST_F(KeyLifeTest, AFormerKeyVerifiesForAsLongAsItsTokensAreGood) {
  go_on(kNow);
  rotate(kNow + 10min);
  EXPECT_EQ(keys_[0].until, kNow + 10min + 1h);
  go_on(kNow + 10min + 1h - 1s);
  EXPECT_EQ(states().front(), "key-1 verifying");
  go_on(kNow + 10min + 1h, false);
  EXPECT_EQ(states().front(), "key-1 verifying");
  go_on(kNow + 10min + 1h);
  EXPECT_EQ(states().front(), "key-1 retired");
}

TEST_F(KeyLifeTest, AScheduleRotatesByItself) {
  rules_.rotated_every = std::chrono::days(90);
  go_on(kNow);
  go_on(kNow + std::chrono::days(90) - 1s);
  EXPECT_EQ(states().front(), "key-1 active");
  go_on(kNow + std::chrono::days(90));
  EXPECT_THAT(states(), ElementsAre("key-1 verifying", "key-2 active", "key-3 next"));
  go_on(kNow + std::chrono::days(90) + 10min);
  EXPECT_THAT(states(), ElementsAre("key-1 verifying", "key-2 active", "key-3 next"));
}

TEST_F(KeyLifeTest, ADistrustedKeyIsFollowedAtOnceHoweverLittleTheNextIsKnown) {
  go_on(kNow);
  distrust(kNow + 1s, "key-1");
  EXPECT_THAT(states(), ElementsAre("key-1 compromised", "key-2 active", "key-3 next"));
  distrust(kNow + 2s, "key-3");
  EXPECT_THAT(states(), ElementsAre("key-1 compromised", "key-2 active", "key-3 compromised", "key-4 next"));
  const auto before = keys_;
  distrust(kNow + 3s, "key-1");
  EXPECT_EQ(keys_, before);
}

TEST_F(KeyLifeTest, WithEveryKeyDistrustedOneIsMade) {
  go_on(kNow);
  auto life = at(kNow + 1s);
  life.distrust("key-1");
  life.distrust("key-2");
  life.go_on([](const KeyEntry&) { return true; });
  keep(life);
  EXPECT_THAT(states(), ElementsAre("key-1 compromised", "key-2 compromised", "key-3 active", "key-4 next"));
  EXPECT_FALSE(at(kNow).distrust("unknown"));
}

TEST_F(KeyLifeTest, AnotherAlgorithmIsThatOfTheNextKeyAndFollowsWhenItIsKnown) {
  go_on(kNow);
  rules_.algorithm = "ES256";
  auto life = at(kNow + 1h);
  life.demand_algorithm();
  life.go_on([](const KeyEntry&) { return true; });
  keep(life);
  EXPECT_THAT(states(), ElementsAre("key-1 active", "key-2 retired", "key-3 next"));
  EXPECT_EQ(keys_[2].algorithm, "ES256");
  go_on(kNow + 1h + 5min);
  EXPECT_THAT(states(), ElementsAre("key-1 verifying", "key-2 retired", "key-3 active", "key-4 next"));
  EXPECT_EQ(keys_[3].algorithm, "ES256");
}

TEST_F(KeyLifeTest, AnAlgorithmThatIsTakenBackBeforeItWasUsedChangesNothing) {
  go_on(kNow);
  for (const auto* algorithm : {"ES256", "EdDSA"}) {
    rules_.algorithm = algorithm;
    auto life = at(kNow + 1h);
    life.demand_algorithm();
    life.go_on([](const KeyEntry&) { return true; });
    keep(life);
  }
  go_on(kNow + 2h);
  EXPECT_EQ(states().front(), "key-1 active");
  EXPECT_EQ(keys_.back().algorithm, "EdDSA");
  EXPECT_EQ(keys_.back().state, KeyState::next);
}

// Years ahead and back: nobody waits for years, and what was retired meanwhile verifies again.
TEST_F(KeyLifeTest, AClockThatJumpsAndReturnsLosesNothing) {
  rules_.rotated_every = std::chrono::days(90);
  go_on(kNow);
  rotate(kNow + 10min);
  const auto jumped = kNow + std::chrono::days(3650);
  go_on(jumped);
  go_on(jumped + 2h);
  EXPECT_THAT(states(), ElementsAre("key-1 retired", "key-2 retired", "key-3 active", "key-4 next"));
  go_on(kNow + 15min);
  EXPECT_THAT(states(), ElementsAre("key-1 verifying", "key-2 verifying", "key-3 active", "key-4 next"));
  for (const auto& key : keys_) {
    EXPECT_LE(key.since, kNow + 15min) << key.id;
    EXPECT_LE(key.until.value_or(kNow), kNow + 15min + 1h) << key.id;
  }
  EXPECT_EQ(rotate(kNow + 16min), kNow + 20min);
}

TEST_F(KeyLifeTest, WhatAnOlderVersionLeftWithoutAnEndGetsOne) {
  keys_ = {{.id = "key-1", .algorithm = "EdDSA", .state = KeyState::verifying, .created_at = kNow, .since = kNow},
           {.id = "key-2", .algorithm = "EdDSA", .state = KeyState::active, .created_at = kNow, .since = kNow}};
  made_ = 2;
  go_on(kNow + 1min);
  EXPECT_EQ(keys_[0].until, kNow + 1min + 1h);
  EXPECT_THAT(states(), ElementsAre("key-1 verifying", "key-2 active", "key-3 next"));
}

TEST_F(KeyLifeTest, ChangesAreWrittenInAnOrderThatNeverHasTwoActiveOnes) {
  go_on(kNow);
  auto life = at(kNow + 10min);
  life.rotate();
  const auto changed = life.changed();
  ASSERT_EQ(changed.size(), 2U);
  EXPECT_EQ(changed[0].state, KeyState::verifying);
  EXPECT_EQ(changed[1].state, KeyState::active);
}

}  // namespace
}  // namespace safawinet
