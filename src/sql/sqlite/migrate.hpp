// Brings the embedded database to the schema of this binary.
#pragma once

#include <string>

#include "sql/migrations.hpp"

namespace safawinet::sql {

// Creates the file (0600) when there is none. Runs the missing migrations in one transaction, so that two processes
// that start at once do the work once, and a crash leaves either the old schema or the new one. Errors: Unavailable
// when the file cannot be used; std::runtime_error, with what to do, when the schema is newer than this binary.
SchemaVersion migrate_sqlite(const std::string& path);
// The schema that this binary brings.
int sqlite_newest_version();
// Reads the version, changes nothing; 0 when there is no file.
int sqlite_schema_version(const std::string& path);

}  // namespace safawinet::sql
