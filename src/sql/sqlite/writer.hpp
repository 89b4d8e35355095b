// The one thread that writes: what waits together is committed together.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/suspend.hpp"
#include "sql/database.hpp"
#include "sql/sqlite/connection.hpp"

namespace safawinet::sql {

inline constexpr std::size_t kWriterQueueLimit = 8192;                   // transactions
inline constexpr std::size_t kWriterBatchLimit = 256;                    // transactions in one commit
inline constexpr std::chrono::milliseconds kWriterQueueDeadline{5'000};  // longest wait before a transaction begins
inline constexpr std::chrono::milliseconds kWriterBusyTimeout{3'000};    // for other processes' write locks

// One transaction that waits to be written. `run` is called on the writer thread; the waiting coroutine is resumed
// after the fate of the transaction is on disk (or known to be nothing).
class WriteJob {
 public:
  explicit WriteJob(std::unique_ptr<Resumption> waiting) : waiting_(std::move(waiting)) {}
  virtual ~WriteJob() = default;
  // Returns whether to keep what it did; throws to have it undone and the exception delivered.
  virtual bool run(SqliteConnection& connection) = 0;
  // A job that is one statement is atomic by itself and needs no savepoint.
  [[nodiscard]] virtual bool is_single_statement() const = 0;
  void complete(std::exception_ptr failure) { waiting_->resume(std::move(failure)); }

  MonotonicTime queued_at{};

 private:
  std::unique_ptr<Resumption> waiting_;
};

// Group commit: jobs that are waiting when the previous commit ends share the next one, each under a savepoint of its
// own, so that one that fails takes none of the others with it. If the commit itself fails, all of the batch fail.
// Threading: submit and the getters from any thread.
class SqliteWriter {
 public:
  // `on_failure` hears, on the writer thread, why the database could not be written.
  using FailureListener = std::function<void(const std::string& reason)>;

  SqliteWriter(const std::string& path, FailureListener on_failure);
  // Completes what is queued, then ends the thread.
  ~SqliteWriter();
  SqliteWriter(const SqliteWriter&) = delete;
  SqliteWriter& operator=(const SqliteWriter&) = delete;

  // A job is completed with Unavailable when the queue is full or the writer has stopped.
  void submit(std::unique_ptr<WriteJob> job);

 private:
  using Batch = std::vector<std::unique_ptr<WriteJob>>;

  void work();
  Batch take_batch();
  void write(Batch batch);
  std::exception_ptr run_one(WriteJob& job);
  void abandon_transaction() noexcept;

  SqliteConnection connection_;
  FailureListener on_failure_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::unique_ptr<WriteJob>> queue_;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace safawinet::sql
