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

Guess guess(std::string account) { return {.account = std::move(account)}; }

Guess stranger(std::string account, std::string network) {
  return {.account = std::move(account), .network = std::move(network)};
}

Guess known(std::string account, std::string network) {
  return {.account = std::move(account), .network = std::move(network), .is_from_known_device = true};
}

constexpr auto kHome = "192.0.2.0/24";
constexpr auto kElsewhere = "198.51.100.0/24";

enum class Told { nothing, right, wrong, refused };

class AttemptsTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  // One attempt from its beginning to its end.
  Task<Told> attempt(Attempts& node, std::string account, bool is_right) {
    return attempt(node, guess(std::move(account)), is_right);
  }
  Task<Told> attempt(Attempts& node, Guess guess, bool is_right) {
    auto may = co_await node.may_try(guess);
    if (may) may = co_await node.may_tell(guess, is_right ? Attempts::Verdict::right : Attempts::Verdict::wrong);
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
  Told one(Guess guess, bool is_right, std::size_t on_node = 0) {
    return at_work_.run(attempt(node(on_node), std::move(guess), is_right));
  }
  static auto count(const std::vector<Told>& told, Told what) { return std::ranges::count(told, what); }
  [[nodiscard]] Attempts make_node() {
    return {at_work_.database, at_work_.clock, MacKey(at_work_.root.derive("attempts")),
            [this] { return is_under_attack_.load(); }};
  }

  testing::SessionsAtWork at_work_{GetParam(), testing::usual_rules(), 4};
  std::atomic<bool> is_under_attack_{false};
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
  EXPECT_TRUE(at_work_.run(node(0).may_try(guess("ada")))) << "before the ten";
  for (int i = 0; i < 10; ++i) EXPECT_EQ(one("ada", false), Told::wrong);
  EXPECT_FALSE(at_work_.run(node(0).may_tell(guess("ada"), Attempts::Verdict::right)));
  EXPECT_FALSE(at_work_.run(node(1).may_tell(guess("ada"), Attempts::Verdict::wrong)));
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
  one(stranger("bob", kHome), false);
  at_work_.run(node(0).sweep());
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM failed_attempts"), 3);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM network_failures"), 1);
  EXPECT_EQ(one("ada", true), Told::refused);
  at_work_.clock.advance(minutes(15));
  at_work_.run(node(0).sweep());
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM failed_attempts"), 1) << "one is forgotten sooner than ten";
  EXPECT_EQ(one("ada", true), Told::right);
  at_work_.clock.advance(minutes(125));
  at_work_.run(node(0).sweep());
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM failed_attempts"), 0);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM network_failures"), 0);
}

TEST_P(AttemptsTest, what_is_kept_names_no_account) {
  one("ada@example.com", false);
  EXPECT_THAT(at_work_.text("SELECT subject FROM failed_attempts"), ::testing::Not(::testing::HasSubstr("ada")));
  EXPECT_EQ(at_work_.text("SELECT subject FROM failed_attempts").size(), 43U);
  Attempts with_another_key(at_work_.database, at_work_.clock, MacKey(at_work_.root.derive("other")));
  EXPECT_TRUE(at_work_.run(with_another_key.may_tell(guess("ada@example.com"), Attempts::Verdict::wrong)));
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
  const auto failed = at_work_.run(node(0).get(Guessable::password, "ada"));
  EXPECT_EQ(failed.count, 10);
  EXPECT_TRUE(failed.locked_until);
}

TEST_P(AttemptsTest, what_counts_is_told_with_the_moment_at_which_there_is_room_again) {
  EXPECT_EQ(at_work_.run(node(0).get(Guessable::password, "ada")).count, 0);
  const auto first = at_work_.clock.now();
  one("ada", false);
  at_work_.clock.advance(minutes(5));
  for (int i = 0; i < 8; ++i) one("ada", false);
  auto failed = at_work_.run(node(1).get(Guessable::password, "ada"));
  EXPECT_EQ(failed.count, 9);
  EXPECT_FALSE(failed.locked_until);
  one("ada", false);
  failed = at_work_.run(node(1).get(Guessable::password, "ada"));
  EXPECT_EQ(failed.count, 10);
  EXPECT_EQ(failed.locked_until, first + minutes(15));
  EXPECT_EQ(at_work_.run(node(1).get(Guessable::password, "bob")).count, 0);
}

TEST_P(AttemptsTest, who_goes_on_guessing_waits_longer_and_longer) {
  for (int quarter = 0; quarter < 5; ++quarter) {
    for (int i = 0; i < 10; ++i) EXPECT_EQ(one("ada", false), Told::wrong);
    EXPECT_EQ(one("ada", false), Told::refused);
    if (quarter < 4) {
      EXPECT_EQ(retry_after_.load(), minutes(15));
      at_work_.clock.advance(minutes(15));
    }
  }
  EXPECT_EQ(retry_after_.load(), minutes(5 * 60)) << "fifty in an hour: the first ten have to be six hours old";
  at_work_.clock.advance(minutes(5 * 60));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(one("ada", false), Told::wrong);
  EXPECT_EQ(one("ada", true), Told::refused);
}

TEST_P(AttemptsTest, tries_of_codes_are_forgotten_by_no_pause) {
  int told = 0;
  const Guess code{.secret = Guessable::second_factor, .account = "ada"};
  const auto end = at_work_.clock.now() + std::chrono::hours(24);
  while (at_work_.clock.now() < end) {
    told += one(code, false) == Told::wrong ? 1 : 0;
    at_work_.clock.advance(minutes(15));
    at_work_.run(node(0).sweep());
  }
  EXPECT_EQ(told, 40);
}

TEST_P(AttemptsTest, who_pauses_until_the_tries_are_forgotten_gets_no_more_of_them_in_a_day) {
  int told = 0;
  const auto end = at_work_.clock.now() + std::chrono::hours(24);
  while (at_work_.clock.now() < end) {
    for (int i = 0; i < 7; ++i) told += one("ada", false) == Told::wrong ? 1 : 0;
    at_work_.clock.advance(minutes(7 * 15));
    at_work_.run(node(0).sweep());
    EXPECT_EQ(at_work_.number("SELECT count(*) FROM failed_attempts"), 0);
  }
  EXPECT_LE(told, 100);
}

TEST_P(AttemptsTest, outsiders_do_not_lock_a_known_device_out) {
  for (int i = 0; i < 10; ++i) EXPECT_EQ(one(stranger("ada", kElsewhere), false), Told::wrong);
  EXPECT_EQ(one(stranger("ada", kElsewhere), true), Told::refused);
  EXPECT_EQ(one(stranger("ada", "203.0.113.0/24"), true), Told::refused);
  EXPECT_EQ(one(known("ada", kHome), true), Told::right);
}

TEST_P(AttemptsTest, ten_wrong_ones_from_the_known_network_lock_it) {
  for (int i = 0; i < 10; ++i) EXPECT_EQ(one(known("ada", kHome), false), Told::wrong);
  EXPECT_EQ(one(known("ada", kHome), true), Told::refused);
  EXPECT_EQ(one(known("ada", kElsewhere), true), Told::right) << "another device of theirs";
}

TEST_P(AttemptsTest, a_known_device_that_is_told_nothing_more_still_has_ten_tries) {
  for (int i = 0; i < 10; ++i) one(stranger("ada", kElsewhere), false);
  for (int i = 0; i < 9; ++i) EXPECT_EQ(one(known("ada", kHome), false), Told::refused);
  EXPECT_EQ(one(known("ada", kHome), true), Told::right);
  EXPECT_EQ(one(known("ada", kHome), false), Told::refused);
  EXPECT_EQ(one(known("ada", kHome), true), Told::refused);
}

TEST_P(AttemptsTest, what_a_wrong_one_is_told_does_not_show_whether_the_device_is_known) {
  const auto answers = [&](std::string account, auto who) {
    std::vector<Told> told;
    for (int i = 0; i < 4; ++i) told.push_back(one(stranger(account, kElsewhere), false));
    for (int i = 0; i < 12; ++i) told.push_back(one(who(account, kHome), false));
    for (int i = 0; i < 4; ++i) told.push_back(one(stranger(account, kElsewhere), false));
    return told;
  };
  EXPECT_EQ(answers("ada", known), answers("bob", stranger));
}

TEST_P(AttemptsTest, what_a_stranger_is_not_told_counts_whether_it_is_right_or_wrong) {
  for (int i = 0; i < 10; ++i) one(stranger("ada", kElsewhere), false);
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(at_work_.run(node(0).may_try(stranger("ada", kHome)))) << i;
    EXPECT_EQ(one(stranger("ada", kHome), i % 2 == 0), Told::refused);
  }
  EXPECT_FALSE(at_work_.run(node(0).may_try(stranger("ada", kHome)))) << "from here on nothing is computed";
}

TEST_P(AttemptsTest,
       of_wrong_ones_at_once_from_many_networks_exactly_ten_are_told_and_a_known_device_passes_meanwhile) {
  std::vector<Task<Told>> tasks;
  for (std::size_t i = 0; i < 200; ++i) {
    tasks.push_back(attempt(node(i), stranger("ada", "10.0." + std::to_string(i % 40) + ".0/24"), false));
    if (i % 10 == 0) tasks.push_back(attempt(node(i), known("ada", kHome), true));
  }
  const auto told = at_work_.run_together(std::move(tasks));
  EXPECT_EQ(count(told, Told::wrong), 10);
  EXPECT_EQ(count(told, Told::right), 20);
  EXPECT_EQ(count(told, Told::refused), 190);
}

TEST_P(AttemptsTest, a_network_that_tries_a_hundred_accounts_is_told_no_more_and_its_known_devices_go_on) {
  std::vector<Task<Told>> tasks;
  for (std::size_t i = 0; i < 300; ++i) {
    tasks.push_back(attempt(node(i), stranger("user" + std::to_string(i), kElsewhere), false));
  }
  const auto told = at_work_.run_together(std::move(tasks));
  EXPECT_EQ(count(told, Told::wrong), 100);
  EXPECT_EQ(one(stranger("ada", kElsewhere), true), Told::refused);
  EXPECT_GT(retry_after_.load(), minutes(14));
  EXPECT_EQ(one(known("ada", kElsewhere), true), Told::right);
  EXPECT_EQ(one(known("ada", kElsewhere), false), Told::refused) << "as a stranger";
  EXPECT_EQ(one(stranger("ada", kHome), true), Told::right);
  at_work_.clock.advance(minutes(15));
  EXPECT_EQ(one(stranger("ada", kElsewhere), true), Told::right);
}

TEST_P(AttemptsTest, wrong_ones_for_one_account_count_once_for_the_network_and_right_ones_do_not) {
  for (int i = 0; i < 60; ++i) one(stranger("user" + std::to_string(i), kHome), true);
  for (int i = 0; i < 10; ++i) one(stranger("ada", kHome), false);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM network_failures"), 1);
}

TEST_P(AttemptsTest, an_exempt_network_may_try_any_number_of_accounts) {
  for (int i = 0; i < 120; ++i) {
    Guess guess = stranger("user" + std::to_string(i), kHome);
    guess.is_exempt_from_networks_count = true;
    ASSERT_EQ(one(guess, false), Told::wrong);
  }
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM network_failures"), 0);
}

TEST_P(AttemptsTest, under_attack_strangers_have_three_tries_and_known_devices_ten) {
  is_under_attack_ = true;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(one(stranger("ada", kElsewhere), false), Told::wrong);
  EXPECT_EQ(one(stranger("ada", kElsewhere), true), Told::refused);
  for (int i = 0; i < 9; ++i) one(known("ada", kHome), false);
  EXPECT_EQ(one(known("ada", kHome), true), Told::right);
  one(known("ada", kHome), false);
  EXPECT_EQ(one(known("ada", kHome), true), Told::refused);
  for (int i = 0; i < 30; ++i) one(stranger("user" + std::to_string(i), "203.0.113.0/24"), false);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM network_failures"), 21);  // ada's, and twenty
  is_under_attack_ = false;
  EXPECT_EQ(one(stranger("ada", "203.0.113.0/24"), true), Told::right);
}

TEST_P(AttemptsTest, each_secret_has_counts_of_its_own) {
  for (int i = 0; i < 5; ++i) one(Guess{.secret = Guessable::second_factor, .account = "ada"}, false);
  EXPECT_EQ(one(Guess{.secret = Guessable::second_factor, .account = "ada"}, true), Told::refused);
  EXPECT_EQ(one(Guess{.secret = Guessable::backup_code, .account = "ada"}, true), Told::right);
  EXPECT_EQ(one("ada", true), Told::right);
  EXPECT_EQ(at_work_.run(node(0).get(Guessable::second_factor, "ada")).count, 5);
}

TEST_P(AttemptsTest, of_tokens_a_network_may_present_a_hundred_different_wrong_ones) {
  const auto token = [](int number) {
    return Guess{.secret = Guessable::one_time_token, .account = std::to_string(number), .network = kHome};
  };
  for (int i = 0; i < 150; ++i) EXPECT_EQ(one(token(7), false), Told::wrong) << "always the same";
  for (int i = 0; i < 99; ++i) one(token(100 + i), false);
  EXPECT_EQ(one(token(300), false), Told::refused);
  EXPECT_EQ(one(token(301), true), Told::refused);
}

TEST_P(AttemptsTest, what_is_forgotten_of_an_account_is_all_of_it) {
  for (int i = 0; i < 10; ++i) one(stranger("ada", kElsewhere), false);
  for (int i = 0; i < 10; ++i) one(known("ada", kHome), false);
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    co_return co_await node(0).forget(transaction, Guessable::password, "ada");
  };
  EXPECT_TRUE(at_work_.run(at_work_.database.transact(body)).value());
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM failed_attempts"), 0);
  EXPECT_EQ(one(known("ada", kHome), true), Told::right);
}

TEST_P(AttemptsTest, a_clock_that_jumps_years_ahead_and_returns_forgets_no_lock_and_leaves_none) {
  for (int i = 0; i < 10; ++i) one(stranger("ada", kHome), false);
  at_work_.clock.jump(std::chrono::years(5));
  for (int i = 0; i < 10; ++i) one(stranger("ada", kHome), false);
  for (int i = 0; i < 10; ++i) one(stranger("bob", kHome), false);
  at_work_.clock.jump(-std::chrono::years(5));
  EXPECT_EQ(one(stranger("ada", kHome), true), Told::refused);
  EXPECT_LE(retry_after_.load(), minutes(15));
  EXPECT_EQ(one(stranger("bob", kHome), true), Told::right);
}

INSTANTIATE_TEST_SUITE_P(Engines, AttemptsTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
