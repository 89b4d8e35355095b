// What each mode does.
#include "access/compromise_mode.hpp"

#include <gtest/gtest.h>

#include "base/testing.hpp"

namespace safawinet {
namespace {

using std::chrono::seconds;

const Time kNow = parse_rfc3339("2026-11-28T12:00:00Z").value();

ModeInForce& set(ModeInForce& in_force, CompromiseMode mode, std::optional<Time> expires_at = {},
                 MonotonicTime now = {}) {
  in_force.set({.mode = mode, .reason = "leaked by Bob", .actor = "user:x", .since = kNow, .expires_at = expires_at},
               now);
  return in_force;
}

TEST(CompromiseModeTest, a_name_is_read_back) {
  for (const auto mode : kCompromiseModes) EXPECT_EQ(parse_compromise_mode(name_of(mode)), mode);
  EXPECT_FALSE(parse_compromise_mode("Contain"));
  EXPECT_FALSE(parse_compromise_mode(""));
}

TEST(CompromiseModeTest, normal_changes_nothing) {
  const ModeInForce in_force;
  EXPECT_EQ(in_force.access_lifetime(seconds(600)), seconds(600));
  EXPECT_EQ(in_force.refresh_grace(seconds(30)), seconds(30));
  EXPECT_TRUE(in_force.check_change_of_credentials(kNow));
  EXPECT_FALSE(usual_length_of(CompromiseMode::normal));
}

TEST(CompromiseModeTest, every_other_mode_shortens_and_ends_by_itself) {
  ModeInForce in_force;
  for (const auto mode : {CompromiseMode::watch, CompromiseMode::contain, CompromiseMode::recover}) {
    set(in_force, mode);
    EXPECT_LT(in_force.access_lifetime(seconds(600)), seconds(600)) << name_of(mode);
    EXPECT_EQ(in_force.access_lifetime(seconds(30)), seconds(30)) << "a mode makes nothing longer";
    EXPECT_TRUE(usual_length_of(mode)) << name_of(mode);
  }
}

TEST(CompromiseModeTest, the_grace_goes_with_contain_and_comes_back_with_normal) {
  ModeInForce in_force;
  EXPECT_EQ(set(in_force, CompromiseMode::watch).refresh_grace(seconds(30)), seconds(30));
  EXPECT_EQ(set(in_force, CompromiseMode::contain).refresh_grace(seconds(30)), seconds(0));
  EXPECT_EQ(set(in_force, CompromiseMode::recover).refresh_grace(seconds(30)), seconds(0));
  EXPECT_EQ(set(in_force, CompromiseMode::normal).refresh_grace(seconds(30)), seconds(30));
}

TEST(CompromiseModeTest, proofs_from_before_contain_and_recover_count_no_more) {
  ModeInForce in_force;
  testing::ManualClock clock{kNow};
  EXPECT_FALSE(set(in_force, CompromiseMode::normal).proofs_count_from(clock));
  EXPECT_FALSE(set(in_force, CompromiseMode::watch).proofs_count_from(clock));
  clock.advance(std::chrono::minutes(1));
  EXPECT_EQ(set(in_force, CompromiseMode::contain, {}, clock.monotonic()).proofs_count_from(clock), kNow);
  in_force.set({.mode = CompromiseMode::recover,
                .reason = {},
                .actor = {},
                .since = kNow + std::chrono::milliseconds(900),
                .expires_at = {}},
               clock.monotonic());
  EXPECT_EQ(in_force.proofs_count_from(clock), kNow) << "tokens say it in seconds";
}

TEST(CompromiseModeTest, a_mode_that_was_set_by_a_clock_far_ahead_keeps_nobody_out) {
  testing::ManualClock clock{kNow};
  ModeInForce in_force;
  const ModeState ahead{.mode = CompromiseMode::contain,
                        .reason = {},
                        .actor = {},
                        .since = kNow + std::chrono::years(10),
                        .expires_at = {}};
  in_force.set(ahead, clock.monotonic());
  clock.advance(std::chrono::minutes(2));
  in_force.set(ahead, clock.monotonic());
  EXPECT_EQ(in_force.proofs_count_from(clock), kNow) << "when this node first saw it";
}

TEST(CompromiseModeTest, a_mode_restricts_less_that_leaves_anything_open) {
  const auto less = [](CompromiseMode one, CompromiseMode other) {
    return restricts_less(effects_of(one), effects_of(other));
  };
  for (const auto mode : kCompromiseModes) EXPECT_FALSE(less(mode, mode));
  EXPECT_TRUE(less(CompromiseMode::normal, CompromiseMode::watch));
  EXPECT_TRUE(less(CompromiseMode::recover, CompromiseMode::contain));
  EXPECT_TRUE(less(CompromiseMode::watch, CompromiseMode::recover));
  EXPECT_FALSE(less(CompromiseMode::watch, CompromiseMode::normal));
  EXPECT_FALSE(less(CompromiseMode::contain, CompromiseMode::recover));
}

TEST(CompromiseModeTest, contain_alone_freezes_credentials_and_says_until_when_and_not_why) {
  ModeInForce in_force;
  for (const auto mode : kCompromiseModes) {
    const auto allowed = set(in_force, mode, kNow + seconds(90)).check_change_of_credentials(kNow);
    EXPECT_EQ(allowed.has_value(), mode != CompromiseMode::contain) << name_of(mode);
    if (allowed) continue;
    EXPECT_EQ(allowed.error().code, ErrorCode::frozen);
    EXPECT_EQ(allowed.error().retry_after, seconds(90));
    EXPECT_NE(allowed.error().detail.text.find("2026-11-28T12:01:30"), std::string::npos);
    EXPECT_EQ(allowed.error().detail.text.find("Bob"), std::string::npos);
  }
  const auto without_end = set(in_force, CompromiseMode::contain).check_change_of_credentials(kNow);
  EXPECT_FALSE(without_end.error().retry_after);
  const auto overdue = set(in_force, CompromiseMode::contain, kNow - seconds(5)).check_change_of_credentials(kNow);
  EXPECT_EQ(overdue.error().retry_after, seconds(1)) << "in force until it is on record that it has ended";
}

}  // namespace
}  // namespace safawinet
