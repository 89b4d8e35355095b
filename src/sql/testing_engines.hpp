// For tests: a fresh, migrated database of each engine that there is. Contracts run on all of them.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "sql/database.hpp"
#include "sql/postgres/postgres_database.hpp"
#include "sql/sqlite/sqlite_database.hpp"
#include "sql/testing.hpp"
#include "sql/testing_postgres.hpp"

namespace safawinet::sql::testing {

// Goes away with the object.
class TestDatabase {
 public:
  virtual ~TestDatabase() = default;
  virtual Database& database() = 0;
  // Any number of statements, as somebody else types them: on a connection of their own, which our process knows
  // nothing of.
  virtual void run_by_hand(const std::string& script) = 0;
};

class SqliteTestDatabase final : public TestDatabase {
 public:
  explicit SqliteTestDatabase(const std::vector<EventLoop*>& loops) : database_(file_.path(), loops) {}

  Database& database() override { return database_; }
  void run_by_hand(const std::string& script) override {
    SqliteConnection shell(file_.path(), OpenAs::writer, std::chrono::seconds(5));
    shell.run_script("PRAGMA foreign_keys = OFF");  // as in the sqlite3 shell
    shell.run_script(script);
  }

 private:
  MigratedFile file_;
  SqliteDatabase database_;
};

class PostgresTestDatabase final : public TestDatabase {
 public:
  explicit PostgresTestDatabase(const std::vector<EventLoop*>& loops)
      : cluster_(PostgresCluster::shared()),
        name_(cluster_.create_database()),
        database_(std::make_unique<PostgresDatabase>(cluster_.options(name_), cluster_.options(name_),
                                                     ConnectionBudget{.shared = 2, .transactions = 8}, loops)) {}
  ~PostgresTestDatabase() override {
    database_.reset();
    cluster_.drop_database(name_);
  }

  Database& database() override { return *database_; }
  void run_by_hand(const std::string& script) override { cluster_.run_by_hand(name_, script); }

 private:
  PostgresCluster& cluster_;
  std::string name_;
  std::unique_ptr<PostgresDatabase> database_;
};

struct Engine {
  std::string_view name;
  std::unique_ptr<TestDatabase> (*open)(const std::vector<EventLoop*>& loops);

  friend std::ostream& operator<<(std::ostream& out, const Engine& engine) { return out << engine.name; }
};

template <class Opened>
std::unique_ptr<TestDatabase> open_engine(const std::vector<EventLoop*>& loops) {
  return std::make_unique<Opened>(loops);
}

inline constexpr std::array kEngines{
    Engine{"sqlite", &open_engine<SqliteTestDatabase>},
    Engine{"postgres", &open_engine<PostgresTestDatabase>},
};

// INSTANTIATE_TEST_SUITE_P(Engines, SomeContract, ::testing::ValuesIn(kEngines), ::testing::PrintToStringParamName());

}  // namespace safawinet::sql::testing
