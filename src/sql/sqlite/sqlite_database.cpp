#include "sql/sqlite/sqlite_database.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include <stdexcept>
#include <utility>

#include "base/pause.hpp"

namespace safawinet::sql {
namespace {

constexpr Statement kDataVersion{"PRAGMA data_version"};
constexpr Statement kProbeRead{"SELECT 1 FROM session_epoch"};
constexpr Statement kProbeWrite{"UPDATE database_probe SET probed_at = now()"};

class SqliteTransaction final : public Transaction {
 public:
  explicit SqliteTransaction(SqliteConnection& connection) : connection_(connection) {}

 protected:
  Task<Rows> run(const Statement& statement, Values values) override {
    co_return connection_.execute(statement, values);
  }

 private:
  SqliteConnection& connection_;
};

class StatementJob final : public WriteJob {
 public:
  StatementJob(std::unique_ptr<Resumption> waiting, const Statement& statement, const Values& values, Rows& answer)
      : WriteJob(std::move(waiting)), statement_(statement), values_(values), answer_(answer) {}
  bool run(SqliteConnection& connection) override {
    answer_ = connection.execute(statement_, values_);
    return true;
  }
  [[nodiscard]] bool is_single_statement() const override { return true; }

 private:
  const Statement& statement_;
  const Values& values_;  // these live in the frame of the coroutine that waits
  Rows& answer_;
};

// Runs a coroutine to its end on this thread. Inside a transaction of this engine nothing ever suspends: statements are
// answered at once.
bool run_to_end(const std::function<Task<bool>(Transaction&)>& body, Transaction& transaction) {
  EventLoop loop(1);
  std::optional<bool> commit;
  std::exception_ptr failure;
  boost::asio::co_spawn(loop.get_executor(), body(transaction), [&](std::exception_ptr thrown, bool decided) {
    failure = thrown;
    commit = decided;
  });
  loop.poll();
  if (failure) std::rethrow_exception(failure);
  if (!commit) throw std::logic_error("a transaction body awaited something that is not a statement");
  return *commit;
}

class TransactionJob final : public WriteJob {
 public:
  TransactionJob(std::unique_ptr<Resumption> waiting, const std::function<Task<bool>(Transaction&)>& body)
      : WriteJob(std::move(waiting)), body_(body) {}
  bool run(SqliteConnection& connection) override {
    SqliteTransaction transaction(connection);
    return run_to_end(body_, transaction);
  }
  [[nodiscard]] bool is_single_statement() const override { return false; }

 private:
  const std::function<Task<bool>(Transaction&)>& body_;
};

}  // namespace

SqliteDatabase::SqliteDatabase(const std::string& path, const std::vector<EventLoop*>& loops) {
  writer_ = std::make_unique<SqliteWriter>(path, [this](const std::string& reason) {
    observed_.count_error();
    observed_.set(Health::read_only, std::chrono::microseconds(0), reason);
  });
  for (auto* loop : loops) {
    readers_.push_back({loop, std::make_unique<SqliteConnection>(path, OpenAs::reader, kReaderBusyTimeout)});
  }
}

SqliteDatabase::~SqliteDatabase() = default;

Task<Rows> SqliteDatabase::run_read(const Statement& statement, Values values) {
  const auto executor = co_await boost::asio::this_coro::executor;
  try {
    co_return reader_on(executor).connection->execute(statement, values);
  } catch (const Unavailable&) {
    observed_.count_error();
    throw;
  }
}

Task<Rows> SqliteDatabase::run_write(const Statement& statement, Values values) {
  Rows answer;
  auto start = [this, &statement, &values, &answer](std::unique_ptr<Resumption> waiting) {
    writer_->submit(std::make_unique<StatementJob>(std::move(waiting), statement, values, answer));
  };
  co_await suspend(std::move(start));
  co_return answer;
}

Task<void> SqliteDatabase::run_transaction(TransactionBody body) {
  auto start = [this, &body](std::unique_ptr<Resumption> waiting) {
    writer_->submit(std::make_unique<TransactionJob>(std::move(waiting), body));
  };
  co_await suspend(std::move(start));
}

Task<void> SqliteDatabase::wait_for_change(ChangeMark& seen, std::chrono::milliseconds longest) {
  const auto executor = co_await boost::asio::this_coro::executor;
  auto& connection = *reader_on(executor).connection;
  const auto deadline = MonotonicClock::now() + longest;
  for (;;) {
    const Values none;
    const auto version = connection.execute(kDataVersion, none).front().get<std::int64_t>(0);
    if (std::exchange(seen.value, version) != version || MonotonicClock::now() >= deadline) co_return;
    co_await pause_for(kChangePollInterval);
  }
}

Task<void> SqliteDatabase::probe() {
  const auto began = MonotonicClock::now();
  Health health = Health::down;
  std::string reason;
  try {
    co_await read(kProbeRead);
    health = Health::read_only;
    co_await write(kProbeWrite);
    health = Health::ok;
  } catch (const std::exception& error) {
    reason = error.what();
  }
  observed_.set(health, std::chrono::duration_cast<std::chrono::microseconds>(MonotonicClock::now() - began), reason);
}

DatabaseState SqliteDatabase::state() const { return observed_.get(); }

SqliteDatabase::Reader& SqliteDatabase::reader_on(const Executor& executor) {
  for (auto& reader : readers_) {
    if (reader.loop == &executor.context()) return reader;
  }
  throw std::logic_error("the database was opened without this event loop");
}

}  // namespace safawinet::sql
