#include "sql/sqlite/writer.hpp"

#include <pthread.h>

#include <utility>

namespace safawinet::sql {
namespace {

constexpr Statement kBegin{"BEGIN IMMEDIATE"};
constexpr Statement kCommit{"COMMIT"};
constexpr Statement kRollback{"ROLLBACK"};
constexpr Statement kSavepoint{"SAVEPOINT one"};
constexpr Statement kRelease{"RELEASE one"};
constexpr Statement kUndo{"ROLLBACK TO one"};

}  // namespace

SqliteWriter::SqliteWriter(const std::string& path, FailureListener on_failure)
    : connection_(path, OpenAs::writer, kWriterBusyTimeout), on_failure_(std::move(on_failure)) {
  thread_ = std::thread([this] { work(); });
  pthread_setname_np(thread_.native_handle(), "sqlite-writer");
}

SqliteWriter::~SqliteWriter() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  arrived_.notify_one();
  thread_.join();
}

void SqliteWriter::submit(std::unique_ptr<WriteJob> job) {
  job->queued_at = MonotonicClock::now();
  const char* refusal = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (is_stopping_) {
      refusal = "the database is closing";
    } else if (queue_.size() >= kWriterQueueLimit) {
      refusal = "the write queue is full";
    } else {
      queue_.push_back(std::move(job));
    }
  }
  if (refusal == nullptr) return arrived_.notify_one();
  job->complete(std::make_exception_ptr(Unavailable(refusal)));  // NOLINT(bugprone-use-after-move): it was not moved
}

void SqliteWriter::work() {
  for (;;) {
    auto batch = take_batch();
    if (batch.empty()) return;
    write(std::move(batch));
  }
}

SqliteWriter::Batch SqliteWriter::take_batch() {
  std::unique_lock lock(mutex_);
  arrived_.wait(lock, [this] { return is_stopping_ || !queue_.empty(); });
  Batch batch;
  while (!queue_.empty() && batch.size() < kWriterBatchLimit) {
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return batch;
}

void SqliteWriter::write(Batch batch) {
  std::vector<std::exception_ptr> failures(batch.size());
  const auto too_old = MonotonicClock::now() - kWriterQueueDeadline;
  try {
    connection_.execute(kBegin, {});
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (batch[i]->queued_at < too_old) {
        failures[i] = std::make_exception_ptr(Unavailable("waited too long for the database"));
      } else {
        failures[i] = run_one(*batch[i]);
      }
      // After a full disk or an I/O error SQLite has undone the whole batch, not only this job.
      if (!connection_.is_in_transaction()) throw Unavailable("database: the transaction was rolled back by SQLite");
    }
    connection_.execute(kCommit, {});
  } catch (const std::exception& error) {
    abandon_transaction();
    const auto everybody = std::make_exception_ptr(Unavailable(error.what()));
    for (auto& failure : failures) failure = everybody;
    on_failure_(error.what());
  }
  for (std::size_t i = 0; i < batch.size(); ++i) batch[i]->complete(failures[i]);
}

std::exception_ptr SqliteWriter::run_one(WriteJob& job) {
  try {
    if (job.is_single_statement()) {
      job.run(connection_);
      return nullptr;
    }
    connection_.execute(kSavepoint, {});
    if (!job.run(connection_)) connection_.execute(kUndo, {});
    connection_.execute(kRelease, {});
    return nullptr;
  } catch (const std::exception&) {
    const auto failure = std::current_exception();
    if (!job.is_single_statement() && connection_.is_in_transaction()) {
      connection_.execute(kUndo, {});
      connection_.execute(kRelease, {});
    }
    return failure;
  }
}

void SqliteWriter::abandon_transaction() noexcept {
  try {
    if (connection_.is_in_transaction()) connection_.execute(kRollback, {});
  } catch (const std::exception&) {
    // Nothing was committed; SQLite has rolled back already.
  }
}

}  // namespace safawinet::sql
