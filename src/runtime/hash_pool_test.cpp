#include "runtime/hash_pool.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>

#include <latch>
#include <thread>

#include "base/run_task.hpp"

namespace safawinet {
namespace {

HashClient from(std::string network) { return {.network = std::move(network), .has_gone = {}}; }

// Holds the only thread of a pool until it is let go.
class Occupied {
 public:
  Occupied(EventLoop& loop, HashPool& pool) {
    auto work = [gates = gates_] {
      gates->running.count_down();
      gates->release.wait();
      return 0;
    };
    boost::asio::co_spawn(loop.get_executor(), pool.run(from("192.0.2.0/24"), work),
                          [](std::exception_ptr, Result<int>) {});
    loop.poll();
    gates_->running.wait();
  }
  void release() { gates_->release.count_down(); }

 private:
  struct Gates {
    std::latch running{1};
    std::latch release{1};
  };
  std::shared_ptr<Gates> gates_ = std::make_shared<Gates>();
};

TEST(HashPool, gives_what_the_work_returns) {
  EventLoop loop(1);
  HashPool pool(2, std::chrono::seconds(2));
  auto work = [] { return 42; };
  EXPECT_EQ(run_task(loop, pool.run(from("192.0.2.0/24"), work)).value(), 42);
}

TEST(HashPool, throws_what_the_work_throws) {
  EventLoop loop(1);
  HashPool pool(1, std::chrono::seconds(2));
  auto work = []() -> int { throw std::runtime_error("broken"); };
  EXPECT_THROW(run_task(loop, pool.run(from("192.0.2.0/24"), work)), std::runtime_error);
}

TEST(HashPool, refuses_before_any_work_when_the_wait_would_be_too_long) {
  EventLoop loop(1);
  HashPool pool(1, std::chrono::milliseconds(0));
  Occupied occupied(loop, pool);
  bool has_run = false;
  auto work = [&has_run] {
    has_run = true;
    return 1;
  };
  const auto outcome = run_task(loop, pool.run(from("192.0.2.0/24"), work));
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, ErrorCode::overloaded);
  EXPECT_GE(outcome.error().retry_after.value().count(), 1);
  EXPECT_FALSE(has_run);
  EXPECT_EQ(pool.state().refused, 1U);
  occupied.release();
}

TEST(HashPool, does_no_work_for_a_client_that_has_gone) {
  EventLoop loop(1);
  HashPool pool(1, std::chrono::seconds(2));
  bool has_run = false;
  auto work = [&has_run] {
    has_run = true;
    return 1;
  };
  HashClient gone{.network = "192.0.2.0/24", .has_gone = [] { return true; }};
  EXPECT_FALSE(run_task(loop, pool.run(std::move(gone), work)).has_value());
  EXPECT_FALSE(has_run);
  EXPECT_EQ(pool.state().abandoned, 1U);
}

TEST(HashPool, one_network_with_many_jobs_delays_another_by_one) {
  EventLoop loop(1);
  HashPool pool(1, std::chrono::seconds(60));
  Occupied occupied(loop, pool);
  std::vector<std::string> order;
  const auto queue = [&](const std::string& network) {
    auto work = [&order, network] {
      order.push_back(network);
      return 0;
    };
    boost::asio::co_spawn(loop.get_executor(), pool.run(from(network), work), [](std::exception_ptr, Result<int>) {});
    loop.poll();
  };
  for (int i = 0; i < 5; ++i) queue("attacker");
  queue("victim");
  occupied.release();
  auto last = [] { return 0; };
  run_task(loop, pool.run(from("z"), last)).value();
  run_task(loop, pool.run(from("attacker"), last)).value();
  ASSERT_EQ(order.size(), 6U);
  EXPECT_EQ(order[1], "victim");
}

TEST(HashPool, under_attack_unknown_devices_get_half_of_the_queue_and_known_ones_the_rest) {
  EventLoop loop(1);
  HashPool pool(1, std::chrono::milliseconds(400));  // a job is taken for 20 ms at first: 20 may wait
  Occupied occupied(loop, pool);
  const auto queue = [&](const std::string& network, bool is_known_device) {
    HashClient client{.network = network, .has_gone = {}, .is_known_device = is_known_device};
    auto work = [] { return 0; };
    const auto refused_before = pool.state().refused;
    boost::asio::co_spawn(loop.get_executor(), pool.run(std::move(client), work),
                          [](std::exception_ptr, Result<int>) {});
    loop.poll();
    return pool.state().refused == refused_before;
  };
  const auto admitted = [&](const std::string& name, bool is_known_device) {
    int count = 0;
    for (int i = 0; i < 30; ++i) count += queue(name + std::to_string(i), is_known_device) ? 1 : 0;
    return count;
  };
  pool.keep_room_for_known_devices(true);
  EXPECT_EQ(admitted("stranger", false), 10);
  EXPECT_EQ(admitted("known", true), 10);
  EXPECT_FALSE(queue("one more", true));
  pool.keep_room_for_known_devices(false);
  EXPECT_FALSE(queue("one more", false));
  occupied.release();
  auto last = [] { return 0; };
  while (pool.state().waiting > 0) std::this_thread::yield();
  run_task(loop, pool.run(from("z"), last)).value();
}

}  // namespace
}  // namespace safawinet
