// For tests: a migrated embedded database in a file of its own.
#pragma once

#include <stdlib.h>  // mkdtemp

#include <filesystem>
#include <stdexcept>
#include <string>

#include "sql/sqlite/migrate.hpp"

namespace safawinet::sql::testing {

class MigratedFile {
 public:
  MigratedFile() {
    std::string name = (std::filesystem::temp_directory_path() / "safawinet-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
    folder_ = name;
    migrate_sqlite(path());
  }
  ~MigratedFile() { std::filesystem::remove_all(folder_); }
  MigratedFile(const MigratedFile&) = delete;
  MigratedFile& operator=(const MigratedFile&) = delete;

  [[nodiscard]] std::string path() const { return folder_ / "safawinet.db"; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

}  // namespace safawinet::sql::testing
