#include "accounts/attempts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "sessions/testing.hpp"

namespace safawinet {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

enum class Told { nothing, right, wrong, refused };

class AttemptsTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  // One attempt from its beginning to its end.
  Task<Told> attempt(Attempts& node, std::string account, bool is_right) {
    auto may = co_await node.may_try(account);
    if (may) may = co_await node.may_tell(account, is_right ? Attempts::Verdict::right : Attempts::Verdict::wrong);
    if (!may) {
      EXPECT_EQ(may.error().code, ErrorCode::too_many_requests);
      retry_after_ = may.error().retry_after.value();
      co_return Told::refused;
    }
    co_return is_right ? Told::right : Told::wrong;
  }
  Attempts& node(std::size_t number) { return nodes_[number % nodes_.size()]; }
  Told one(std::string account, bool is_right, std::size_t on_node = 0) {
    return at_work_.run(attempt(node(on_node), std::move(account), is_right));
  }
  static auto count(const std::vector<Told>& told, Told what) { return std::ranges::count(told, what); }
  [[nodiscard]] Attempts make_node() {
    return {at_work_.database, at_work_.clock, MacKey(at_work_.root.derive("attempts"))};
  }

  testing::SessionsAtWork at_work_{GetParam(), testing::usual_rules(), 4};
  std::vector<Attempts> nodes_{make_node(), make_node(), make_node()};
  std::atomic<seconds> retry_after_{seconds(0)};
};

TEST_P(AttemptsTest, of_three_hundred_wrong_ones_at_once_on_three_nodes_exactly_ten_get_a_verdict) {
  std::vector<Task<Told>> tasks;
  for (std::size_t i = 0; i < 300; ++i) tasks.push_back(attempt(node(i), "ada", false));
  const auto told = at_work_.run_together(std::move(tasks));
  EXPECT_EQ(count(told, Told::wrong), 10);
  EXPECT_EQ(count(told, Told::refused), 290);
  EXPECT_EQ(retry_after_.load(), minutes(15));
}

TEST_P(AttemptsTest, sixty_four_right_ones_at_once_all_pass_and_leave_nothing) {
  std::vector<Task<Told>> tasks;
  for (std::size_t i = 0; i < 64; ++i) tasks.push_back(attempt(node(i), "ada", true));
  EXPECT_EQ(count(at_work_.run_together(std::move(tasks)), Told::right), 64);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM failed_attempts"), 0);
}

TEST_P(AttemptsTest, nine_wrong_ones_leave_room_for_any_number_of_right_ones) {
  std::vector<Task<Told>> tasks;
  for (std::size_t i = 0; i < 64; ++i) tasks.push_back(attempt(node(i), "ada", i % 7 != 0 || i == 63));
  const auto told = at_work_.run_together(std::move(tasks));
  EXPECT_EQ(count(told, Told::right), 55);
  EXPECT_EQ(count(told, Told::wrong), 9);  // 0, 7, … 56
  EXPECT_EQ(one("ada", true), Told::right);
}

TEST_P(AttemptsTest, a_verdict_that_comes_after_ten_wrong_ones_is_not_told_even_if_it_is_right) {
  EXPECT_TRUE(at_work_.run(node(0).may_try("ada"))) << "before the ten";
  for (int i = 0; i < 10; ++i) EXPECT_EQ(one("ada", false), Told::wrong);
  EXPECT_FALSE(at_work_.run(node(0).may_tell("ada", Attempts::Verdict::right)));
  EXPECT_FALSE(at_work_.run(node(1).may_tell("ada", Attempts::Verdict::wrong)));
}

TEST_P(AttemptsTest, one_account_does_not_stand_in_the_way_of_another) {
  std::vector<Task<Told>> tasks;
  for (std::size_t i = 0; i < 64; ++i) tasks.push_back(attempt(node(i), i % 2 == 0 ? "ada" : "bob", i % 2 == 1));
  const auto told = at_work_.run_together(std::move(tasks));
  EXPECT_EQ(count(told, Told::wrong), 10);
  EXPECT_EQ(count(told, Told::right), 32);
}

TEST_P(AttemptsTest, the_limit_refuses_right_ones_too_until_the_first_wrong_one_is_a_quarter_of_an_hour_old) {
  EXPECT_EQ(one("ada", false), Told::wrong);
  at_work_.clock.advance(minutes(5));
  for (std::size_t i = 0; i < 9; ++i) EXPECT_EQ(one("ada", false, i), Told::wrong);
  EXPECT_EQ(one("ada", true), Told::refused);
  EXPECT_EQ(retry_after_.load(), minutes(10));
  at_work_.clock.advance(minutes(10) - seconds(1));
  EXPECT_EQ(one("ada", true, 1), Told::refused);
  EXPECT_EQ(retry_after_.load(), seconds(1));
  at_work_.clock.advance(seconds(1));
  EXPECT_EQ(one("ada", false, 2), Told::wrong) << "one place is free again";
  EXPECT_EQ(one("ada", true), Told::refused);
}

TEST_P(AttemptsTest, the_sweep_forgets_what_counts_no_more_and_nothing_else) {
  for (int i = 0; i < 10; ++i) one("ada", false);
  at_work_.clock.advance(minutes(10));
  one("bob", false);
  at_work_.run(node(0).sweep());
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM failed_attempts"), 2);
  EXPECT_EQ(one("ada", true), Told::refused);
  at_work_.clock.advance(minutes(5));
  at_work_.run(node(0).sweep());
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM failed_attempts"), 1);
  EXPECT_EQ(one("ada", true), Told::right);
}

TEST_P(AttemptsTest, what_is_kept_names_no_account) {
  one("ada@example.com", false);
  EXPECT_THAT(at_work_.text("SELECT subject FROM failed_attempts"), ::testing::Not(::testing::HasSubstr("ada")));
  EXPECT_EQ(at_work_.text("SELECT subject FROM failed_attempts").size(), 43U);
  Attempts with_another_key(at_work_.database, at_work_.clock, MacKey(at_work_.root.derive("other")));
  EXPECT_TRUE(at_work_.run(with_another_key.may_tell("ada@example.com", Attempts::Verdict::wrong)));
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM failed_attempts"), 2);
}

TEST_P(AttemptsTest, failures_of_a_node_whose_clock_is_ahead_count_and_those_of_one_that_was_far_off_do_not) {
  at_work_.clock.advance(minutes(3));
  for (int i = 0; i < 10; ++i) one("ada", false);
  at_work_.clock.advance(-minutes(3));
  EXPECT_EQ(one("ada", true), Told::refused);
  EXPECT_EQ(retry_after_.load(), minutes(18));
  at_work_.clock.advance(-minutes(20));
  EXPECT_EQ(one("ada", true), Told::right);
}

TEST_P(AttemptsTest, a_damaged_count_lets_nobody_in) {
  one("ada", false);
  at_work_.by_hand("UPDATE failed_attempts SET failed_at = 'soon'");
  EXPECT_THROW(one("ada", true), sql::BadColumn);
  const auto failed = at_work_.run(node(0).get("ada"));
  EXPECT_EQ(failed.count, 10);
  EXPECT_TRUE(failed.locked_until);
}

TEST_P(AttemptsTest, what_counts_is_told_with_the_moment_at_which_there_is_room_again) {
  EXPECT_EQ(at_work_.run(node(0).get("ada")).count, 0);
  const auto first = at_work_.clock.now();
  one("ada", false);
  at_work_.clock.advance(minutes(5));
  for (int i = 0; i < 8; ++i) one("ada", false);
  auto failed = at_work_.run(node(1).get("ada"));
  EXPECT_EQ(failed.count, 9);
  EXPECT_FALSE(failed.locked_until);
  one("ada", false);
  failed = at_work_.run(node(1).get("ada"));
  EXPECT_EQ(failed.count, 10);
  EXPECT_EQ(failed.locked_until, first + minutes(15));
  EXPECT_EQ(at_work_.run(node(1).get("bob")).count, 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, AttemptsTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
