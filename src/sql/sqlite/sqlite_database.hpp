// The embedded engine: SQLite in WAL mode, one writer thread with group commit, a reading connection on each event
// loop.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sql/database.hpp"
#include "sql/observed_state.hpp"
#include "sql/sqlite/connection.hpp"
#include "sql/sqlite/writer.hpp"

namespace safawinet::sql {

inline constexpr std::chrono::milliseconds kReaderBusyTimeout{1'000};
inline constexpr std::chrono::milliseconds kChangePollInterval{10};

class SqliteDatabase final : public Database {
 public:
  // The file must have been migrated (sql/sqlite/migrate.hpp). `loops` are all event loops that will make calls.
  SqliteDatabase(const std::string& path, const std::vector<EventLoop*>& loops);
  ~SqliteDatabase() override;

  Task<void> wait_for_change(ChangeMark& seen, std::chrono::milliseconds longest) override;
  Task<void> probe() override;
  [[nodiscard]] DatabaseState state() const override;

 protected:
  Task<Rows> run_read(const Statement& statement, Values values) override;
  Task<Rows> run_write(const Statement& statement, Values values) override;
  Task<void> run_transaction(TransactionBody body) override;

 private:
  struct Reader {
    EventLoop* loop;
    std::unique_ptr<SqliteConnection> connection;
  };

  Reader& reader_on(const Executor& executor);

  std::vector<Reader> readers_;  // not changed after construction; each used only on its loop
  ObservedState observed_;
  std::unique_ptr<SqliteWriter> writer_;
};

}  // namespace safawinet::sql
