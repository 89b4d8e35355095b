// The database that the settings name: embedded in the data folder, or a PostgreSQL server.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.hpp"
#include "config/settings.hpp"
#include "sql/database.hpp"
#include "sql/migrations.hpp"

namespace safawinet::app {

// How long a start waits for a database server that does not answer yet.
inline constexpr std::chrono::seconds kDatabaseStartWait{30};

// Hears, about every second, why a start still waits.
using WaitListener = std::function<void(std::string_view reason)>;

// The schema as it is brought to, or found at, by the setting database.migrate. Errors: StartFailure.
sql::SchemaVersion prepare_schema(const config::Settings& settings, const WaitListener& on_wait);
// Brings the schema up to date, whatever the setting. Errors: StartFailure.
sql::SchemaVersion migrate_schema(const config::Settings& settings, const WaitListener& on_wait);

// The schema must have been prepared. `loops` are those of Workers::all(). Errors: StartFailure.
std::unique_ptr<sql::Database> open_database(const config::Settings& settings, const std::vector<EventLoop*>& loops);

// "sqlite" or "postgresql"
std::string_view engine_name(const config::Settings& settings);

}  // namespace safawinet::app
