#include "accounts/under_attack.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "accounts/testing.hpp"

namespace safawinet {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

class UnderAttackTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  UnderAttack make_node(AttackMode setting = AttackMode::automatic) {
    return UnderAttack(UnderAttack::Parts{.database = at_work_.database,
                                          .audit = at_work_.audit,
                                          .hash_pool = at_work_.hash_pool,
                                          .clock = at_work_.clock,
                                          .setting = setting});
  }
  AttackState look(UnderAttack& node) { return at_work_.run(node.look()); }
  Result<AttackState> order(UnderAttack& node, AttackMode mode, std::optional<seconds> lifetime = {}) {
    AttackOrder ordered{.mode = mode,
                        .reason = "a drill",
                        .lifetime = lifetime,
                        .acting = Operator::local("root"),
                        .origin = at_work_.origin};
    return at_work_.run(node.order(std::move(ordered)));
  }
  void refuse_logins(UnderAttack& node, std::size_t count, std::size_t networks) {
    for (std::size_t i = 0; i < count; ++i)
      node.gauge().count_refused("10.0." + std::to_string(i % networks) + ".0/24");
  }

  testing::AccountsAtWork at_work_{GetParam()};
  UnderAttack one_{make_node()};
  UnderAttack other_{make_node()};
};

TEST_P(UnderAttackTest, is_off_until_somebody_says_otherwise) {
  EXPECT_FALSE(look(one_).is_on);
  EXPECT_TRUE(order(one_, AttackMode::on).value().is_on);
  EXPECT_TRUE(one_.is_on());
  EXPECT_FALSE(other_.is_on());
  EXPECT_TRUE(look(other_).is_on);
  const auto state = at_work_.run(other_.get());
  EXPECT_EQ(state.reason, "a drill");
  EXPECT_EQ(state.ordered_by, "os:root");
  EXPECT_FALSE(state.expires_at);
  EXPECT_EQ(at_work_.audited("under-attack.ordered"), 1);
  EXPECT_FALSE(order(other_, AttackMode::automatic).value().is_on);
  EXPECT_FALSE(look(one_).is_on);
}

TEST_P(UnderAttackTest, an_order_ends_by_itself_and_the_setting_holds_again) {
  auto always = make_node(AttackMode::on);
  EXPECT_FALSE(order(always, AttackMode::off, hours(1)).value().is_on);
  at_work_.clock.advance(hours(1) - seconds(1));
  EXPECT_FALSE(look(always).is_on);
  at_work_.clock.advance(seconds(1));
  EXPECT_TRUE(look(always).is_on);
  EXPECT_EQ(look(always).reason, "");
}

TEST_P(UnderAttackTest, who_may_no_longer_order_changes_nothing) {
  const auto ada = at_work_.sign_up("ada@example.com");
  AttackOrder ordered{.mode = AttackMode::on,
                      .reason = "mine",
                      .lifetime = {},
                      .acting = Operator::person(ada, SessionId{}, Role::superadmin),
                      .origin = at_work_.origin};
  EXPECT_EQ(testing::refusal_of(at_work_.run(one_.order(std::move(ordered)))), ErrorCode::forbidden);
  EXPECT_FALSE(look(one_).is_on);
}

TEST_P(UnderAttackTest, many_refused_logins_from_many_networks_are_noticed_once_and_known_to_all_nodes) {
  refuse_logins(one_, kAttackRefusals, kAttackNetworks);
  refuse_logins(other_, kAttackRefusals, kAttackNetworks);
  EXPECT_TRUE(look(one_).is_on);
  EXPECT_TRUE(look(other_).is_on);
  EXPECT_TRUE(look(other_).noticed_at);
  EXPECT_EQ(at_work_.audited("under-attack.noticed"), 1);
  EXPECT_THAT(at_work_.text("SELECT reason FROM audit_log WHERE action = 'under-attack.noticed'"),
              ::testing::HasSubstr("120 logins refused in a minute, from 20 networks"));
}

TEST_P(UnderAttackTest, one_network_or_few_refusals_or_many_successes_are_no_attack) {
  refuse_logins(one_, 5'000, kAttackNetworks - 1);
  EXPECT_FALSE(look(one_).is_on) << "few networks";
  at_work_.clock.advance(minutes(1));
  refuse_logins(one_, kAttackRefusals - 1, 100);
  EXPECT_FALSE(look(one_).is_on) << "few refusals";
  at_work_.clock.advance(minutes(1));
  refuse_logins(one_, 299, 100);
  for (int i = 0; i < 100; ++i) one_.gauge().count_accepted();
  EXPECT_FALSE(look(one_).is_on) << "a busy morning";
  refuse_logins(one_, 1, 1);
  EXPECT_TRUE(look(one_).is_on);
}

TEST_P(UnderAttackTest, an_attack_goes_on_while_half_of_it_is_seen_and_ends_after_five_calm_minutes) {
  refuse_logins(one_, kAttackRefusals, kAttackNetworks);
  EXPECT_TRUE(look(one_).is_on);
  for (int i = 0; i < 30; ++i) {
    at_work_.clock.advance(minutes(1));
    refuse_logins(one_, kAttackRefusals / 2, kAttackNetworks / 2);
    ASSERT_TRUE(look(one_).is_on) << i;
  }
  at_work_.clock.advance(minutes(4));
  EXPECT_TRUE(look(one_).is_on);
  EXPECT_TRUE(look(other_).is_on);
  at_work_.clock.advance(minutes(1));
  EXPECT_FALSE(look(other_).is_on);
  EXPECT_FALSE(look(one_).is_on);
  EXPECT_EQ(at_work_.audited("under-attack.noticed"), 1);
  EXPECT_EQ(at_work_.audited("under-attack.passed"), 1);
}

TEST_P(UnderAttackTest, off_notices_nothing) {
  order(one_, AttackMode::off).value();
  refuse_logins(one_, kAttackRefusals, kAttackNetworks);
  EXPECT_FALSE(look(one_).is_on);
  EXPECT_EQ(at_work_.audited("under-attack.noticed"), 0);
}

TEST_P(UnderAttackTest, a_clock_that_jumps_years_ahead_and_returns_leaves_no_attack_behind) {
  at_work_.clock.jump(std::chrono::years(5));
  refuse_logins(one_, kAttackRefusals, kAttackNetworks);
  EXPECT_TRUE(look(one_).is_on);
  at_work_.clock.jump(-std::chrono::years(5));
  at_work_.clock.advance(minutes(1));
  EXPECT_FALSE(look(one_).is_on);
  refuse_logins(one_, kAttackRefusals, kAttackNetworks);
  EXPECT_TRUE(look(one_).is_on) << "a new one is noticed";
}

TEST_P(UnderAttackTest, refused_logins_are_what_is_counted) {
  at_work_.sign_up("ada@example.com");
  at_work_.visitor.is_exempt_from_limits = false;
  at_work_.log_in("ada@example.com").value();
  EXPECT_FALSE(at_work_.log_in("ada@example.com", testing::kWrongPassword));
  EXPECT_FALSE(at_work_.log_in("nobody@example.com"));
  const auto minute = at_work_.under_attack.gauge().last_minute();
  EXPECT_EQ(minute.accepted, 1U);
  EXPECT_EQ(minute.refused, 2U);
  EXPECT_EQ(minute.networks, 1U);
}

INSTANTIATE_TEST_SUITE_P(Engines, UnderAttackTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
