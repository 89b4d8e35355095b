// One SQLite connection with its prepared statements.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sql/database.hpp"
#include "sql/value.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace safawinet::sql {

enum class OpenAs { reader, writer };

// Threading: used by one thread at a time.
// Errors: Unavailable for busy, full, read-only, unreadable and damaged databases; ConstraintViolation;
// std::logic_error for SQL that does not compile.
class SqliteConnection {
 public:
  SqliteConnection(const std::string& path, OpenAs open_as, std::chrono::milliseconds busy_timeout);
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  Rows execute(const Statement& statement, const Values& values);
  // Any number of statements without parameters or answers, not kept prepared.
  void run_script(const std::string& text);
  // False once SQLite has rolled back an open transaction by itself (a full disk, an I/O error).
  [[nodiscard]] bool is_in_transaction() const;

 private:
  struct Closing {
    void operator()(sqlite3* handle) const;
  };
  struct Finalizing {
    void operator()(sqlite3_stmt* statement) const;
  };
  struct Prepared {
    std::unique_ptr<sqlite3_stmt, Finalizing> handle;
    std::vector<int> parameter_index;  // [n - 1] is SQLite's index of $n
  };

  Prepared& prepare(const Statement& statement);
  void bind(const Prepared& prepared, const Values& values);
  [[noreturn]] void fail(int code, std::string_view doing) const;

  std::unique_ptr<sqlite3, Closing> handle_;  // before the statements, which end first
  std::unordered_map<const char*, Prepared> prepared_;
};

}  // namespace safawinet::sql
