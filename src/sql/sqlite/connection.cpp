#include "sql/sqlite/connection.hpp"

#include <sqlite3.h>

#include <stdexcept>

#include "base/address.hpp"

namespace safawinet::sql {
namespace {

// NOW() for statements that are typed by hand as they would be for PostgreSQL.
void sql_now(sqlite3_context* context, int, sqlite3_value**) {
  const auto text = to_rfc3339(SystemClock().now());
  sqlite3_result_text(context, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
}

std::string_view text_argument(sqlite3_value* value) {
  const auto* data = reinterpret_cast<const char*>(sqlite3_value_text(value));
  return data == nullptr ? std::string_view()
                         : std::string_view(data, static_cast<std::size_t>(sqlite3_value_bytes(value)));
}

// in_network('192.0.2.7', '192.0.2.0/24'): false for what is no address or no network, NULL included.
void sql_in_network(sqlite3_context* context, int, sqlite3_value** arguments) {
  const auto address = IpAddress::parse(text_argument(arguments[0]));
  const auto network = IpNetwork::parse(text_argument(arguments[1]));
  sqlite3_result_int(context, address && network && network->contains(*address) ? 1 : 0);
}

Cell read_cell(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
      return Null{};
    case SQLITE_INTEGER:
      return std::int64_t{sqlite3_column_int64(statement, column)};
    case SQLITE_BLOB: {
      const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement, column));
      return Bytes(data, data + sqlite3_column_bytes(statement, column));
    }
    default: {
      const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
      return std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(statement, column)));
    }
  }
}

struct Binder {
  sqlite3_stmt* statement;
  int index;

  // Values outlive the step of the statement, so nothing is copied except what is made here.
  int operator()(Null) const { return sqlite3_bind_null(statement, index); }
  int operator()(bool value) const { return sqlite3_bind_int64(statement, index, value ? 1 : 0); }
  int operator()(std::int64_t value) const { return sqlite3_bind_int64(statement, index, value); }
  int operator()(const std::string& value) const {
    return sqlite3_bind_text(statement, index, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
  }
  int operator()(const Bytes& value) const {
    return sqlite3_bind_blob(statement, index, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
  }
  int operator()(Time value) const { return bind_copy(to_rfc3339(value)); }
  int operator()(const Uuid& value) const { return bind_copy(value.text()); }

 private:
  [[nodiscard]] int bind_copy(const std::string& text) const {
    return sqlite3_bind_text(statement, index, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
  }
};

// A statement that has been stepped must be reset whatever happens, or it keeps its read transaction open.
class Resetting {
 public:
  explicit Resetting(sqlite3_stmt* statement) : statement_(statement) {}
  ~Resetting() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Resetting(const Resetting&) = delete;
  Resetting& operator=(const Resetting&) = delete;

 private:
  sqlite3_stmt* statement_;
};

}  // namespace

SqliteConnection::SqliteConnection(const std::string& path, OpenAs open_as, std::chrono::milliseconds busy_timeout) {
  // Memory statistics would put one mutex around every allocation of every connection. Only before the first use.
  [[maybe_unused]] static const int configured = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE |
                    (open_as == OpenAs::writer ? SQLITE_OPEN_CREATE : 0);
  sqlite3* handle = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  handle_.reset(handle);  // also after a failure
  if (opened != SQLITE_OK) {
    const std::string reason = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(opened);
    throw Unavailable("cannot open the database " + path + ": " + reason);
  }
  sqlite3_busy_timeout(handle, static_cast<int>(busy_timeout.count()));
  sqlite3_create_function(handle, "now", 0, SQLITE_UTF8, nullptr, sql_now, nullptr, nullptr);
  sqlite3_create_function(handle, "in_network", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr, sql_in_network, nullptr,
                          nullptr);
  // WAL: readers do not wait for the writer. FULL: a commit is on disk when it returns. recursive_triggers stays off.
  // Nothing here depends on foreign keys; they are on to catch our own mistakes.
  run_script(open_as == OpenAs::writer ? "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = "
                                         "ON; PRAGMA cache_size = -16000;"
                                       : "PRAGMA query_only = ON; PRAGMA cache_size = -4000;");
}

void SqliteConnection::Closing::operator()(sqlite3* handle) const { sqlite3_close(handle); }

void SqliteConnection::Finalizing::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Rows SqliteConnection::execute(const Statement& statement, const Values& values) {
  auto& prepared = prepare(statement);
  const Resetting resetting(prepared.handle.get());
  bind(prepared, values);
  Rows answer;
  const auto changes_before = sqlite3_total_changes64(handle_.get());
  const int columns = sqlite3_column_count(prepared.handle.get());
  for (;;) {
    const int stepped = sqlite3_step(prepared.handle.get());
    if (stepped == SQLITE_DONE) break;
    if (stepped != SQLITE_ROW) fail(stepped, statement.text);
    std::vector<Cell> cells;
    cells.reserve(static_cast<std::size_t>(columns));
    for (int column = 0; column < columns; ++column) cells.push_back(read_cell(prepared.handle.get(), column));
    answer.rows.emplace_back(std::move(cells));
  }
  if (sqlite3_total_changes64(handle_.get()) != changes_before) answer.affected = sqlite3_changes64(handle_.get());
  return answer;
}

void SqliteConnection::run_script(const std::string& text) {
  const int code = sqlite3_exec(handle_.get(), text.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code, text);
}

bool SqliteConnection::is_in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }

SqliteConnection::Prepared& SqliteConnection::prepare(const Statement& statement) {
  auto& prepared = prepared_[statement.text];
  if (prepared.handle != nullptr) return prepared;
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), statement.text, -1, SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  prepared.handle.reset(handle);
  if (code != SQLITE_OK) fail(code, statement.text);
  // SQLite numbers $1, $2, … by first appearance, not by the number.
  const int count = sqlite3_bind_parameter_count(handle);
  for (int n = 1; n <= count; ++n) {
    const int index = sqlite3_bind_parameter_index(handle, ("$" + std::to_string(n)).c_str());
    if (index == 0) throw std::logic_error(std::string("parameters are $1, $2, … without gaps: ") + statement.text);
    prepared.parameter_index.push_back(index);
  }
  return prepared;
}

void SqliteConnection::bind(const Prepared& prepared, const Values& values) {
  if (values.size() != prepared.parameter_index.size()) {
    throw std::logic_error(std::string("wrong number of parameters: ") + sqlite3_sql(prepared.handle.get()));
  }
  for (std::size_t n = 0; n < values.size(); ++n) {
    const int code = std::visit(Binder{prepared.handle.get(), prepared.parameter_index[n]}, values[n]);
    if (code != SQLITE_OK) fail(code, "bind");
  }
}

void SqliteConnection::fail(int code, std::string_view doing) const {
  const std::string reason = std::string(sqlite3_errmsg(handle_.get())) + " (" + sqlite3_errstr(code) + ")";
  switch (code & 0xFF) {
    case SQLITE_CONSTRAINT:
      throw ConstraintViolation(reason);
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
      throw std::logic_error(reason + " in: " + std::string(doing));
    default:
      throw Unavailable("database: " + reason);
  }
}

}  // namespace safawinet::sql
