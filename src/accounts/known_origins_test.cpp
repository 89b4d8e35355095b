#include "accounts/known_origins.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "accounts/clock_watch.hpp"
#include "accounts/testing.hpp"

namespace safawinet {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;

constexpr auto kHome = "192.0.2.0/24";
constexpr auto kElsewhere = "198.51.100.0/24";

class KnownOriginsTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  bool knows(UserId user, std::string network) {
    return at_work_.run(at_work_.known_origins.knows(user, std::move(network)));
  }
  void remember(UserId user, std::string network) {
    auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
      co_await at_work_.known_origins.remember(transaction, user, network);
      co_return true;
    };
    at_work_.run(at_work_.database.transact(body)).value();
  }
  std::int64_t rows() { return at_work_.number("SELECT count(*) FROM known_origins"); }
  void visit_from(std::string network) { at_work_.visitor.origin.network = std::move(network); }
  Result<LoggedIn> log_in(std::string_view password) { return at_work_.log_in("ada@example.com", password); }

  testing::AccountsAtWork at_work_{GetParam()};
};

TEST_P(KnownOriginsTest, a_network_is_known_to_the_user_who_logged_in_from_it_and_to_nobody_else) {
  const auto ada = at_work_.sign_up("ada@example.com");
  const auto bob = at_work_.sign_up("bob@example.com");
  visit_from(kHome);
  EXPECT_FALSE(knows(ada, kHome));
  log_in(testing::kPassword).value();
  EXPECT_TRUE(knows(ada, kHome));
  EXPECT_FALSE(knows(ada, kElsewhere));
  EXPECT_FALSE(knows(bob, kHome));
  EXPECT_FALSE(at_work_.run(at_work_.known_origins.knows(std::nullopt, kHome)));
}

TEST_P(KnownOriginsTest, a_refused_login_makes_nothing_known) {
  at_work_.sign_up("ada@example.com");
  EXPECT_FALSE(log_in(testing::kWrongPassword));
  EXPECT_EQ(rows(), 0);
}

TEST_P(KnownOriginsTest, what_is_kept_names_no_network_and_goes_with_the_user) {
  const auto ada = at_work_.sign_up("ada@example.com");
  remember(ada, kHome);
  EXPECT_EQ(at_work_.text("SELECT trait FROM known_origins").size(), 43U);
  at_work_.by_hand("DELETE FROM users WHERE email = 'ada@example.com'");
  EXPECT_EQ(rows(), 0);
}

TEST_P(KnownOriginsTest, the_twenty_newest_are_kept_and_those_of_ninety_days_ago_are_forgotten) {
  const auto ada = at_work_.sign_up("ada@example.com");
  for (int i = 0; i < 25; ++i) {
    at_work_.clock.advance(minutes(1));
    remember(ada, "10.0." + std::to_string(i) + ".0/24");
  }
  EXPECT_EQ(rows(), 20);
  EXPECT_FALSE(knows(ada, "10.0.4.0/24"));
  EXPECT_TRUE(knows(ada, "10.0.5.0/24"));
  at_work_.clock.advance(days(89));
  remember(ada, "10.0.5.0/24");
  at_work_.clock.advance(days(1));
  EXPECT_TRUE(knows(ada, "10.0.5.0/24"));
  EXPECT_FALSE(knows(ada, "10.0.6.0/24"));
  at_work_.run(at_work_.known_origins.sweep());
  EXPECT_EQ(rows(), 1);
}

TEST_P(KnownOriginsTest, outsiders_who_fill_the_count_of_an_account_do_not_keep_its_owner_out) {
  at_work_.sign_up("ada@example.com");
  visit_from(kHome);
  log_in(testing::kPassword).value();
  visit_from(kElsewhere);
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(testing::refusal_of(log_in(testing::kWrongPassword)), ErrorCode::invalid_credentials);
  EXPECT_EQ(testing::refusal_of(log_in(testing::kPassword)), ErrorCode::too_many_requests);
  visit_from(kHome);
  EXPECT_TRUE(log_in(testing::kPassword));
}

TEST_P(KnownOriginsTest, who_proves_to_read_the_mailbox_gets_in_from_a_new_place_however_full_the_count_is) {
  at_work_.sign_up("ada@example.com");
  visit_from(kElsewhere);
  for (int i = 0; i < 10; ++i) log_in(testing::kWrongPassword);
  visit_from("203.0.113.0/24");
  EXPECT_EQ(testing::refusal_of(log_in(testing::kPassword)), ErrorCode::too_many_requests);
  at_work_.forgot("ada@example.com").value();
  at_work_.reset(at_work_.mailed_token(), testing::kOtherPassword).value();
  EXPECT_TRUE(log_in(testing::kOtherPassword));
}

TEST_P(KnownOriginsTest, a_new_password_makes_strangers_of_all_other_networks) {
  const auto ada = at_work_.sign_up("ada@example.com");
  visit_from(kElsewhere);
  log_in(testing::kPassword).value();
  visit_from(kHome);
  const auto caller = at_work_.caller_of(log_in(testing::kPassword).value());
  EXPECT_TRUE(knows(ada, kElsewhere));
  auto changing = at_work_.accounts.change_password(caller, testing::secret(testing::kPassword),
                                                    testing::secret(testing::kOtherPassword), at_work_.visitor);
  at_work_.run(std::move(changing)).value();
  EXPECT_FALSE(knows(ada, kElsewhere));
  EXPECT_TRUE(knows(ada, kHome));
}

TEST(ClockWatch, is_steady_after_a_quarter_of_an_hour_and_not_after_a_jump) {
  testing::ManualClock clock;
  ClockWatch watch(clock);
  EXPECT_FALSE(watch.has_been_steady());
  clock.advance(minutes(15));
  EXPECT_TRUE(watch.has_been_steady());
  clock.jump(hours(24 * 365 * 5));
  EXPECT_FALSE(watch.has_been_steady());
  clock.advance(minutes(14));
  EXPECT_FALSE(watch.has_been_steady());
  clock.jump(-hours(24 * 365 * 5));
  EXPECT_FALSE(watch.has_been_steady());
  clock.advance(minutes(15));
  EXPECT_TRUE(watch.has_been_steady());
}

INSTANTIATE_TEST_SUITE_P(Engines, KnownOriginsTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
