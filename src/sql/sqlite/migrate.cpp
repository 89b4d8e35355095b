#include "sql/sqlite/migrate.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>

#include "base/file.hpp"
#include "sql/migrations.hpp"
#include "sql/sqlite/connection.hpp"

namespace safawinet::sql {
namespace {

constexpr std::chrono::milliseconds kMigrationLockWait{60'000};

constexpr Statement kVersion{"PRAGMA user_version"};
constexpr Statement kBegin{"BEGIN IMMEDIATE"};
constexpr Statement kCommit{"COMMIT"};

int read_version(SqliteConnection& connection) {
  return static_cast<int>(connection.execute(kVersion, {}).front().get<std::int64_t>(0));
}

}  // namespace

SchemaVersion migrate_sqlite(const std::string& path) {
  // Made by us first, so that nobody else can read it, whatever the umask; SQLite gives -wal and -shm the same mode.
  const int created = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (created < 0) throw Unavailable("cannot create " + path + ": " + last_error());
  ::close(created);

  SqliteConnection connection(path, OpenAs::writer, kMigrationLockWait);
  connection.execute(kBegin, {});
  const int newest = sqlite_newest_version();
  SchemaVersion version{.before = read_version(connection), .after = newest};
  if (version.before > newest) {
    throw std::runtime_error("the schema of " + path + " is version " + std::to_string(version.before) +
                             ", this binary knows up to " + std::to_string(newest) +
                             ": install the newer binary again");
  }
  for (const auto& migration : sqlite_migrations()) {
    if (migration.number > version.before) connection.run_script(std::string(migration.text));
  }
  if (version.before != newest) connection.run_script("PRAGMA user_version = " + std::to_string(newest));
  connection.execute(kCommit, {});
  return version;
}

int sqlite_newest_version() { return sqlite_migrations().back().number; }

int sqlite_schema_version(const std::string& path) {
  if (!std::filesystem::exists(path)) return 0;
  SqliteConnection connection(path, OpenAs::reader, kMigrationLockWait);
  return read_version(connection);
}

}  // namespace safawinet::sql
