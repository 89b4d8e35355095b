// For tests: a migrated embedded database in a file of its own.
#pragma once

#include <filesystem>
#include <string>

#include "base/testing_folder.hpp"
#include "sql/sqlite/migrate.hpp"

namespace safawinet::sql::testing {

class MigratedFile {
 public:
  MigratedFile() { migrate_sqlite(path()); }

  [[nodiscard]] std::string path() const { return folder_.path() / "safawinet.db"; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }

 private:
  safawinet::testing::TemporaryFolder folder_;
};

}  // namespace safawinet::sql::testing
