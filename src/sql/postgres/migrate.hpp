// Brings a PostgreSQL database to the schema of this binary, and looks at a server before it is used.
#pragma once

#include <string>

#include "sql/migrations.hpp"
#include "sql/postgres/connector.hpp"

namespace safawinet::sql {

// All of these block. Errors: Unavailable when the server cannot be reached; std::runtime_error, with what to do,
// otherwise.

// Runs the missing migrations, each in a transaction of its own, under a lock that nodes which start together wait for.
// Refuses a schema that is newer than this binary.
SchemaVersion migrate_postgres(const PostgresOptions& options);
int postgres_newest_version();
// Changes nothing; 0 when there is no schema.
int postgres_schema_version(const PostgresOptions& options);

// Refuses servers before version 15, and poolers that give every transaction another server connection (PgBouncer with
// pool_mode=transaction): prepared statements, LISTEN and session settings would go to whoever comes next.
void check_server(const PostgresOptions& options);

}  // namespace safawinet::sql
