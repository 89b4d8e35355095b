// The feed and its lease; and that whatever ends a session in the database, by our hand or another, makes its tokens
// dead.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/this_coro.hpp>

#include "sessions/testing.hpp"

namespace safawinet {
namespace {

using ::testing::Ge;
using ::testing::IsEmpty;
using testing::SessionsAtWork;

class RevocationTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  std::int64_t revocations() { return at_work_.number("SELECT count(*) FROM revocations"); }
  // Has a revocation name this session.
  static std::string of_session(SessionId session) {
    return GetParam().name == "sqlite" ? "sid = '" + session.text() + "'" : "sids = '{" + session.text() + "}'";
  }

  SessionsAtWork at_work_{GetParam()};
};

// What is typed at three in the morning.

TEST_P(RevocationTest, a_delete_by_hand_ends_the_session_and_its_tokens) {
  const auto user = at_work_.add_user();
  const auto ended = at_work_.sign_in(user);
  const auto other = at_work_.sign_in(user);
  at_work_.by_hand("DELETE FROM refresh_sessions WHERE id = '" + at_work_.session_of(ended).text() + "'");
  EXPECT_TRUE(at_work_.is_dead(ended));
  EXPECT_TRUE(at_work_.is_accepted(other));
}

TEST_P(RevocationTest, deleting_every_row_by_hand_ends_them_all_but_not_the_login_after_it) {
  const auto user = at_work_.add_user();
  const auto first = at_work_.sign_in(user);
  const auto second = at_work_.sign_in(user);
  at_work_.by_hand("DELETE FROM refresh_sessions WHERE expires_at > NOW()");
  EXPECT_TRUE(at_work_.is_dead(first));
  EXPECT_TRUE(at_work_.is_dead(second));
  EXPECT_TRUE(at_work_.is_accepted(at_work_.sign_in(user)));
}

TEST_P(RevocationTest, an_expiry_moved_into_the_past_ends_the_session_now) {
  const auto user = at_work_.add_user();
  for (const std::string past : {"NOW()", "'2020-01-01'", "'2020-01-01 12:00:00'", "'2020-01-01T12:00:00.000000Z'"}) {
    const auto tokens = at_work_.sign_in(user);
    at_work_.by_hand("UPDATE refresh_sessions SET expires_at = " + past);
    EXPECT_TRUE(at_work_.is_dead(tokens)) << past;
    EXPECT_EQ(at_work_.number("SELECT count(*) FROM refresh_sessions"), 0) << past;
  }
  EXPECT_EQ(revocations(), 4);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM ended_sessions WHERE reason = 'sql'"), 4);
}

TEST_P(RevocationTest, an_expiry_moved_to_an_earlier_time_that_is_still_to_come_ends_nothing) {
  const auto tokens = at_work_.sign_in(at_work_.add_user());
  at_work_.by_hand("UPDATE refresh_sessions SET expires_at = '" +
                   to_rfc3339(at_work_.clock.now() + std::chrono::hours(1)) + "'");
  EXPECT_EQ(revocations(), 0);
  EXPECT_TRUE(at_work_.is_accepted(tokens));
}

TEST_P(RevocationTest, a_user_deactivated_by_hand_is_signed_out_and_stays_out) {
  const auto user = at_work_.add_user();
  const auto tokens = at_work_.sign_in(user);
  at_work_.by_hand("UPDATE users SET is_active = false WHERE email = 'ADA@example.com'");
  EXPECT_TRUE(at_work_.is_dead(tokens));
  EXPECT_EQ(at_work_.try_sign_in(user).error().code, ErrorCode::invalid_credentials);
}

TEST_P(RevocationTest, a_user_deleted_by_hand_is_signed_out_although_a_shell_enforces_no_foreign_keys) {
  const auto tokens = at_work_.sign_in(at_work_.add_user());
  at_work_.by_hand("DELETE FROM users");
  EXPECT_TRUE(at_work_.is_dead(tokens));
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM refresh_sessions"), 0);
}

TEST_P(RevocationTest, a_role_changed_by_hand_kills_the_access_tokens_and_the_next_ones_have_the_new_role) {
  const auto tokens = at_work_.sign_in(at_work_.add_user({.role = "admin"}));
  at_work_.by_hand("UPDATE users SET role = 'customer'");
  EXPECT_FALSE(at_work_.is_accepted(tokens));
  const auto refreshed = at_work_.refresh(tokens.refresh_token);
  ASSERT_TRUE(refreshed);
  const auto caller = at_work_.guard.authenticate(refreshed->access_token.reveal());
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller->role, Role::customer);
}

TEST_P(RevocationTest, what_changes_neither_role_nor_activity_ends_nothing) {
  const auto tokens = at_work_.sign_in(at_work_.add_user());
  at_work_.by_hand(
      "UPDATE users SET email_status = 'bounced', bounce_count = bounce_count + 1, role = role, "
      "is_active = true");
  EXPECT_EQ(revocations(), 0);
  EXPECT_TRUE(at_work_.is_accepted(tokens));
}

TEST_P(RevocationTest, an_epoch_raised_by_hand_signs_everybody_out) {
  const auto tokens = at_work_.sign_in(at_work_.add_user());
  at_work_.by_hand("UPDATE session_epoch SET epoch = epoch + 1");
  EXPECT_TRUE(at_work_.is_dead(tokens));
}

TEST_P(RevocationTest, a_transaction_that_is_rolled_back_revokes_nothing) {
  const auto user = at_work_.add_user();
  const auto tokens = at_work_.sign_in(user);
  at_work_.by_hand("BEGIN; DELETE FROM refresh_sessions; UPDATE session_epoch SET epoch = epoch + 1; ROLLBACK");
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    co_await at_work_.sessions.end_all_of(transaction, user, std::nullopt, "password-reset", Actor::system());
    co_return refuse(ErrorCode::conflict);
  };
  EXPECT_FALSE(at_work_.run(at_work_.database.transact(std::move(body))));
  at_work_.run(at_work_.feed.catch_up());
  EXPECT_EQ(revocations(), 0);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM ended_sessions"), 0);
  EXPECT_TRUE(at_work_.is_accepted(tokens));
  EXPECT_TRUE(at_work_.refresh(tokens.refresh_token));
  at_work_.by_hand("DELETE FROM refresh_sessions");
  EXPECT_EQ(at_work_.text("SELECT reason FROM ended_sessions"), "sql") << "nor does its reason last";
}

// The feed.

TEST_P(RevocationTest, nothing_is_known_before_it_is_read) {
  const auto tokens = at_work_.sign_in(at_work_.add_user());
  at_work_.opened->run_by_hand("DELETE FROM refresh_sessions");
  EXPECT_TRUE(at_work_.is_accepted(tokens));
  at_work_.run(at_work_.feed.catch_up());
  EXPECT_FALSE(at_work_.is_accepted(tokens));
}

TEST_P(RevocationTest, the_lease_is_held_only_with_what_else_must_be_known) {
  RevocationFeed feed(at_work_.database, at_work_.clock, testing::kLease);
  bool can_be_read = false;
  int readings = 0;
  feed.also_read([&]() -> Task<void> {
    ++readings;
    if (!can_be_read) throw Unavailable("not there");
    co_return;
  });
  EXPECT_THROW(at_work_.run(feed.catch_up()), Unavailable);
  EXPECT_FALSE(feed.is_lease_held());
  can_be_read = true;
  at_work_.run(feed.catch_up());
  EXPECT_TRUE(feed.is_lease_held());
  EXPECT_EQ(readings, 2);
}

TEST_P(RevocationTest, a_node_that_starts_knows_what_was_revoked_before) {
  const auto tokens = at_work_.sign_in(at_work_.add_user());
  at_work_.by_hand("DELETE FROM refresh_sessions");
  RevocationFeed later(at_work_.database, at_work_.clock, testing::kLease);
  EXPECT_FALSE(later.is_lease_held());
  at_work_.run(later.catch_up());
  EXPECT_TRUE(later.is_lease_held());
  AccessGuard guard(at_work_.keyring, later, at_work_.mode_in_force, at_work_.clock, at_work_.rules.issuer,
                    at_work_.rules.audience);
  EXPECT_EQ(guard.authenticate(tokens.access_token.reveal()).error().code, ErrorCode::unauthenticated);
}

TEST_P(RevocationTest, more_than_is_read_at_once_is_all_learned_in_one_go) {
  constexpr int kSessions = 25'000;
  const auto user = at_work_.add_user();
  at_work_.add_sessions(user, kSessions);
  const auto last = at_work_.sign_in(user);
  at_work_.by_hand("DELETE FROM refresh_sessions");
  EXPECT_EQ(at_work_.feed.index()->ended_sessions(), kSessions + 1U);
  EXPECT_FALSE(at_work_.is_accepted(last));
}

TEST_P(RevocationTest, the_lag_is_that_of_the_last_revocation_seen) {
  at_work_.sign_in(at_work_.add_user());
  at_work_.opened->run_by_hand("DELETE FROM refresh_sessions");
  at_work_.clock.advance(std::chrono::seconds(5));
  at_work_.run(at_work_.feed.catch_up());
  EXPECT_THAT(at_work_.feed.last_lag(), Ge(std::chrono::seconds(4)));
}

TEST_P(RevocationTest, a_restored_database_is_read_again_from_the_beginning) {
  const auto user = at_work_.add_user();
  const auto before = at_work_.sign_in(user);
  at_work_.by_hand("DELETE FROM refresh_sessions");
  EXPECT_FALSE(at_work_.is_accepted(before));
  const auto tokens = at_work_.sign_in(user);
  // As in a copy of another history, where this number stands for something else.
  at_work_.by_hand(
      "UPDATE session_epoch SET incarnation = 'aaaaaaaa-0000-7000-8000-000000000001'; UPDATE revocations SET " +
      of_session(at_work_.session_of(tokens)));
  EXPECT_FALSE(at_work_.is_accepted(tokens));
  EXPECT_FALSE(at_work_.is_accepted(before)) << "what was in force stays so";
  at_work_.run(at_work_.feed.reload());
  EXPECT_FALSE(at_work_.is_accepted(before)) << "for as long as its tokens may live";
  at_work_.clock.advance(kRevocationsKept);
  at_work_.run(at_work_.feed.reload());
  EXPECT_EQ(at_work_.feed.index()->ended_sessions(), 1U);
}

TEST_P(RevocationTest, a_restored_database_is_read_from_the_beginning_whoever_else_is_reading) {
  constexpr std::size_t kReaders = 4;
  SessionsAtWork at_work(GetParam(), testing::usual_rules(), kReaders);
  at_work.sign_in(at_work.add_user());
  at_work.by_hand("DELETE FROM refresh_sessions");
  const int all_rounds = testing::rounds(50);
  for (int round = 1; round <= all_rounds; ++round) {
    const auto ended = SessionId::make(at_work.clock, at_work.random);
    at_work.opened->run_by_hand("BEGIN; UPDATE session_epoch SET incarnation = 'aaaaaaaa-0000-7000-8000-" +
                                std::to_string(100'000'000'000 + round) + "'; UPDATE revocations SET " +
                                of_session(ended) + "; COMMIT");
    std::vector<Task<bool>> readers;
    for (std::size_t i = 0; i < kReaders; ++i) {
      auto read = [](RevocationFeed& feed) -> Task<bool> {
        co_await feed.catch_up();
        co_return true;
      };
      readers.push_back(read(at_work.feed));
    }
    at_work.run_together(std::move(readers));
    const TokenStanding token{.session = ended, .user = {}, .token_version = 1, .epoch = 1};
    ASSERT_TRUE(at_work.feed.index()->is_dead(token)) << "round " << round;
  }
}

TEST_P(RevocationTest, a_global_logout_that_a_restored_database_has_forgotten_is_made_good) {
  const auto user = at_work_.add_user();
  const auto ended = at_work_.sign_in(user);
  at_work_.by_hand("UPDATE session_epoch SET epoch = epoch + 3");
  at_work_.by_hand("UPDATE session_epoch SET epoch = 1, incarnation = 'aaaaaaaa-0000-7000-8000-000000000001'");
  EXPECT_TRUE(at_work_.is_dead(ended));
  EXPECT_EQ(at_work_.number("SELECT epoch FROM session_epoch"), 4);
  EXPECT_TRUE(at_work_.is_accepted(at_work_.sign_in(user)));
}

TEST_P(RevocationTest, a_reload_keeps_what_was_learned_while_it_read) {
  // Somebody ends a session, and another loop learns of it, between the answer to a reading and its arrival.
  struct SlowDatabase final : sql::Database {
    explicit SlowDatabase(sql::testing::TestDatabase& inner) : opened(inner) {}
    Task<void> wait_for_change(sql::ChangeMark& seen, std::chrono::milliseconds longest) override {
      return opened.database().wait_for_change(seen, longest);
    }
    Task<void> probe() override { return opened.database().probe(); }
    [[nodiscard]] sql::DatabaseState state() const override { return opened.database().state(); }
    Task<sql::Rows> run_read(const sql::Statement& statement, sql::Values values) override {
      auto rows = co_await opened.database().read(statement, std::get<std::string>(values[0]));
      if (std::exchange(is_disturbed, false)) {
        opened.run_by_hand("DELETE FROM refresh_sessions");
        co_await feed->read();
      }
      co_return rows;
    }
    Task<sql::Rows> run_write(const sql::Statement&, sql::Values) override { throw std::logic_error("only reads"); }
    Task<void> run_transaction(TransactionBody) override { throw std::logic_error("only reads"); }

    sql::testing::TestDatabase& opened;
    RevocationFeed* feed = nullptr;
    bool is_disturbed = false;
  };
  SlowDatabase slow(*at_work_.opened);
  RevocationFeed feed(slow, at_work_.clock, testing::kLease);
  slow.feed = &feed;
  at_work_.run(feed.catch_up());
  at_work_.sign_in(at_work_.add_user());
  slow.is_disturbed = true;
  at_work_.run(feed.reload());
  EXPECT_EQ(feed.index()->ended_sessions(), 1U);
  at_work_.run(feed.read());
  EXPECT_EQ(feed.index()->ended_sessions(), 1U);
}

TEST_P(RevocationTest, many_who_end_sessions_at_once_share_readings_and_each_knows_of_its_own) {
  struct CountingDatabase final : sql::Database {
    explicit CountingDatabase(sql::Database& inner) : database(inner) {}
    Task<void> wait_for_change(sql::ChangeMark& seen, std::chrono::milliseconds longest) override {
      return database.wait_for_change(seen, longest);
    }
    Task<void> probe() override { return database.probe(); }
    [[nodiscard]] sql::DatabaseState state() const override { return database.state(); }
    Task<sql::Rows> run_read(const sql::Statement& statement, sql::Values values) override {
      ++readings;
      if (is_down) throw Unavailable("as the test wants it");
      return database.read(statement, std::get<std::string>(values[0]));
    }
    Task<sql::Rows> run_write(const sql::Statement&, sql::Values) override { throw std::logic_error("only reads"); }
    Task<void> run_transaction(TransactionBody) override { throw std::logic_error("only reads"); }

    sql::Database& database;
    std::atomic<int> readings = 0;
    bool is_down = false;
  };
  constexpr std::size_t kLoops = 4;
  constexpr int kCallers = 64;
  SessionsAtWork at_work(GetParam(), testing::usual_rules(), kLoops);
  CountingDatabase counting(at_work.database);
  RevocationFeed feed(counting, at_work.clock, testing::kLease);
  at_work.run(feed.catch_up());
  const auto user = at_work.add_user();
  auto end_and_look = [](SessionsAtWork& in, RevocationFeed& known, SessionId session, UserId of) -> Task<bool> {
    SessionStore store;
    auto body = [&](sql::Transaction& transaction) -> Task<Result<std::int64_t>> {
      co_return co_await store.delete_one(transaction, session, of);
    };
    co_await in.database.transact(std::move(body));
    co_await known.read_together();
    co_return known.index()->is_dead({.session = session, .user = of, .token_version = 1, .epoch = 1});
  };
  const int all_rounds = testing::rounds(5);
  for (int round = 0; round < all_rounds; ++round) {
    std::vector<Task<bool>> callers;
    for (int i = 0; i < kCallers; ++i) {
      const auto session = at_work.session_of(at_work.sign_in(user));
      callers.push_back(end_and_look(at_work, feed, session, user));
    }
    counting.readings = 0;
    EXPECT_THAT(at_work.run_together(std::move(callers)), ::testing::Each(true));
    EXPECT_LE(counting.readings, kCallers);
  }
  // A reading that fails fails for all who share it, and the next ones are not kept waiting.
  counting.is_down = true;
  auto try_to_read = [](RevocationFeed& known) -> Task<bool> {
    try {
      co_await known.read_together();
    } catch (const Unavailable&) {
      co_return false;
    }
    co_return true;
  };
  for (const bool is_down : {true, false}) {
    counting.is_down = is_down;
    std::vector<Task<bool>> callers;
    for (int i = 0; i < kCallers; ++i) callers.push_back(try_to_read(feed));
    EXPECT_THAT(at_work.run_together(std::move(callers)), ::testing::Each(!is_down));
  }
}

TEST_P(RevocationTest, a_reload_forgets_what_is_no_longer_on_record_and_keeps_the_rest) {
  const auto user = at_work_.add_user();
  const auto old = at_work_.sign_in(user);
  at_work_.by_hand("DELETE FROM refresh_sessions");
  at_work_.by_hand("DELETE FROM revocations");
  const auto recent = at_work_.sign_in(user);
  at_work_.by_hand("DELETE FROM refresh_sessions");
  EXPECT_EQ(at_work_.feed.index()->ended_sessions(), 2U);
  at_work_.run(at_work_.feed.reload());
  EXPECT_EQ(at_work_.feed.index()->ended_sessions(), 1U);
  EXPECT_FALSE(at_work_.is_accepted(recent));
  at_work_.sign_in(user);
  at_work_.by_hand("DELETE FROM refresh_sessions");
  EXPECT_EQ(at_work_.feed.index()->ended_sessions(), 2U) << "the feed goes on from where the reload stood";
}

TEST_P(RevocationTest, following_hears_of_another_process_and_of_failures) {
  const auto tokens = at_work_.sign_in(at_work_.add_user());
  auto& loop = *at_work_.loops.front();
  loop.restart();
  std::vector<std::string> failures;
  auto follow = at_work_.feed.follow([&failures](const std::string& failure) { failures.push_back(failure); });
  boost::asio::co_spawn(loop.get_executor(), std::move(follow), [](std::exception_ptr) {});
  std::thread other([this] { at_work_.opened->run_by_hand("DELETE FROM refresh_sessions"); });
  while (at_work_.is_accepted(tokens)) loop.run_one();
  other.join();
  EXPECT_THAT(failures, IsEmpty());
}

TEST_P(RevocationTest, following_goes_on_after_a_failure_that_somebody_hears_of) {
  const auto tokens = at_work_.sign_in(at_work_.add_user());
  at_work_.opened->run_by_hand("DELETE FROM refresh_sessions; ALTER TABLE revocations RENAME TO elsewhere");
  auto& loop = *at_work_.loops.front();
  loop.restart();
  int failures = 0;
  auto follow = at_work_.feed.follow([this, &failures](const std::string&) {
    if (++failures == 3) at_work_.opened->run_by_hand("ALTER TABLE elsewhere RENAME TO revocations");
  });
  boost::asio::co_spawn(loop.get_executor(), std::move(follow), [](std::exception_ptr) {});
  while (at_work_.is_accepted(tokens)) loop.run_one();
  EXPECT_EQ(failures, 3);
}

// The lease.

TEST_P(RevocationTest, no_token_is_accepted_when_the_lease_has_run_out_until_it_is_renewed) {
  const auto tokens = at_work_.sign_in(at_work_.add_user());
  at_work_.run(at_work_.feed.catch_up());
  EXPECT_EQ(at_work_.feed.lease_left(), testing::kLease);
  at_work_.clock.advance(testing::kLease - std::chrono::milliseconds(1));
  EXPECT_TRUE(at_work_.is_accepted(tokens));
  at_work_.clock.advance(std::chrono::milliseconds(1));
  EXPECT_FALSE(at_work_.feed.is_lease_held());
  EXPECT_EQ(at_work_.guard.authenticate(tokens.access_token.reveal()).error().code, ErrorCode::unavailable);
  at_work_.clock.advance(std::chrono::seconds(3));
  EXPECT_EQ(at_work_.feed.lease_left(), -std::chrono::seconds(3));
  at_work_.run(at_work_.feed.catch_up());
  EXPECT_TRUE(at_work_.is_accepted(tokens));
}

TEST_P(RevocationTest, a_bad_token_is_refused_as_such_although_the_lease_has_run_out) {
  at_work_.clock.advance(testing::kLease);
  EXPECT_EQ(at_work_.guard.authenticate("nonsense").error().code, ErrorCode::unauthenticated);
}

TEST_P(RevocationTest, the_lease_counts_from_before_the_reading_began) {
  // The clock moves on while the database answers.
  struct MovingDatabase final : sql::Database {
    MovingDatabase(sql::Database& inner, testing::ManualClock& manual) : database(inner), clock(manual) {}
    Task<void> wait_for_change(sql::ChangeMark& seen, std::chrono::milliseconds longest) override {
      return database.wait_for_change(seen, longest);
    }
    Task<void> probe() override { return database.probe(); }
    [[nodiscard]] sql::DatabaseState state() const override { return database.state(); }
    Task<sql::Rows> run_read(const sql::Statement& statement, sql::Values values) override {
      auto rows = co_await database.read(statement, std::get<std::string>(values[0]));
      clock.advance(std::chrono::milliseconds(1'500));
      co_return rows;
    }
    Task<sql::Rows> run_write(const sql::Statement&, sql::Values) override { throw std::logic_error("only reads"); }
    Task<void> run_transaction(TransactionBody) override { throw std::logic_error("only reads"); }

    sql::Database& database;
    testing::ManualClock& clock;
  };
  MovingDatabase slow(at_work_.database, at_work_.clock);
  RevocationFeed feed(slow, at_work_.clock, testing::kLease);
  at_work_.run(feed.catch_up());
  EXPECT_EQ(feed.lease_left(), testing::kLease - std::chrono::milliseconds(1'500));
}

TEST_P(RevocationTest, the_lease_counts_from_before_the_proof_and_a_mere_reading_does_not_renew_it) {
  struct ProvingDatabase final : sql::Database {
    ProvingDatabase(sql::Database& inner, testing::ManualClock& manual) : database(inner), clock(manual) {}
    Task<void> wait_for_change(sql::ChangeMark& seen, std::chrono::milliseconds longest) override {
      return database.wait_for_change(seen, longest);
    }
    Task<void> prove_current() override {
      clock.advance(std::chrono::milliseconds(700));
      co_return;
    }
    Task<void> probe() override { return database.probe(); }
    [[nodiscard]] sql::DatabaseState state() const override { return database.state(); }
    Task<sql::Rows> run_read(const sql::Statement& statement, sql::Values values) override {
      return database.read(statement, std::get<std::string>(values[0]));
    }
    Task<sql::Rows> run_write(const sql::Statement&, sql::Values) override { throw std::logic_error("only reads"); }
    Task<void> run_transaction(TransactionBody) override { throw std::logic_error("only reads"); }

    sql::Database& database;
    testing::ManualClock& clock;
  };
  ProvingDatabase proving(at_work_.database, at_work_.clock);
  RevocationFeed feed(proving, at_work_.clock, testing::kLease);
  at_work_.run(feed.read());
  EXPECT_FALSE(feed.is_lease_held());
  at_work_.run(feed.catch_up());
  EXPECT_EQ(feed.lease_left(), testing::kLease - std::chrono::milliseconds(700));
  at_work_.clock.advance(std::chrono::milliseconds(100));
  at_work_.run(feed.read());
  EXPECT_EQ(feed.lease_left(), testing::kLease - std::chrono::milliseconds(800));
}

TEST_P(RevocationTest, an_older_reading_does_not_shorten_the_lease) {
  at_work_.run(at_work_.feed.catch_up());
  const auto held_until = at_work_.feed.lease_held_until();
  at_work_.clock.advance(-std::chrono::milliseconds(500));
  at_work_.run(at_work_.feed.catch_up());
  EXPECT_EQ(at_work_.feed.lease_held_until(), held_until);
}

INSTANTIATE_TEST_SUITE_P(Engines, RevocationTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
