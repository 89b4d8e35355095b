#include "runtime/blocking_pool.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>

#include <latch>
#include <stdexcept>
#include <string>
#include <thread>

#include "base/run_task.hpp"

namespace safawinet {
namespace {

TEST(BlockingPool, gives_what_the_work_returns) {
  EventLoop loop{1};
  BlockingPool pool(2);
  auto work = [] { return std::this_thread::get_id(); };
  EXPECT_NE(run_task(loop, pool.run(work)), std::this_thread::get_id());
}

TEST(BlockingPool, throws_what_the_work_throws) {
  EventLoop loop{1};
  BlockingPool pool(1);
  auto work = []() -> int { throw std::runtime_error("no such host"); };
  try {
    run_task(loop, pool.run(work));
    FAIL() << "nothing was thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(std::string(error.what()), "no such host");
  }
}

// What a sanitizer would tell of is part of this: dropping work ends coroutines of the loop.
TEST(BlockingPool, a_pool_that_stops_waits_for_what_runs_and_drops_what_waits) {
  EventLoop loop{1};
  BlockingPool pool(1);
  std::latch running{1};
  bool was_told_to_stop = false;
  bool has_begun_another = false;
  auto first = [&] {
    running.count_down();
    while (!pool.is_stopping()) std::this_thread::yield();
    was_told_to_stop = true;
    return 0;
  };
  auto second = [&] {
    has_begun_another = true;
    return 0;
  };
  const auto ignored = [](std::exception_ptr, int) {};
  boost::asio::co_spawn(loop.get_executor(), pool.run(first), ignored);
  boost::asio::co_spawn(loop.get_executor(), pool.run(second), ignored);
  loop.poll();
  running.wait();
  std::thread stopping([&] { pool.stop(); });
  stopping.join();
  EXPECT_TRUE(was_told_to_stop);
  EXPECT_FALSE(has_begun_another);
  loop.restart();
  loop.poll();
}

}  // namespace
}  // namespace safawinet
