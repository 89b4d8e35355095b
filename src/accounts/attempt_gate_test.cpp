#include "accounts/attempt_gate.hpp"

#include <gtest/gtest.h>

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <deque>
#include <memory>
#include <vector>

#include "base/run_task.hpp"
#include "base/testing.hpp"

namespace safawinet {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

enum class Verdict { none, right, wrong, refused };

class AttemptGateTest : public ::testing::Test {
 protected:
  // One attempt that lasts for a few turns of the loop before its verdict is there.
  Task<Verdict> attempt(std::string account, bool is_right) {
    auto entered = co_await gate_.enter(std::move(account));
    if (!entered) {
      refusal_ = entered.error();
      co_return Verdict::refused;
    }
    most_at_once_ = std::max(most_at_once_, ++at_once_);
    const auto executor = co_await boost::asio::this_coro::executor;
    for (int turn = 0; turn < 3; ++turn) co_await boost::asio::post(executor, use_task);
    --at_once_;
    if (!is_right) entered->failed();
    co_return is_right ? Verdict::right : Verdict::wrong;
  }

  std::vector<Verdict> all_at_once(std::vector<Task<Verdict>> tasks) {
    std::vector<Verdict> verdicts(tasks.size());
    std::size_t left = tasks.size();
    loop_.restart();
    const auto guard = boost::asio::make_work_guard(loop_);
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      auto done = [&, i](std::exception_ptr, Verdict verdict) {
        verdicts[i] = verdict;
        if (--left == 0) loop_.stop();
      };
      boost::asio::co_spawn(loop_.get_executor(), std::move(tasks[i]), std::move(done));
    }
    loop_.run();
    return verdicts;
  }
  Verdict one(std::string account, bool is_right) {
    std::vector<Task<Verdict>> tasks;
    tasks.push_back(attempt(std::move(account), is_right));
    return all_at_once(std::move(tasks)).front();
  }
  static auto count(const std::vector<Verdict>& verdicts, Verdict verdict) {
    return std::ranges::count(verdicts, verdict);
  }

  EventLoop loop_{1};
  testing::ManualClock clock_;
  AttemptGate gate_{clock_};
  Error refusal_{.code = ErrorCode::conflict};
  int at_once_ = 0;
  int most_at_once_ = 0;
};

TEST_F(AttemptGateTest, sixty_four_wrong_ones_at_once_get_exactly_ten_verdicts) {
  std::vector<Task<Verdict>> tasks;
  for (int i = 0; i < 64; ++i) tasks.push_back(attempt("ada", false));
  const auto verdicts = all_at_once(std::move(tasks));
  EXPECT_EQ(count(verdicts, Verdict::wrong), 10);
  EXPECT_EQ(count(verdicts, Verdict::refused), 54);
  EXPECT_EQ(refusal_.code, ErrorCode::too_many_requests);
  EXPECT_EQ(refusal_.retry_after, minutes(15));
}

TEST_F(AttemptGateTest, sixty_four_right_ones_at_once_all_pass_ten_at_a_time) {
  std::vector<Task<Verdict>> tasks;
  for (int i = 0; i < 64; ++i) tasks.push_back(attempt("ada", true));
  EXPECT_EQ(count(all_at_once(std::move(tasks)), Verdict::right), 64);
  EXPECT_EQ(most_at_once_, 10);
}

TEST_F(AttemptGateTest, nine_wrong_ones_leave_room_for_any_number_of_right_ones) {
  std::vector<Task<Verdict>> tasks;
  for (int i = 0; i < 64; ++i) tasks.push_back(attempt("ada", i % 7 != 0 || i == 63));  // 0, 7, … 56: nine
  const auto verdicts = all_at_once(std::move(tasks));
  EXPECT_EQ(count(verdicts, Verdict::right), 55);
  EXPECT_EQ(count(verdicts, Verdict::wrong), 9);
  EXPECT_EQ(one("ada", true), Verdict::right);
}

TEST_F(AttemptGateTest, one_account_does_not_stand_in_the_way_of_another) {
  std::vector<Task<Verdict>> tasks;
  for (int i = 0; i < 32; ++i) tasks.push_back(attempt("ada", false));
  for (int i = 0; i < 32; ++i) tasks.push_back(attempt("bob", true));
  const auto verdicts = all_at_once(std::move(tasks));
  EXPECT_EQ(count(verdicts, Verdict::wrong), 10);
  EXPECT_EQ(count(verdicts, Verdict::right), 32);
}

TEST_F(AttemptGateTest, the_limit_refuses_right_ones_too_until_the_first_wrong_one_is_a_quarter_of_an_hour_old) {
  EXPECT_EQ(one("ada", false), Verdict::wrong);
  clock_.advance(minutes(5));
  for (int i = 0; i < 9; ++i) EXPECT_EQ(one("ada", false), Verdict::wrong);
  EXPECT_EQ(one("ada", true), Verdict::refused);
  EXPECT_EQ(refusal_.retry_after, minutes(10));
  clock_.advance(minutes(10) - seconds(1));
  EXPECT_EQ(one("ada", true), Verdict::refused);
  EXPECT_EQ(refusal_.retry_after, seconds(1));
  clock_.advance(seconds(1));
  EXPECT_EQ(one("ada", false), Verdict::wrong) << "one place is free again";
  EXPECT_EQ(one("ada", true), Verdict::refused);
}

TEST_F(AttemptGateTest, what_ends_without_a_verdict_does_not_count) {
  for (int i = 0; i < 100; ++i) EXPECT_EQ(one("ada", true), Verdict::right);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(one("ada", false), Verdict::wrong);
}

TEST_F(AttemptGateTest, those_who_wait_are_bounded) {
  std::vector<Task<Verdict>> tasks;
  for (std::size_t i = 0; i < 10 + kAttemptsWaitingLimit + 5; ++i) tasks.push_back(attempt("ada", true));
  const auto verdicts = all_at_once(std::move(tasks));
  EXPECT_EQ(count(verdicts, Verdict::refused), 5);
  EXPECT_EQ(refusal_.retry_after, seconds(1));
}

TEST_F(AttemptGateTest, the_last_place_goes_to_one_at_a_time) {
  for (int i = 0; i < 9; ++i) one("ada", false);
  most_at_once_ = 0;
  std::vector<Task<Verdict>> tasks;
  for (int i = 0; i < 20; ++i) tasks.push_back(attempt("ada", true));
  EXPECT_EQ(count(all_at_once(std::move(tasks)), Verdict::right), 20);
  EXPECT_EQ(most_at_once_, 1);
}

}  // namespace
}  // namespace safawinet
