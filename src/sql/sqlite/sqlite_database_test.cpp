#include "sql/sqlite/sqlite_database.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/run_task.hpp"
#include "sql/migrations.hpp"
#include "sql/sqlite/migrate.hpp"
#include "sql/testing.hpp"

namespace safawinet::sql {
namespace {

constexpr Statement kInsert{"INSERT INTO notes (id, text) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id"};
constexpr Statement kInsertOrFail{"INSERT INTO notes (id, text) VALUES ($1, $2)"};
constexpr Statement kCount{"SELECT count(*) FROM notes"};
constexpr Statement kReversed{"SELECT $2, $1"};

class SqliteDatabaseTest : public ::testing::Test {
 protected:
  SqliteDatabaseTest() : database_(file_.path(), {&loop_}) {
    SqliteConnection other(file_.path(), OpenAs::writer, std::chrono::milliseconds(1000));
    other.run_script("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)");
  }

  std::int64_t count() { return run_task(loop_, database_.read(kCount)).front().get<std::int64_t>(0); }

  testing::MigratedFile file_;
  EventLoop loop_{1};
  SqliteDatabase database_;
};

TEST_F(SqliteDatabaseTest, parameters_go_by_their_number_and_not_by_their_place) {
  const auto rows = run_task(loop_, database_.read(kReversed, "first", "second"));
  EXPECT_EQ(rows.front().get<std::string>(0), "second");
  EXPECT_EQ(rows.front().get<std::string>(1), "first");
}

TEST_F(SqliteDatabaseTest, a_transaction_that_throws_leaves_nothing_and_spares_its_neighbours) {
  const auto failing = [](Transaction& transaction) -> Task<Result<int>> {
    co_await transaction.execute(kInsertOrFail, 1, "one");
    co_await transaction.execute(kInsertOrFail, 1, "again");
    co_return 1;
  };
  const auto fine = [](Transaction& transaction) -> Task<Result<int>> {
    co_await transaction.execute(kInsertOrFail, 7, "seven");
    co_return 7;
  };
  int violations = 0;
  int done = 0;
  const auto guard = boost::asio::make_work_guard(loop_);
  for (int i = 0; i < 3; ++i) {
    boost::asio::co_spawn(loop_.get_executor(), database_.transact(failing),
                          [&](std::exception_ptr thrown, Result<int>) {
                            try {
                              if (thrown) std::rethrow_exception(thrown);
                            } catch (const ConstraintViolation&) {
                              ++violations;
                            }
                            if (++done == 4) loop_.stop();
                          });
    if (i == 1) {
      boost::asio::co_spawn(loop_.get_executor(), database_.transact(fine),
                            [&](std::exception_ptr thrown, Result<int>) {
                              EXPECT_FALSE(thrown);
                              if (++done == 4) loop_.stop();
                            });
    }
  }
  loop_.run();
  EXPECT_EQ(violations, 3);
  EXPECT_EQ(count(), 1);
}

TEST_F(SqliteDatabaseTest, reading_connections_cannot_write) {
  EXPECT_THROW(run_task(loop_, database_.read(kInsertOrFail, 1, "one")), std::exception);
  EXPECT_EQ(count(), 0);
}

TEST_F(SqliteDatabaseTest, another_connections_commit_ends_the_wait_for_a_change) {
  ChangeMark seen;
  run_task(loop_, database_.wait_for_change(seen, std::chrono::milliseconds(0)));
  std::thread other([path = file_.path()] {
    SqliteConnection connection(path, OpenAs::writer, std::chrono::milliseconds(1000));
    connection.run_script("INSERT INTO notes VALUES (5, 'five')");
  });
  // Far longer than the test may take: it ends because of the commit, or the test runner's own limit fails it.
  run_task(loop_, database_.wait_for_change(seen, std::chrono::minutes(30)));
  other.join();
  EXPECT_EQ(count(), 1);
}

TEST_F(SqliteDatabaseTest, a_locked_database_is_unavailable_and_heals) {
  SqliteConnection other(file_.path(), OpenAs::writer, std::chrono::milliseconds(1000));
  other.run_script("BEGIN IMMEDIATE");
  EXPECT_THROW(run_task(loop_, database_.write(kInsert, 1, "one")), Unavailable);
  EXPECT_EQ(database_.state().health, Health::read_only);
  other.run_script("ROLLBACK");
  run_task(loop_, database_.probe());
  EXPECT_EQ(database_.state().health, Health::ok);
  EXPECT_EQ(run_task(loop_, database_.write(kInsert, 1, "one")).affected, 1);
}

TEST_F(SqliteDatabaseTest, a_file_that_cannot_be_used_is_not_kept_open) {
  const auto path = (file_.folder() / "not-a-database").string();
  std::ofstream(path) << std::string(4096, 'x');
  const auto open_files = [] {
    const std::filesystem::directory_iterator files("/proc/self/fd");
    return std::distance(begin(files), end(files));
  };
  const auto before = open_files();
  EXPECT_THROW(SqliteConnection(path, OpenAs::writer, std::chrono::milliseconds(1)), Unavailable);
  EXPECT_EQ(open_files(), before);
}

TEST_F(SqliteDatabaseTest, now_works_as_in_postgresql) {
  static constexpr Statement now{"SELECT NOW()"};
  EXPECT_TRUE(run_task(loop_, database_.read(now)).front().find<Time>(0).has_value());
}

TEST(MigrateSqlite, a_newer_schema_is_refused_and_untouched) {
  const testing::MigratedFile file;
  {
    SqliteConnection other(file.path(), OpenAs::writer, std::chrono::milliseconds(1000));
    other.run_script("PRAGMA user_version = 9999");
  }
  EXPECT_THROW(migrate_sqlite(file.path()), std::runtime_error);
  EXPECT_EQ(sqlite_schema_version(file.path()), 9999);
}

TEST(MigrateSqlite, doing_it_twice_is_fine_and_the_file_is_private) {
  const testing::MigratedFile file;
  const auto version = migrate_sqlite(file.path());
  EXPECT_EQ(version.before, version.after);
  EXPECT_EQ(version.after, sqlite_migrations().back().number);
  const auto others = std::filesystem::perms::group_all | std::filesystem::perms::others_all;
  EXPECT_EQ(std::filesystem::status(file.path()).permissions() & others, std::filesystem::perms::none);
}

}  // namespace
}  // namespace safawinet::sql
