// What the benchmarks of whole modules begin with.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sql/postgres/migrate.hpp"
#include "sql/postgres/postgres_database.hpp"
#include "sql/sqlite/migrate.hpp"
#include "sql/sqlite/sqlite_database.hpp"

namespace safawinet::bench {

// An empty database with our schema: on PostgreSQL, or where there is no URL in a new file.
inline std::unique_ptr<sql::Database> make_database(const std::string& sqlite_file, const std::string& postgres_url,
                                                    sql::ConnectionBudget budget, EventLoop& loop) {
  if (postgres_url.empty()) {
    sql::migrate_sqlite(sqlite_file);
    return std::make_unique<sql::SqliteDatabase>(sqlite_file, std::vector<EventLoop*>{&loop});
  }
  sql::PostgresOptions server;
  server.url = postgres_url;
  sql::migrate_postgres(server);
  return std::make_unique<sql::PostgresDatabase>(server, server, budget, std::vector<EventLoop*>{&loop});
}

inline std::array<std::uint8_t, 32> key(std::uint8_t value) {
  std::array<std::uint8_t, 32> bytes{};
  bytes.fill(value);
  return bytes;
}

}  // namespace safawinet::bench
