// The switch, on both engines, with a clock that the test owns.
#include "incidents/mode_switch.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/run_task.hpp"
#include "base/testing.hpp"
#include "sql/testing_engines.hpp"

namespace safawinet {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using enum CompromiseMode;

// A wall clock that may jump, beside a monotonic one that does not.
class JumpingClock final : public Clock {
 public:
  [[nodiscard]] Time now() const override { return steady.now() + jump; }
  [[nodiscard]] MonotonicTime monotonic() const override { return steady.monotonic(); }

  testing::ManualClock steady{SystemClock().now()};
  std::chrono::microseconds jump{0};
};

class ModeSwitchTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  struct Node {
    explicit Node(ModeSwitchTest& test)
        : modes({.database = test.database_,
                 .audit = test.audit_,
                 .clock = test.clock_,
                 .in_force = in_force,
                 .on_change = [this](const ModeState& before, const ModeState& after) {
                   changes.push_back(std::string(name_of(before.mode)) + " to " + std::string(name_of(after.mode)));
                 }}) {}
    ModeInForce in_force;
    std::vector<std::string> changes;
    ModeSwitch modes;
  };

  template <class T>
  T run(Task<T> task) {
    return run_task(loop_, std::move(task));
  }
  Operator add_operator(std::string_view role) {
    static constexpr sql::Statement insert{
        "INSERT INTO users (id, email, password_hash, role, email_verified_at, created_at, updated_at) "
        "VALUES ($1, $2, 'unusable', $3, $4, $4, $4)"};
    const auto id = UserId::make(clock_, random_);
    run(database_.write(insert, id, id.text() + "@example.com", role, clock_.now()));
    return Operator::person(id, SessionId{}, parse_role(role).value());
  }
  ModeOrder order(CompromiseMode mode, std::optional<seconds> length = {}, std::string reason = {}) {
    return {.mode = mode,
            .reason = std::move(reason),
            .length = length,
            .acting = admin_,
            .origin = {.ip_address = "192.0.2.8", .network = {}, .user_agent = {}, .request_id = "r-1"}};
  }
  Result<ModeState> set(ModeOrder wanted) { return run(node_.modes.set(std::move(wanted))); }
  std::vector<std::string> audited() {
    static constexpr sql::Statement select{
        "SELECT action, actor, target FROM audit_log WHERE action LIKE 'mode.%' ORDER BY seq"};
    std::vector<std::string> rows;
    for (const auto& row : run(database_.read(select))) {
      rows.push_back(row.get<std::string>(0) + " " + row.get<std::string>(1).substr(0, 5) + " " +
                     row.get<std::string>(2));
    }
    return rows;
  }

  JumpingClock clock_;
  testing::SeededRandom random_;
  EventLoop loop_{1};
  std::unique_ptr<sql::testing::TestDatabase> opened_ = GetParam().open({&loop_});
  sql::Database& database_ = opened_->database();
  AuditLog audit_{clock_, random_, MacKey(Bytes(MacKey::kBytes, 7))};
  Operator admin_ = add_operator("admin");
  Node node_{*this};
};

TEST_P(ModeSwitchTest, at_first_it_is_normal) {
  run(node_.modes.look());
  EXPECT_EQ(node_.modes.state()->mode, normal);
  EXPECT_FALSE(node_.modes.state()->expires_at);
  EXPECT_FALSE(run(node_.modes.end_when_over()));
  EXPECT_TRUE(audited().empty());
}

TEST_P(ModeSwitchTest, what_is_set_is_in_force_here_at_once_and_elsewhere_with_the_next_look) {
  Node other(*this);
  run(other.modes.look());
  const auto state = set(order(contain, hours(2), "leaked"));
  ASSERT_TRUE(state);
  EXPECT_EQ(*node_.modes.state(), *state);
  EXPECT_EQ(state->expires_at, clock_.now() + hours(2));
  EXPECT_EQ(other.modes.state()->mode, normal);
  run(other.modes.look());
  EXPECT_EQ(*other.modes.state(), *state);
  EXPECT_TRUE(other.in_force.effects().freezes_credentials);
  EXPECT_EQ(other.changes.back(), "normal to contain");
  EXPECT_EQ(audited(), std::vector<std::string>{"mode.set user: mode:contain"});
}

TEST_P(ModeSwitchTest, each_has_a_usual_length_but_for_normal) {
  EXPECT_EQ(set(order(contain))->expires_at, clock_.now() + hours(24));
  EXPECT_EQ(set(order(recover))->expires_at, clock_.now() + hours(72));
  EXPECT_FALSE(set(order(normal))->expires_at);
}

TEST_P(ModeSwitchTest, setting_it_again_changes_what_is_given_and_nothing_else) {
  const auto first = set(order(contain, hours(2), "leaked")).value();
  clock_.steady.advance(seconds(10));
  EXPECT_EQ(set(order(contain)).value(), first);
  EXPECT_EQ(set(order(contain, {}, "leaked")).value(), first);
  EXPECT_EQ(audited().size(), 1U);
  const auto longer = set(order(contain, hours(3))).value();
  EXPECT_EQ(longer.since, first.since);
  EXPECT_EQ(longer.reason, "leaked");
  EXPECT_EQ(longer.expires_at, clock_.now() + hours(3));
  EXPECT_EQ(set(order(contain, {}, "leaked by mail"))->expires_at, longer.expires_at);
  EXPECT_EQ(audited().size(), 3U);
}

TEST_P(ModeSwitchTest, a_preview_says_what_would_be_and_changes_nothing) {
  auto preview = order(contain, hours(1));
  preview.is_preview = true;
  EXPECT_EQ(set(preview)->mode, contain);
  run(node_.modes.look());
  EXPECT_EQ(node_.modes.state()->mode, normal);
  EXPECT_TRUE(audited().empty());
}

TEST_P(ModeSwitchTest, a_length_that_makes_no_sense_is_refused) {
  for (const auto length : {seconds(0), seconds(-1), seconds(30 * 86400 + 1), seconds(1'000'000'000)}) {
    EXPECT_EQ(set(order(contain, length)).error().fields.at(0).pointer, "/expiresIn");
  }
  EXPECT_EQ(set(order(normal, hours(1))).error().fields.at(0).pointer, "/expiresIn");
  EXPECT_EQ(node_.modes.state()->mode, normal);
}

TEST_P(ModeSwitchTest, who_may_no_longer_do_it_changes_nothing) {
  auto wanted = order(contain);
  wanted.acting = add_operator("support");
  wanted.acting.permissions = PermissionSet::all();  // as it was when the request came in
  EXPECT_EQ(set(wanted).error().code, ErrorCode::forbidden);
  EXPECT_TRUE(audited().empty());
}

TEST_P(ModeSwitchTest, it_ends_by_itself_and_that_is_recorded_once) {
  Node other(*this);
  set(order(contain, seconds(1)));
  run(other.modes.look());
  EXPECT_FALSE(run(node_.modes.end_when_over()));
  // PostgreSQL is asked what time it is, too.
  static constexpr sql::Statement past{"UPDATE compromise_mode SET since = $1, expires_at = $2"};
  run(database_.write(past, clock_.now() - seconds(20), clock_.now() - seconds(10)));
  run(node_.modes.look());
  run(other.modes.look());
  clock_.steady.advance(seconds(1));
  EXPECT_TRUE(node_.in_force.effects().freezes_credentials) << "until it is on record";
  EXPECT_TRUE(run(node_.modes.end_when_over()));
  EXPECT_FALSE(run(other.modes.end_when_over()));
  EXPECT_FALSE(run(node_.modes.end_when_over()));
  for (auto* node : {&node_, &other}) EXPECT_EQ(node->modes.state()->mode, normal);
  EXPECT_EQ(audited(), (std::vector<std::string>{"mode.set user: mode:contain", "mode.expired syste mode:contain"}));
}

TEST_P(ModeSwitchTest, a_clock_that_jumps_ahead_and_returns_ends_nothing) {
  const auto state = set(order(contain, hours(1))).value();
  clock_.jump = std::chrono::days(5 * 365);
  EXPECT_FALSE(run(node_.modes.end_when_over()));
  run(node_.modes.look());
  EXPECT_FALSE(run(node_.modes.end_when_over()));
  clock_.jump = {};
  EXPECT_FALSE(run(node_.modes.end_when_over()));
  EXPECT_EQ(*node_.modes.state(), state);
}

TEST_P(ModeSwitchTest, what_was_set_by_a_clock_far_ahead_lasts_no_longer_than_it_was_meant_to) {
  clock_.jump = std::chrono::days(5 * 365);
  set(order(contain, seconds(60)));
  clock_.jump = {};
  Node started_later(*this);
  run(started_later.modes.look());
  clock_.steady.advance(seconds(61));
  // On PostgreSQL its clock decides, which never was ahead: there a node's clock follows it, and this cannot happen.
  const bool has_ended = run(started_later.modes.end_when_over());
  EXPECT_EQ(has_ended, GetParam().name == "sqlite");
}

TEST_P(ModeSwitchTest, an_end_that_was_moved_meanwhile_is_not_reached) {
  Node other(*this);
  set(order(contain, seconds(1)));
  run(other.modes.look());
  set(order(contain, hours(1)));
  clock_.steady.advance(seconds(2));
  EXPECT_FALSE(run(other.modes.end_when_over()));
  EXPECT_EQ(other.modes.state()->mode, contain);
}

TEST_P(ModeSwitchTest, sql_by_hand_is_obeyed_also_without_an_end) {
  opened_->run_by_hand("UPDATE compromise_mode SET mode = 'contain'");
  run(node_.modes.look());
  EXPECT_TRUE(node_.in_force.effects().freezes_credentials);
  clock_.steady.advance(std::chrono::days(40));
  EXPECT_FALSE(run(node_.modes.end_when_over()));
  EXPECT_EQ(set(order(normal))->mode, normal);
}

TEST_P(ModeSwitchTest, a_row_that_is_gone_leaves_what_was_in_force) {
  set(order(contain));
  opened_->run_by_hand("DELETE FROM compromise_mode");
  EXPECT_THROW(run(node_.modes.look()), Unavailable);
  EXPECT_TRUE(node_.in_force.effects().freezes_credentials);
}

INSTANTIATE_TEST_SUITE_P(Engines, ModeSwitchTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
