// What both engines promise (database.hpp).
#include "sql/database.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/run_task.hpp"
#include "sql/testing_engines.hpp"

namespace safawinet::sql {
namespace {

constexpr Statement kInsert{"INSERT INTO notes (id, text) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id"};
constexpr Statement kInsertOrFail{"INSERT INTO notes (id, text) VALUES ($1, $2)"};
constexpr Statement kUpdate{"UPDATE notes SET text = text || $2 WHERE id = $1"};
constexpr Statement kReplace{
    "UPDATE notes SET text = $2 WHERE id = $1 RETURNING id, text", nullptr,
    "UPDATE notes n SET text = a.text FROM unnest($1::integer[], $2::text[]) WITH ORDINALITY AS a (id, text, number) "
    "WHERE n.id = a.id RETURNING n.id, n.text, a.number"};
constexpr Statement kCount{"SELECT count(*) FROM notes"};
constexpr Statement kText{"SELECT text FROM notes WHERE id = $1"};
constexpr Statement kBroken{"SELECT nonsense FROM nowhere"};
constexpr Statement kTypes{
    "SELECT id, created_at, email_verified_at, is_active, bounce_count, email FROM users WHERE id = $1 AND is_active = "
    "$2 "
    "AND created_at = $3"};
constexpr Statement kInsertUser{
    "INSERT INTO users (id, email, password_hash, is_active, created_at, updated_at) VALUES ($1, $2, 'x', $3, $4, $4)"};

class DatabaseTest : public ::testing::TestWithParam<testing::Engine> {
 protected:
  DatabaseTest() : opened_(GetParam().open({&loop_})), database_(opened_->database()) {
    opened_->run_by_hand("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)");
  }

  std::int64_t count() { return run_task(loop_, database_.read(kCount)).front().get<std::int64_t>(0); }
  std::string text(int id) { return run_task(loop_, database_.read(kText, id)).front().get<std::string>(0); }

  EventLoop loop_{1};
  std::unique_ptr<testing::TestDatabase> opened_;
  Database& database_;
};

TEST_P(DatabaseTest, a_write_is_seen_by_the_next_read) {
  const auto rows = run_task(loop_, database_.write(kInsert, 1, "one"));
  EXPECT_EQ(rows.affected, 1);
  EXPECT_EQ(rows.front().get<std::int64_t>(0), 1);
  EXPECT_EQ(text(1), "one");
  EXPECT_EQ(run_task(loop_, database_.write(kInsert, 1, "again")).affected, 0);
}

TEST_P(DatabaseTest, values_come_back_as_they_went_in) {
  const auto id = UserId{Uuid::parse("0190a0a0-0000-7000-8000-000000000001").value()};
  const auto now = parse_rfc3339("2026-11-24T20:25:53.000001Z").value();
  run_task(loop_, database_.write(kInsertUser, id, "Ünï@example.com", true, now));
  const auto rows = run_task(loop_, database_.read(kTypes, id, true, now));
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows.affected, 0);
  EXPECT_EQ(rows.front().get<UserId>(0), id);
  EXPECT_EQ(rows.front().get<Time>(1), now);
  EXPECT_EQ(rows.front().find<Time>(2), std::nullopt);
  EXPECT_TRUE(rows.front().get<bool>(3));
  EXPECT_EQ(rows.front().get<std::int64_t>(4), 0);
  EXPECT_EQ(rows.front().get<std::string>(5), "Ünï@example.com");
}

TEST_P(DatabaseTest, a_transaction_commits_when_its_body_succeeds) {
  const auto body = [](Transaction& transaction) -> Task<Result<int>> {
    co_await transaction.execute(kInsertOrFail, 1, "one");
    co_await transaction.execute(kInsertOrFail, 2, "two");
    co_return 2;
  };
  EXPECT_EQ(run_task(loop_, database_.transact(body)).value(), 2);
  EXPECT_EQ(count(), 2);
}

TEST_P(DatabaseTest, a_transaction_leaves_nothing_when_its_body_refuses) {
  const auto body = [](Transaction& transaction) -> Task<Result<int>> {
    co_await transaction.execute(kInsertOrFail, 1, "one");
    co_return refuse(ErrorCode::conflict);
  };
  EXPECT_EQ(run_task(loop_, database_.transact(body)).error().code, ErrorCode::conflict);
  EXPECT_EQ(count(), 0);
}

TEST_P(DatabaseTest, a_transaction_that_does_nothing_is_fine) {
  const auto body = [](Transaction&) -> Task<Result<int>> { co_return 7; };
  EXPECT_EQ(run_task(loop_, database_.transact(body)).value(), 7);
}

TEST_P(DatabaseTest, a_violation_is_thrown_and_leaves_nothing) {
  const auto body = [](Transaction& transaction) -> Task<Result<int>> {
    co_await transaction.execute(kInsertOrFail, 1, "one");
    co_await transaction.execute(kInsertOrFail, 1, "again");
    co_return 1;
  };
  EXPECT_THROW(run_task(loop_, database_.transact(body)), ConstraintViolation);
  EXPECT_EQ(count(), 0);
  run_task(loop_, database_.write(kInsertOrFail, 1, "one"));
  EXPECT_THROW(run_task(loop_, database_.write(kInsertOrFail, 1, "again")), ConstraintViolation);
}

TEST_P(DatabaseTest, after_a_statement_that_cannot_work_the_next_ones_do) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_THROW(run_task(loop_, database_.read(kBroken)), std::exception);
    run_task(loop_, database_.write(kInsertOrFail, i, "fine"));
  }
  EXPECT_EQ(count(), 3);
}

TEST_P(DatabaseTest, after_a_value_that_cannot_be_sent_the_next_answers_are_their_own) {
  static constexpr Statement kNeverPrepared{"SELECT text FROM notes WHERE text = $1"};
  run_task(loop_, database_.write(kInsertOrFail, 1, "one"));
  const std::string with_nul("o\0ne", 4);
  try {
    EXPECT_TRUE(run_task(loop_, database_.read(kNeverPrepared, with_nul)).empty());
  } catch (const std::invalid_argument&) {
    // PostgreSQL knows no such text.
  }
  EXPECT_EQ(text(1), "one");
  EXPECT_EQ(run_task(loop_, database_.read(kNeverPrepared, "one")).size(), 1U);
}

TEST_P(DatabaseTest, many_at_once_each_get_their_own_answer) {
  std::vector<int> wrong;
  int left = 200;
  const auto guard = boost::asio::make_work_guard(loop_);
  const auto one = [this](int id) -> Task<bool> {
    const auto expected = "text " + std::to_string(id);
    co_await database_.write(kInsertOrFail, id, expected);
    if (id % 3 == 0) {
      auto body = [id](Transaction& transaction) -> Task<Result<bool>> {
        co_await transaction.execute(kUpdate, id, "!");
        co_return true;
      };
      co_await database_.transact(std::move(body));
    }
    const auto rows = co_await database_.read(kText, id);
    co_return rows.front().get<std::string>(0) == (id % 3 == 0 ? expected + "!" : expected);
  };
  for (int id = 0; id < 200; ++id) {
    boost::asio::co_spawn(loop_, one(id), [&, id](std::exception_ptr failure, bool is_right) {
      if (failure || !is_right) wrong.push_back(id);
      if (--left == 0) loop_.stop();
    });
  }
  loop_.restart();
  loop_.run();
  EXPECT_THAT(wrong, ::testing::IsEmpty());
}

// As they are written together where the engine gathers them: with what would end an array or an element of one, with
// ids that are not there, and with a NULL that the table refuses.
TEST_P(DatabaseTest, writes_that_are_gathered_each_get_their_own_answer_and_their_own_failure) {
  const std::vector<std::optional<std::string>> texts{"plain",       "",  "NULL",      R"("{a,b}\\")",
                                                      "line\nbreak", "é", std::nullopt};
  constexpr int kIds = 300;
  for (int id = 0; id < kIds; id += 2) run_task(loop_, database_.write(kInsertOrFail, id, "old"));
  const auto one = [this, &texts](int id) -> Task<bool> {
    const auto& text = texts[static_cast<std::size_t>(id) % texts.size()];
    const bool is_there = id % 2 == 0;
    try {
      const auto rows = co_await database_.write(kReplace, id, text);
      if (!is_there) co_return rows.empty() && rows.affected == 0;
      co_return text&& rows.size() == 1 && rows.affected == 1 &&
          rows.front().get<std::int64_t>(0) == id&& rows.front().get<std::string>(1) == *text;
    } catch (const ConstraintViolation&) {
      co_return is_there && !text;
    }
  };
  std::vector<int> wrong;
  int left = kIds;
  const auto guard = boost::asio::make_work_guard(loop_);
  for (int id = 0; id < kIds; ++id) {
    boost::asio::co_spawn(loop_, one(id), [&, id](std::exception_ptr failure, bool is_right) {
      if (failure || !is_right) wrong.push_back(id);
      if (--left == 0) loop_.stop();
    });
  }
  loop_.restart();
  loop_.run();
  EXPECT_THAT(wrong, ::testing::IsEmpty());
}

TEST_P(DatabaseTest, a_commit_elsewhere_that_concerns_readers_ends_the_wait_for_a_change) {
  ChangeMark seen;
  run_task(loop_, database_.wait_for_change(seen, std::chrono::milliseconds(0)));
  run_task(loop_, database_.wait_for_change(seen, std::chrono::milliseconds(300)));  // what its start still tells
  std::thread other([this] { opened_->run_by_hand("UPDATE session_epoch SET epoch = epoch + 1"); });
  // Far longer than the test may take: it ends because of the commit, or the test runner's own limit fails it.
  run_task(loop_, database_.wait_for_change(seen, std::chrono::minutes(30)));
  other.join();
}

TEST_P(DatabaseTest, a_probe_that_succeeds_is_remembered) {
  run_task(loop_, database_.probe());
  EXPECT_EQ(database_.state().health, Health::ok) << database_.state().reason;
  EXPECT_GT(database_.state().latency.count(), 0);
  run_task(loop_, database_.prove_current());
}

INSTANTIATE_TEST_SUITE_P(Engines, DatabaseTest, ::testing::ValuesIn(testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet::sql
