// The schema's history, embedded in the binary from migrations/<engine>/NNNN_name.sql.
#pragma once

#include <span>
#include <string_view>

namespace safawinet::sql {

struct Migration {
  int number;
  std::string_view name;
  std::string_view text;
};

struct SchemaVersion {
  int before = 0;  // 0: an empty database
  int after = 0;
};

// In the order of their numbers, which start at 1 and have no gaps.
std::span<const Migration> sqlite_migrations();
std::span<const Migration> postgres_migrations();

}  // namespace safawinet::sql
