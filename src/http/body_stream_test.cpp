#include "http/body_stream.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <thread>

#include "base/run_task.hpp"

namespace safawinet::http {
namespace {

// Nothing here waits so long: a test that is not woken does not end.
constexpr std::chrono::hours kForEver{24};

class StreamWaitTest : public testing::Test {
 protected:
  void wait(std::chrono::milliseconds at_most) { run_task(loop_, waiting(wait_, at_most)); }
  static Task<bool> waiting(std::shared_ptr<StreamWait> wait, std::chrono::milliseconds at_most) {
    co_await wait->wait(at_most);
    co_return true;
  }

  EventLoop loop_{1};
  std::shared_ptr<StreamWait> wait_ = std::make_shared<StreamWait>(loop_.get_executor());
};

TEST_F(StreamWaitTest, ends_after_a_while_by_itself) {
  wait(std::chrono::milliseconds(1));
  EXPECT_FALSE(wait_->is_over());
}

TEST_F(StreamWaitTest, is_woken_by_another_thread) {
  std::thread other([wake = wait_->waker()] { wake(); });
  wait(kForEver);
  other.join();
  EXPECT_FALSE(wait_->is_over());
}

TEST_F(StreamWaitTest, does_not_miss_who_woke_it_before_it_waited_and_counts_them_once) {
  const auto wake = wait_->waker();
  wake();
  wake();
  loop_.restart();
  loop_.poll();
  wait(kForEver);
  const auto began = std::chrono::steady_clock::now();
  wait(std::chrono::milliseconds(20));
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(20));
}

TEST_F(StreamWaitTest, lets_nobody_wait_once_it_is_over) {
  wait_->end();
  wait(kForEver);
  wait(kForEver);
  EXPECT_TRUE(wait_->is_over());
}

TEST_F(StreamWaitTest, may_be_woken_when_it_is_no_more) {
  const auto wake = wait_->waker();
  wait_.reset();
  wake();
  loop_.restart();
  loop_.poll();
}

}  // namespace
}  // namespace safawinet::http
