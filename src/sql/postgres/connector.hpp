// Opens connections to the primary, on threads of its own: name resolution and handshakes block.
//
// With several hosts in the URL all are tried at once, and the one that takes writes is used; of two that do (an old
// primary that came back after a standby was promoted), the one on the higher timeline. A timeline below the highest
// that was ever seen is not used again.
#pragma once

#include <libpq-fe.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/suspend.hpp"
#include "base/task.hpp"

namespace safawinet::sql {

struct PostgresOptions {
  std::string url;  // postgresql://user:password@host:5432,other:5432/name?… (libpq, "Connection URIs")
  std::string application_name = "safawinet";
  std::chrono::milliseconds statement_timeout{5'000};
  std::chrono::milliseconds lock_timeout{2'000};
  std::chrono::milliseconds idle_in_transaction_timeout{10'000};
  std::chrono::milliseconds connect_timeout{2'000};
};

struct ConnectionDeleter {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
using ConnectionHandle = std::unique_ptr<PGconn, ConnectionDeleter>;

// A connection to a server that takes writes.
struct OpenedConnection {
  ConnectionHandle handle;
  std::uint32_t timeline = 0;  // 0: unknown, with a single host
};

// With several hosts: whether the first on the newest known timeline is good enough, or all are given time to answer.
enum class Choice { first_known, best_of_all };

// Connects and blocks until then. Throws Unavailable, with the reasons of every host; std::invalid_argument for a URL
// that libpq cannot read.
OpenedConnection open_connection(const PostgresOptions& options, std::uint32_t least_timeline = 0,
                                 Choice choice = Choice::first_known, const std::atomic<bool>* is_stopping = nullptr);

// None if libpq can read the URL, else what is wrong with it, without its password.
std::string complaint_about_url(const std::string& url);
std::size_t count_of_hosts(const std::string& url);

// Threading: any thread.
class Connector {
 public:
  Connector(PostgresOptions options, std::size_t threads);
  // Ends the threads; what is waiting is never resumed.
  ~Connector();
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  // Throws Unavailable.
  Task<OpenedConnection> open() { return open(Choice::first_known); }

  // When a connection was opened last, for whichever event loop.
  [[nodiscard]] MonotonicTime last_opened_at() const {
    return MonotonicTime(std::chrono::nanoseconds(last_opened_at_.load()));
  }
  // Connections on a lower timeline belong to a primary that was replaced.
  [[nodiscard]] std::uint32_t highest_timeline() const { return highest_timeline_; }
  // No older one is to be used from now on.
  void raise_timeline(std::uint32_t timeline);
  // Looks for a primary on a higher timeline than was seen before. Does nothing with a single host.
  Task<void> survey();
  [[nodiscard]] const PostgresOptions& options() const { return options_; }

 private:
  struct Job {
    Choice choice;
    std::unique_ptr<Resumption> waiting;
    OpenedConnection* opened;  // in the frame of the coroutine that waits
  };

  Task<OpenedConnection> open(Choice choice);
  void submit(Job job);
  void work();

  const PostgresOptions options_;
  const std::size_t hosts_;
  std::atomic<std::uint32_t> highest_timeline_{0};
  std::atomic<std::int64_t> last_opened_at_{0};  // nanoseconds of MonotonicTime
  std::atomic<bool> is_stopping_{false};
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Job> queue_;
  std::vector<std::thread> threads_;
};

}  // namespace safawinet::sql
