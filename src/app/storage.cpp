#include "app/storage.hpp"

#include <stdexcept>
#include <thread>

#include "app/start_failure.hpp"
#include "base/clock.hpp"
#include "sql/postgres/migrate.hpp"
#include "sql/postgres/postgres_database.hpp"
#include "sql/sqlite/migrate.hpp"
#include "sql/sqlite/sqlite_database.hpp"

namespace safawinet::app {
namespace {

constexpr std::chrono::milliseconds kPauseBetweenTries{500};

sql::PostgresOptions options_of(const config::Settings& settings, const std::string& url) {
  sql::PostgresOptions options;
  options.url = url;
  options.statement_timeout = settings.database.statement_timeout;
  return options;
}

sql::PostgresOptions options_of(const config::Settings& settings) {
  return options_of(settings, settings.database.url);
}

// Tries again while the server cannot be reached: machines and containers start in any order.
template <class Work>
auto with_patience(const WaitListener& on_wait, Work work) {
  const auto deadline = MonotonicClock::now() + kDatabaseStartWait;
  for (;;) {
    std::string why;
    try {
      return work();
    } catch (const Unavailable& unavailable) {
      why = unavailable.what();
    } catch (const std::invalid_argument& unreadable) {
      throw StartFailure(kExitUsage, std::string("DATABASE_URL (database.url) cannot be read: ") + unreadable.what());
    } catch (const std::exception& failure) {
      throw StartFailure(kExitFailed, failure.what());
    }
    if (MonotonicClock::now() >= deadline) throw StartFailure(kExitFailed, why);
    on_wait(why);
    std::this_thread::sleep_for(kPauseBetweenTries);
  }
}

}  // namespace

sql::SchemaVersion prepare_schema(const config::Settings& settings, const WaitListener& on_wait) {
  if (settings.database.migrate != config::Migration::check) return migrate_schema(settings, on_wait);
  const auto found = with_patience(on_wait, [&] {
    if (settings.database.url.empty()) return sql::sqlite_schema_version(settings.storage.database_file());
    const auto options = options_of(settings);
    sql::check_server(options);
    return sql::postgres_schema_version(options);
  });
  const auto newest = settings.database.url.empty() ? sql::sqlite_newest_version() : sql::postgres_newest_version();
  if (found != newest) {
    throw StartFailure(kExitFailed, "the schema of the database is version " + std::to_string(found) +
                                        ", this binary needs " + std::to_string(newest) + ": run `safawinet migrate`");
  }
  return {.before = found, .after = newest};
}

sql::SchemaVersion migrate_schema(const config::Settings& settings, const WaitListener& on_wait) {
  return with_patience(on_wait, [&] {
    if (settings.database.url.empty()) return sql::migrate_sqlite(settings.storage.database_file());
    const auto options = options_of(settings);
    sql::check_server(options);
    return sql::migrate_postgres(options);
  });
}

std::unique_ptr<sql::Database> open_database(const config::Settings& settings, const std::vector<EventLoop*>& loops) {
  if (settings.database.url.empty()) {
    return std::make_unique<sql::SqliteDatabase>(settings.storage.database_file(), loops);
  }
  const auto& feed_url = settings.database.feed_url.empty() ? settings.database.url : settings.database.feed_url;
  const sql::ConnectionBudget budget{.shared = settings.database.shared_connections,
                                     .transactions = settings.database.transaction_connections};
  try {
    return std::make_unique<sql::PostgresDatabase>(options_of(settings), options_of(settings, feed_url), budget, loops);
  } catch (const std::invalid_argument& unreadable) {
    throw StartFailure(kExitUsage, std::string("database.feed_url cannot be read: ") + unreadable.what());
  }
}

std::string_view engine_name(const config::Settings& settings) {
  return settings.database.url.empty() ? "sqlite" : "postgresql";
}

}  // namespace safawinet::app
