#include "cache/redis/redis_rate_limiter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/run_task.hpp"
#include "base/testing.hpp"
#include "cache/redis/testing.hpp"

namespace safawinet {
namespace {

using namespace std::chrono_literals;
using testing::RedisServer;
using testing::ScriptedPeer;

constexpr RateLimit kThreeAMinute{"test", 3, std::chrono::minutes(1)};
constexpr RateLimit kThreeASecond{"short", 3, std::chrono::seconds(1)};

MacKey subject_key() { return MacKey(Bytes(MacKey::kBytes, 7)); }

// Nodes, each with a limiter of its own, on one server.
class Node {
 public:
  Node(EventLoop& loop, redis::ServerAddress address)
      : loop_(loop), limiter_(loop, std::move(address), subject_key(), clock_, random_) {
    auto remember = [this](bool is_up, std::string_view cause) {
      changes_.push_back(is_up ? "up" : "down: " + std::string(cause));
    };
    boost::asio::co_spawn(loop, limiter_.client().run(remember), boost::asio::detached);
  }

  bool take(const std::string& subject, const RateLimit& limit = kThreeAMinute) {
    return !run_task(loop_, limiter_.take(limit, subject)).has_value();
  }
  std::optional<std::chrono::seconds> wait_for_room(const std::string& subject,
                                                    const RateLimit& limit = kThreeAMinute) {
    return run_task(loop_, limiter_.take(limit, subject));
  }
  RedisRateLimiter& limiter() { return limiter_; }
  CacheState state() const { return limiter_.state(); }
  const std::vector<std::string>& changes() const { return changes_; }
  testing::ManualClock& clock() { return clock_; }

 private:
  EventLoop& loop_;
  testing::ManualClock clock_;
  SystemRandom random_;
  std::vector<std::string> changes_;
  RedisRateLimiter limiter_;
};

class RedisRateLimiterTest : public ::testing::Test {
 protected:
  std::unique_ptr<Node> node_at(std::uint16_t port) {
    redis::ServerAddress address;
    address.host = "127.0.0.1";
    address.port = port;
    return std::make_unique<Node>(loop_, std::move(address));
  }

  // Lets the loop run until it is so.
  bool becomes(const std::function<bool()>& condition) {
    auto wait = [&]() -> Task<bool> {
      Timer timer(loop_.get_executor());
      for (int i = 0; i < 10'000; ++i) {
        if (condition()) co_return true;
        timer.expires_after(1ms);
        co_await timer.async_wait(use_task);
      }
      co_return false;
    };
    return run_task(loop_, wait());
  }
  bool comes_up(const Node& node) {
    return becomes([&] { return node.state().is_up; });
  }
  bool goes_down(const Node& node) {
    return becomes([&] { return !node.state().is_up && !node.changes().empty(); });
  }
  // Whatever Redis does, a node lets exactly its own limit through, and says so without an error.
  static void expect_limits_of_its_own(Node& node, const std::string& subject) {
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(node.take(subject)) << i;
    EXPECT_FALSE(node.take(subject));
  }

  EventLoop loop_;
};

TEST_F(RedisRateLimiterTest, nodes_count_together) {
  const RedisServer server;
  const auto one = node_at(server.port()), other = node_at(server.port());
  EXPECT_TRUE(one->take("a"));
  EXPECT_TRUE(other->take("a"));
  EXPECT_TRUE(one->take("a"));
  EXPECT_FALSE(other->take("a"));
  EXPECT_FALSE(one->take("a"));
  EXPECT_TRUE(other->take("b")) << "others have their own count";
  EXPECT_EQ(one->state().errors + other->state().errors, 0U);
  EXPECT_GT(one->state().latency, 0us);
}

TEST_F(RedisRateLimiterTest, a_use_with_a_place_of_its_own_passes_once_although_others_have_used_up_the_count) {
  constexpr RateLimit own_place{"test", 3, std::chrono::minutes(1), true};
  const RedisServer server;
  const auto one = node_at(server.port()), other = node_at(server.port());
  for (int i = 0; i < 4; ++i) one->take("a");
  EXPECT_TRUE(other->take("a", own_place));
  EXPECT_FALSE(one->take("a", own_place));
  EXPECT_FALSE(other->take("a", own_place));
  EXPECT_FALSE(other->take("a"));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE((i == 0 ? one : other)->take("b", own_place)) << i;
  EXPECT_FALSE(one->take("b", own_place)) << "of themselves there are no more than of others";
  EXPECT_EQ(one->state().errors + other->state().errors, 0U);
}

TEST_F(RedisRateLimiterTest, exactly_as_many_pass_however_many_ask_at_once) {
  constexpr RateLimit limit{"many", 30, std::chrono::minutes(1)};
  const RedisServer server;
  std::vector<std::unique_ptr<Node>> nodes;
  for (int i = 0; i < 3; ++i) nodes.push_back(node_at(server.port()));
  for (const auto& node : nodes) ASSERT_TRUE(comes_up(*node));
  int passed = 0;
  int answered = 0;
  auto ask = [&](Node& node) -> Task<void> {
    const auto full = co_await node.limiter().take(limit, "a");
    passed += full ? 0 : 1;
    ++answered;
  };
  for (int i = 0; i < 300; ++i)
    boost::asio::co_spawn(loop_, ask(*nodes[static_cast<std::size_t>(i) % 3]), boost::asio::detached);
  ASSERT_TRUE(becomes([&] { return answered == 300; }));
  EXPECT_EQ(passed, 30);
}

// A limiter on one running loop, and callers on others, as in the process.
class RedisRateLimiterOnThreads : public ::testing::Test {
 protected:
  explicit RedisRateLimiterOnThreads() {
    address_.host = "127.0.0.1";
    address_.port = server_.port();
    limiter_ = std::make_unique<RedisRateLimiter>(*loops_.front(), address_, subject_key(), clock_, random_);
    boost::asio::co_spawn(*loops_.front(), limiter_->client().run([](bool, std::string_view) {}),
                          boost::asio::detached);
    run_task(*loops_.front(), limiter_->client().wait_for_first_try());
    loops_.front()->restart();
    for (const auto& loop : loops_) threads_.emplace_back([&loop] { loop->run(); });
  }
  ~RedisRateLimiterOnThreads() override {
    for (const auto& loop : loops_) loop->stop();
    for (auto& thread : threads_) thread.join();
    limiter_->client().abandon_waiting();
  }

  void ask(std::size_t count, const RateLimit& limit) {
    auto take = [this, &limit]() -> Task<void> {
      ++asked_;
      const auto full = co_await limiter_->take(limit, "a");
      passed_ += full ? 0U : 1U;
      ++answered_;
    };
    for (std::size_t i = 0; i < count; ++i) boost::asio::co_spawn(*loops_[1 + i % 3], take, boost::asio::detached);
  }
  static bool becomes(const std::function<bool()>& condition) {
    for (int i = 0; i < 10'000 && !condition(); ++i) std::this_thread::sleep_for(1ms);
    return condition();
  }

  const RedisServer server_;
  redis::ServerAddress address_;
  SystemClock clock_;
  SystemRandom random_;
  std::vector<std::unique_ptr<EventLoop>> loops_ = make_loops();
  std::vector<boost::asio::executor_work_guard<Executor>> guards_ = make_guards();
  std::vector<std::thread> threads_;
  std::unique_ptr<RedisRateLimiter> limiter_;
  std::atomic<std::size_t> asked_{0};
  std::atomic<std::size_t> passed_{0};
  std::atomic<std::size_t> answered_{0};

 private:
  static std::vector<std::unique_ptr<EventLoop>> make_loops() {
    std::vector<std::unique_ptr<EventLoop>> loops;
    for (int i = 0; i < 4; ++i) loops.push_back(std::make_unique<EventLoop>());
    return loops;
  }
  std::vector<boost::asio::executor_work_guard<Executor>> make_guards() const {
    std::vector<boost::asio::executor_work_guard<Executor>> guards;
    for (const auto& loop : loops_) guards.emplace_back(loop->get_executor());
    return guards;
  }
};

TEST_F(RedisRateLimiterOnThreads, one_connection_serves_callers_on_all_loops) {
  constexpr RateLimit limit{"many", 500, std::chrono::minutes(1)};
  ask(3'000, limit);
  ASSERT_TRUE(becomes([&] { return answered_ == 3'000U; }));
  EXPECT_EQ(passed_, 500U);
  EXPECT_GE(limiter_->state().calls, 500U);
}

TEST_F(RedisRateLimiterOnThreads, who_waits_when_the_loops_end_is_dropped_unheard) {
  constexpr RateLimit limit{"many", 500, std::chrono::minutes(1)};
  server_.freeze();
  ask(200, limit);
  ASSERT_TRUE(becomes([&] { return asked_ == 200U; }));
  for (const auto& loop : loops_) loop->stop();
}

TEST_F(RedisRateLimiterTest, the_window_slides_and_what_was_refused_does_not_count) {
  const RedisServer server;
  const auto one = node_at(server.port()), other = node_at(server.port());
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(one->take("a", kThreeASecond));
  EXPECT_EQ(other->wait_for_room("a", kThreeASecond), 1s);
  int refused = 0;
  ASSERT_TRUE(becomes([&] { return std::chrono::steady_clock::now() - begin > 500ms; }));
  while (!other->take("a", kThreeASecond) && std::chrono::steady_clock::now() - begin < 10s) ++refused;
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 1s);
  EXPECT_GT(refused, 3) << "else their not being counted shows nothing";
  one->clock().advance(1s);
  int passed = 1;
  for (int tries = 0; tries < 10'000 && passed < 3; ++tries) passed += one->take("a", kThreeASecond) ? 1 : 0;
  EXPECT_EQ(passed, 3);
  EXPECT_FALSE(other->take("a", kThreeASecond));
}

TEST_F(RedisRateLimiterTest, keys_expire_and_hold_no_address) {
  const RedisServer server;
  const auto node = node_at(server.port());
  ASSERT_TRUE(node->take("ada@example.com"));
  const auto key = node->limiter().key_of(kThreeAMinute, "ada@example.com");
  EXPECT_THAT(key, ::testing::MatchesRegex("safawinet:limit:1:test:[A-Za-z0-9_-]{22}"));
  EXPECT_EQ(server.ask({"LLEN", key}).number, 1);
  const auto left_ms = server.ask({"PTTL", key}).number;
  EXPECT_GT(left_ms, 0);
  EXPECT_LE(left_ms, 60'000);
  EXPECT_TRUE(becomes([&] { return server.ask({"DBSIZE"}).number == 1; })) << "the probe leaves nothing";
}

TEST_F(RedisRateLimiterTest, with_a_flushed_server_the_limits_are_those_of_the_node) {
  const RedisServer server;
  const auto node = node_at(server.port());
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(node->take("a"));
    server.tell({"FLUSHALL"});
  }
  EXPECT_FALSE(node->take("a"));
  EXPECT_EQ(node->state().errors, 0U);
}

TEST_F(RedisRateLimiterTest, a_server_that_forgot_the_script_is_told_again) {
  const RedisServer server;
  const auto one = node_at(server.port()), other = node_at(server.port());
  EXPECT_TRUE(one->take("a"));
  server.tell({"SCRIPT", "FLUSH"});
  EXPECT_TRUE(one->take("a"));
  EXPECT_TRUE(other->take("a"));
  EXPECT_FALSE(other->take("a"));
  EXPECT_EQ(one->state().errors, 0U);
}

TEST_F(RedisRateLimiterTest, entries_of_another_kind_are_removed_counted_and_let_nobody_through) {
  const RedisServer server;
  const auto node = node_at(server.port());
  const auto key = node->limiter().key_of(kThreeAMinute, "a");
  const std::vector<std::vector<std::string_view>> plants{
      {"SET", key, "x"},
      {"HSET", key, "field", "value"},
      {"ZADD", key, "1", "member"},
      {"RPUSH", key, "x", "y", "z"},
      {"RPUSH", key, "nan", "nan", "nan"},
      {"RPUSH", key, "inf", "inf", "inf"},
      {"RPUSH", key, "99999999999999999", "99999999999999999", "99999999999999999"},
  };
  for (const auto& plant : plants) {
    const auto errors = node->state().errors;
    server.tell({"DEL", key});
    server.tell(plant);
    expect_limits_of_its_own(*node, "a");
    EXPECT_EQ(node->state().errors, errors + 1) << plant[0] << ' ' << plant.back();
    EXPECT_EQ(server.ask({"TYPE", key}).text, "list") << "healed";
    EXPECT_TRUE(node->state().is_up) << "one key is no reason to do without the server";
    node->clock().advance(std::chrono::minutes(1));
  }
}

TEST_F(RedisRateLimiterTest, forged_old_uses_let_nobody_through) {
  const RedisServer server;
  const auto node = node_at(server.port());
  const auto key = node->limiter().key_of(kThreeAMinute, "a");
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(node->take("a"));
    server.tell({"DEL", key});
    server.tell({"RPUSH", key, "0", "-5", "-inf"});
  }
  EXPECT_FALSE(node->take("a"));
}

TEST_F(RedisRateLimiterTest, a_server_that_is_not_there_is_no_error_and_is_noticed_when_it_comes) {
  RedisServer server;
  server.kill();
  const auto node = node_at(server.port());
  ASSERT_TRUE(goes_down(*node));
  const auto errors = node->state().errors;
  EXPECT_GT(errors, 0U);
  const auto begin = std::chrono::steady_clock::now();
  expect_limits_of_its_own(*node, "a");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 45ms) << "nobody waits for a server that is known to be down";
  EXPECT_EQ(node->state().skipped, 3U);
  server.start();
  EXPECT_TRUE(comes_up(*node));
  EXPECT_EQ(node->changes().size(), 2U);
  EXPECT_THAT(node->changes().front(), ::testing::HasSubstr("refused"));
  EXPECT_EQ(node->changes().back(), "up");
}

TEST_F(RedisRateLimiterTest, a_server_that_dies_or_is_restarted_is_no_error) {
  RedisServer server;
  const auto node = node_at(server.port());
  EXPECT_TRUE(node->take("a"));
  server.kill();
  EXPECT_TRUE(node->take("a"));
  EXPECT_TRUE(node->take("a"));
  EXPECT_FALSE(node->take("a"));
  server.start();
  EXPECT_TRUE(comes_up(*node));
  expect_limits_of_its_own(*node, "b");
}

TEST_F(RedisRateLimiterTest, a_frozen_server_costs_a_few_callers_the_deadline_and_nobody_more) {
  const RedisServer server;
  const auto node = node_at(server.port());
  ASSERT_TRUE(node->take("a"));
  server.freeze();
  auto longest = 0ns;
  unsigned slow = 0;
  for (int i = 0; i < 30; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_TRUE(node->take(std::to_string(i)));
    const auto took = std::chrono::steady_clock::now() - begin;
    longest = std::max<std::chrono::nanoseconds>(longest, took);
    slow += took > redis::kCallDeadline / 2 ? 1 : 0;
  }
  EXPECT_LE(slow, redis::kFailuresInARow + 1);
  EXPECT_LT(longest, 4 * redis::kCallDeadline);
  EXPECT_FALSE(node->state().is_up);
  // Also while it is being tried again, which takes half a second each time.
  const auto skipped = node->state().skipped;
  for (std::uint64_t i = 1; i <= 20; ++i) {
    const auto moment = std::chrono::steady_clock::now() + 50ms;
    ASSERT_TRUE(becomes([&] { return std::chrono::steady_clock::now() >= moment; }));
    EXPECT_TRUE(node->take("later " + std::to_string(i)));
    EXPECT_EQ(node->state().skipped, skipped + i);
  }
  server.thaw();
  EXPECT_TRUE(comes_up(*node));
}

TEST_F(RedisRateLimiterTest, a_frozen_server_is_noticed_when_nobody_asks_for_anything) {
  const RedisServer server;
  const auto node = node_at(server.port());
  ASSERT_TRUE(comes_up(*node));
  server.freeze();
  EXPECT_TRUE(becomes([&] { return !node->state().is_up; }));
  server.thaw();
}

TEST_F(RedisRateLimiterTest, a_full_server_is_no_error) {
  const RedisServer server;
  const auto node = node_at(server.port());
  ASSERT_TRUE(comes_up(*node));
  server.tell({"CONFIG", "SET", "maxmemory", "1"});
  expect_limits_of_its_own(*node, "a");
  EXPECT_TRUE(goes_down(*node));
  EXPECT_THAT(node->changes().front(), ::testing::HasSubstr("OOM"));
  server.tell({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_TRUE(comes_up(*node));
}

TEST_F(RedisRateLimiterTest, a_replica_is_left_for_whatever_has_its_name_now) {
  const RedisServer server;
  const auto node = node_at(server.port());
  ASSERT_TRUE(comes_up(*node));
  server.tell({"REPLICAOF", "127.0.0.1", "1"});
  expect_limits_of_its_own(*node, "a");
  EXPECT_TRUE(goes_down(*node));
  EXPECT_THAT(node->changes().front(), ::testing::HasSubstr("READONLY"));
  server.tell({"REPLICAOF", "NO", "ONE"});
  EXPECT_TRUE(comes_up(*node));
}

TEST_F(RedisRateLimiterTest, a_lost_connection_is_replaced_at_once) {
  const RedisServer server;
  const auto node = node_at(server.port());
  ASSERT_TRUE(comes_up(*node));
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(becomes([&] { return std::chrono::steady_clock::now() - begin > redis::kProvenAfter + 50ms; }));
  server.tell({"CLIENT", "KILL", "TYPE", "normal"});
  EXPECT_TRUE(node->take("a"));
  EXPECT_EQ(server.ask({"LLEN", node->limiter().key_of(kThreeAMinute, "a")}).number, 1) << "it was counted there";
  EXPECT_TRUE(node->changes().empty());
}

TEST_F(RedisRateLimiterTest, a_user_and_a_database_of_its_own_are_used) {
  const RedisServer server;
  server.tell({"ACL", "SETUSER", "safawinet", "on", ">hush", "~safawinet:*", "resetchannels", "-@all", "+eval",
               "+evalsha", "+time", "+lindex", "+rpush", "+ltrim", "+pexpire", "+del", "+select"});
  redis::ServerAddress address;
  address.host = "127.0.0.1";
  address.port = server.port();
  address.user = "safawinet";
  address.password = SecretText("hush");
  address.database = 3;
  Node node(loop_, address);
  ASSERT_TRUE(comes_up(node));
  expect_limits_of_its_own(node, "a");
  EXPECT_EQ(node.state().errors, 0U);
  EXPECT_EQ(server.ask({"EXISTS", node.limiter().key_of(kThreeAMinute, "a")}).number, 0);

  address.password = SecretText("another");
  Node refused(loop_, address);
  ASSERT_TRUE(goes_down(refused));
  EXPECT_THAT(refused.changes().front(), ::testing::HasSubstr("WRONGPASS"));
  EXPECT_THAT(refused.changes().front(), ::testing::Not(::testing::HasSubstr("another")));
  expect_limits_of_its_own(refused, "a");
}

// The probe is answered well, and then comes this.
class RedisRateLimiterOnStrangeAnswers : public RedisRateLimiterTest,
                                         public ::testing::WithParamInterface<std::string> {};

TEST_P(RedisRateLimiterOnStrangeAnswers, keeps_to_the_limits_of_the_node_and_counts_it) {
  const ScriptedPeer peer(":0\r\n", GetParam());
  const auto node = node_at(peer.port());
  ASSERT_TRUE(comes_up(*node));
  expect_limits_of_its_own(*node, "a");
  EXPECT_GT(node->state().errors, 0U);
}

INSTANTIATE_TEST_SUITE_P(Answers, RedisRateLimiterOnStrangeAnswers,
                         ::testing::Values("+OK\r\n", "$2\r\n10\r\n", "$-1\r\n", ":-2\r\n", "*1\r\n:0\r\n",
                                           "*2147483647\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n",
                                           std::string(1'000'000, 'x'), "+" + std::string(1'000'000, 'x'),
                                           "$100000000\r\n" + std::string(100'000, 'x'), "-ERR\r\n",
                                           "-MOVED 1 127.0.0.1:1\r\n", "", ":0\r\n:0\r\n",
                                           std::string("\0\x16\x03", 3)));

TEST_F(RedisRateLimiterTest, a_refusal_that_a_server_invents_ends_with_the_window) {
  const ScriptedPeer peer(":0\r\n", ":9223372036854775807\r\n");
  const auto node = node_at(peer.port());
  ASSERT_TRUE(comes_up(*node));
  EXPECT_EQ(node->wait_for_room("a"), kThreeAMinute.window);
}

TEST_F(RedisRateLimiterTest, a_peer_that_is_no_redis_server_is_never_asked) {
  for (const std::string greeting :
       {"+OK\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "-NOAUTH Authentication required.\r\n"}) {
    const ScriptedPeer peer(greeting, greeting);
    const auto node = node_at(peer.port());
    ASSERT_TRUE(goes_down(*node));
    expect_limits_of_its_own(*node, "a");
    EXPECT_EQ(node->state().calls, 0U);
  }
}

}  // namespace
}  // namespace safawinet
