// What holds however many do it at once: refreshes, ends and logins from many coroutines on several event loops.
// SAFAWINET_TEST_ROUNDS multiplies the rounds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "sessions/testing.hpp"

namespace safawinet {
namespace {

using ::testing::Le;
using testing::SessionsAtWork;
using ::testing::SizeIs;

constexpr std::size_t kLoops = 4;
constexpr int kContenders = 64;

class SessionRacesTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  static std::vector<Task<Result<IssuedTokens>>> contenders(SessionsAtWork& at_work, const SecretText& token) {
    std::vector<Task<Result<IssuedTokens>>> tasks;
    for (int i = 0; i < kContenders; ++i) tasks.push_back(at_work.sessions.refresh(token, at_work.origin));
    return tasks;
  }
};

TEST_P(SessionRacesTest, racing_refreshes_all_get_the_one_successor) {
  SessionsAtWork at_work(GetParam(), testing::rules_with_grace(std::chrono::seconds(30)), kLoops);
  const auto user = at_work.add_user();
  auto current = at_work.sign_in(user);
  const auto session = at_work.session_of(current);
  const auto all_rounds = static_cast<std::uint64_t>(testing::rounds(100));
  for (std::uint64_t round = 1; round <= all_rounds; ++round) {
    auto answers = at_work.run_together(contenders(at_work, current.refresh_token));
    std::set<std::string> successors;
    for (const auto& answer : answers) {
      ASSERT_TRUE(answer) << "round " << round;
      successors.emplace(answer->refresh_token.reveal());
      ASSERT_TRUE(at_work.is_accepted(*answer));
    }
    ASSERT_THAT(successors, SizeIs(1)) << "round " << round;
    ASSERT_EQ(at_work.parsed(answers[0]->refresh_token).generation, round + 1);
    ASSERT_EQ(at_work.number("SELECT generation FROM refresh_sessions WHERE id = $1", session),
              static_cast<std::int64_t>(round + 1));
    current = std::move(*answers[0]);
  }
  EXPECT_THAT(at_work.take_mails(), SizeIs(0));
}

TEST_P(SessionRacesTest, without_grace_one_refresh_wins_and_the_others_end_the_session_once) {
  SessionsAtWork at_work(GetParam(), testing::rules_with_grace(std::chrono::seconds(0)), kLoops);
  const auto user = at_work.add_user();
  const int all_rounds = testing::rounds(20);
  for (int round = 0; round < all_rounds; ++round) {
    const auto tokens = at_work.sign_in(user);
    const auto answers = at_work.run_together(contenders(at_work, tokens.refresh_token));
    std::vector<IssuedTokens> winners;
    for (const auto& answer : answers) {
      if (answer) winners.push_back(*answer);
    }
    ASSERT_THAT(winners, SizeIs(1)) << "round " << round;
    ASSERT_TRUE(at_work.is_dead(winners.front()));
    ASSERT_THAT(at_work.take_mails(), SizeIs(1));
  }
  EXPECT_EQ(at_work.number("SELECT count(*) FROM audit_log WHERE action = 'session.refresh-token-reused'"), all_rounds);
  EXPECT_EQ(at_work.number("SELECT count(*) FROM ended_sessions WHERE reason = 'reuse'"), all_rounds);
}

TEST_P(SessionRacesTest, no_token_that_a_refresh_gave_out_survives_an_end_that_raced_with_it) {
  SessionsAtWork at_work(GetParam(), testing::usual_rules(), kLoops);
  const auto user = at_work.add_user();
  const auto other = at_work.add_user({.email = "bob@example.com"});
  const int all_rounds = testing::rounds(50);
  for (int round = 0; round < all_rounds; ++round) {
    const auto tokens = at_work.sign_in(user);
    const auto bystander = at_work.sign_in(other);
    auto tasks = contenders(at_work, tokens.refresh_token);
    auto end = [](SessionsAtWork& in, UserId whose, bool everybody) -> Task<Result<IssuedTokens>> {
      ForcedLogout command{.user = everybody ? std::nullopt : std::optional(whose),
                           .spared = {},
                           .reason = {},
                           .acting = Operator::local("test"),
                           .origin = in.origin};
      const auto ended = co_await in.sessions.force_logout(std::move(command));
      if (!ended) ADD_FAILURE() << "was refused";
      co_return refuse(ErrorCode::conflict);
    };
    const bool everybody = round % 2 == 1;
    tasks.insert(tasks.begin() + kContenders / 2, end(at_work, user, everybody));
    const auto answers = at_work.run_together(std::move(tasks));
    for (const auto& answer : answers) {
      ASSERT_TRUE(!answer || at_work.is_dead(*answer)) << "round " << round;
    }
    ASSERT_TRUE(at_work.is_dead(tokens));
    ASSERT_EQ(at_work.is_accepted(bystander), !everybody);
  }
}

TEST_P(SessionRacesTest, no_login_slips_past_a_deactivation_or_a_change_of_credentials_that_raced_with_it) {
  SessionsAtWork at_work(GetParam(), testing::usual_rules(), kLoops);
  const int all_rounds = testing::rounds(20);
  for (int round = 0; round < all_rounds; ++round) {
    const auto user = at_work.add_user({.email = "user" + std::to_string(round) + "@example.com"});
    std::vector<Task<Result<IssuedTokens>>> tasks;
    for (int i = 0; i < kContenders / 2; ++i) {
      Device device{.name = "x", .user_agent = {}, .ip_address = {}};
      tasks.push_back(at_work.sessions.start(user, 1, std::move(device), at_work.origin));
    }
    // As a change of password does it: the version and the sessions in one transaction.
    auto change = [](SessionsAtWork& in, UserId whose, bool deactivate) -> Task<Result<IssuedTokens>> {
      static constexpr sql::Statement deactivation{"UPDATE users SET is_active = false WHERE id = $1"};
      static constexpr sql::Statement change_of_credentials{
          "UPDATE users SET credential_version = credential_version + 1 WHERE id = $1"};
      auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
        co_await transaction.execute(deactivate ? deactivation : change_of_credentials, whose);
        if (!deactivate) {
          co_await in.sessions.end_all_of(transaction, whose, std::nullopt, "password-changed", Actor::system());
        }
        co_return true;
      };
      co_await in.database.transact(std::move(body));
      co_await in.sessions.made_known();
      co_return refuse(ErrorCode::conflict);
    };
    tasks.insert(tasks.begin() + kContenders / 4, change(at_work, user, round % 2 == 0));
    const auto answers = at_work.run_together(std::move(tasks));
    for (const auto& answer : answers) {
      ASSERT_TRUE(!answer || at_work.is_dead(*answer)) << "round " << round;
    }
    ASSERT_EQ(at_work.number("SELECT count(*) FROM refresh_sessions WHERE user_id = $1", user), 0);
  }
}

TEST_P(SessionRacesTest, racing_global_logouts_leave_at_most_one_session_and_every_epoch_once) {
  SessionsAtWork at_work(GetParam(), testing::usual_rules(), kLoops);
  const auto user = at_work.add_user({.role = "admin"});
  const int all_rounds = testing::rounds(20);
  std::int64_t epoch = 1;
  for (int round = 0; round < all_rounds; ++round) {
    std::vector<IssuedTokens> operators;
    std::vector<Task<Result<SessionsEnded>>> tasks;
    for (int i = 0; i < 8; ++i) {
      const auto& tokens = operators.emplace_back(at_work.sign_in(user));
      ForcedLogout command{.user = {},
                           .spared = at_work.session_of(tokens),
                           .reason = {},
                           .acting = at_work.trusted(user),
                           .origin = at_work.origin};
      tasks.push_back(at_work.sessions.force_logout(std::move(command)));
    }
    const auto ended = at_work.run_together(std::move(tasks));
    std::set<std::int64_t> epochs;
    for (const auto& one : ended) epochs.insert(one.value().epoch.value());
    ASSERT_THAT(epochs, SizeIs(8));
    ASSERT_EQ(*epochs.rbegin(), epoch + 8);
    epoch += 8;
    int alive = 0;
    for (const auto& tokens : operators) {
      const bool is_accepted = at_work.is_accepted(tokens);
      ASSERT_EQ(at_work.refresh(tokens.refresh_token).has_value(), is_accepted) << "both tokens or none";
      alive += is_accepted ? 1 : 0;
    }
    // Whoever came first was spared once, and ended by the second: each spares itself alone.
    ASSERT_THAT(alive, Le(1));
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, SessionRacesTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
