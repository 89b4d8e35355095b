#include "api/idempotency.hpp"

#include <gtest/gtest.h>

#include "accounts/testing.hpp"

namespace safawinet::api {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class IdempotencyTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  Result<Idempotency::Claim> claim(std::string caller, std::string_view key, std::string_view body = "{}",
                                   std::string_view path = "/v1/auth/force-logout") {
    return claim_on(idempotency_, std::move(caller), key, body, path);
  }
  Result<Idempotency::Claim> claim_on(Idempotency& node, std::string caller, std::string_view key,
                                      std::string_view body = "{}", std::string_view path = "/v1/auth/force-logout") {
    http::Request request;
    request.method = http::Method::post;
    request.path = path;
    request.body = body;
    // In an optional, since what a loop runs to its end must have a default.
    auto claiming = [&]() -> Task<std::optional<Result<Idempotency::Claim>>> {
      co_return co_await node.claim(std::move(caller), key, request);
    };
    return at_work_.run(claiming()).value();
  }
  void answer(Idempotency::Claim& claimed, unsigned status, std::string body) {
    const http::Response response{.status = status, .content_type = "application/json", .body = std::move(body)};
    at_work_.run(claimed.settle(response));
  }
  void do_once(std::string caller, std::string_view key, std::string body = R"({"sessionsEnded":1})") {
    auto claimed = claim(std::move(caller), key);
    ASSERT_TRUE(claimed);
    ASSERT_FALSE(claimed->earlier_answer());
    answer(*claimed, 200, std::move(body));
  }

  testing::SessionsAtWork at_work_{GetParam()};
  Idempotency idempotency_{at_work_.database, at_work_.clock, MacKey(at_work_.root.derive("idempotency"))};
  Idempotency other_node_{at_work_.database, at_work_.clock, MacKey(at_work_.root.derive("idempotency"))};
};

TEST_P(IdempotencyTest, the_same_request_again_gets_the_same_answer) {
  do_once("user:1", "key");
  for (int i = 0; i < 2; ++i) {
    const auto again = claim("user:1", "key");
    ASSERT_TRUE(again);
    ASSERT_TRUE(again->earlier_answer());
    EXPECT_EQ(again->earlier_answer()->status, 200U);
    EXPECT_EQ(again->earlier_answer()->body, R"({"sessionsEnded":1})");
    EXPECT_EQ(again->earlier_answer()->content_type, "application/json");
  }
}

TEST_P(IdempotencyTest, another_request_with_the_same_key_is_a_conflict) {
  do_once("user:1", "key");
  EXPECT_EQ(claim("user:1", "key", R"({"reason":"x"})").error().code, ErrorCode::conflict);
  EXPECT_EQ(claim("user:1", "key", "{}", "/v1/auth/register").error().code, ErrorCode::conflict);
  EXPECT_TRUE(claim("user:1", "key")->earlier_answer()) << "the refusal changes nothing";
}

TEST_P(IdempotencyTest, a_key_belongs_to_its_caller) {
  do_once("user:1", "key");
  const auto other = claim("user:2", "key", R"({"reason":"x"})");
  ASSERT_TRUE(other);
  EXPECT_FALSE(other->earlier_answer());
}

TEST_P(IdempotencyTest, a_key_is_refused_on_every_node_while_its_request_is_under_way) {
  auto first = claim("user:1", "key");
  ASSERT_TRUE(first);
  EXPECT_FALSE(first->earlier_answer());
  EXPECT_EQ(claim("user:1", "key").error().code, ErrorCode::conflict);
  EXPECT_EQ(claim_on(other_node_, "user:1", "key").error().code, ErrorCode::conflict);
  EXPECT_TRUE(claim_on(other_node_, "user:2", "key"));
  EXPECT_TRUE(claim_on(other_node_, "user:1", "other"));
  answer(*first, 200, "{}");
  const auto after = claim_on(other_node_, "user:1", "key");
  ASSERT_TRUE(after);
  EXPECT_EQ(after->earlier_answer()->body, "{}");
}

TEST_P(IdempotencyTest, a_key_is_free_when_its_request_ended_without_an_answer) {
  for (int i = 0; i < 2; ++i) {
    auto claimed = claim("user:1", "key");
    ASSERT_TRUE(claimed);
    ASSERT_FALSE(claimed->earlier_answer());
    at_work_.run(claimed->release());
  }
}

TEST_P(IdempotencyTest, of_many_at_once_one_is_done) {
  std::vector<Task<int>> tasks;
  std::vector<http::Request> requests(32);
  const auto claim_one = [](Idempotency& node, const http::Request& request) -> Task<int> {
    const auto claimed = co_await node.claim("user:1", "key", request);
    co_return claimed && !claimed->earlier_answer() ? 1 : 0;
  };
  for (std::size_t i = 0; i < requests.size(); ++i) {
    tasks.push_back(claim_one(i % 2 == 0 ? idempotency_ : other_node_, requests[i]));
  }
  int done = 0;
  for (const int one : at_work_.run_together(std::move(tasks))) done += one;
  EXPECT_EQ(done, 1);
}

TEST_P(IdempotencyTest, a_node_that_died_keeps_its_key_for_a_minute_and_cannot_settle_it_later) {
  auto of_the_dead = claim("user:1", "key");
  ASSERT_TRUE(of_the_dead);
  at_work_.clock.advance(seconds(59));
  EXPECT_EQ(claim_on(other_node_, "user:1", "key").error().code, ErrorCode::conflict);
  at_work_.clock.advance(seconds(1));
  auto next = claim_on(other_node_, "user:1", "key", R"({"reason":"x"})");
  ASSERT_TRUE(next) << "with whatever request";
  EXPECT_FALSE(next->earlier_answer());
  at_work_.run(of_the_dead->release());
  answer(*of_the_dead, 200, "of the dead");
  EXPECT_EQ(claim("user:1", "key", R"({"reason":"x"})").error().code, ErrorCode::conflict) << "still under way";
  answer(*next, 200, "of the next");
  EXPECT_EQ(claim("user:1", "key", R"({"reason":"x"})")->earlier_answer()->body, "of the next");
}

TEST_P(IdempotencyTest, only_success_is_kept) {
  for (const unsigned status : {400U, 422U, 429U, 500U, 503U}) {
    auto claimed = claim("user:1", "key");
    ASSERT_TRUE(claimed);
    ASSERT_FALSE(claimed->earlier_answer()) << status;
    answer(*claimed, status, "{}");
  }
}

TEST_P(IdempotencyTest, an_answer_is_kept_for_a_day) {
  do_once("user:1", "key");
  at_work_.clock.advance(hours(24) - seconds(1));
  at_work_.run(idempotency_.sweep());
  EXPECT_TRUE(claim("user:1", "key")->earlier_answer());
  at_work_.clock.advance(seconds(1));
  do_once("user:1", "key", "{}");
  EXPECT_EQ(claim("user:1", "key")->earlier_answer()->body, "{}") << "the newer answer";
  at_work_.clock.advance(hours(24));
  at_work_.run(idempotency_.sweep());
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM idempotent_answers"), 0);
}

TEST_P(IdempotencyTest, a_key_has_1_to_255_characters_and_is_stored_hashed) {
  EXPECT_EQ(claim("user:1", "").error().code, ErrorCode::invalid_fields);
  EXPECT_EQ(claim("user:1", std::string(256, 'k')).error().code, ErrorCode::invalid_fields);
  do_once("user:1", std::string(255, 'k'));
  EXPECT_EQ(at_work_.text("SELECT key_hash FROM idempotent_answers").size(), 64U);
}

INSTANTIATE_TEST_SUITE_P(Engines, IdempotencyTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet::api
