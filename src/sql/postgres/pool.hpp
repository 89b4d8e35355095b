// The connections of one event loop: a few that many coroutines share for single statements, and some that each
// transaction has for itself.
//
// They are opened when they are needed. While the database is away, calls wait for a short time, since a failover or a
// restart is over in seconds, and then fail at once until it is back: one attempt after the other goes on, whether or
// not anybody calls, and as soon as one of another event loop succeeds, calls wait again.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/task.hpp"
#include "sql/postgres/connection.hpp"
#include "sql/postgres/connector.hpp"

namespace safawinet::sql {

struct PoolLimits {
  std::size_t shared = 4;        // connections for single statements
  std::size_t transactions = 4;  // connections for transactions
};

inline constexpr std::chrono::milliseconds kConnectionPatience{2'500};  // longest wait for a connection
inline constexpr std::size_t kTransactionsWaitingLimit = 2'000;
inline constexpr std::chrono::milliseconds kLongestReconnectPause{500};

struct PoolState {
  std::size_t open = 0;            // connections
  std::size_t in_transaction = 0;  // of them
  std::size_t waiting = 0;         // coroutines that wait for one
};

// Threading: its event loop only, but state(). Made with make_shared: connections that are being opened keep it alive.
class ConnectionPool : public std::enable_shared_from_this<ConnectionPool> {
 public:
  ConnectionPool(EventLoop& loop, Connector& connector, PoolLimits limits)
      : loop_(loop), connector_(connector), limits_(limits) {}

  using Connection = std::shared_ptr<PostgresConnection>;

  // The shared connection with the least to do. Throws Unavailable.
  Task<Connection> shared();

  // A connection for one transaction. It is closed at the end of its life unless it was declared clean.
  class Borrowed {
   public:
    Borrowed(std::shared_ptr<ConnectionPool> pool, Connection connection)
        : pool_(std::move(pool)), connection_(std::move(connection)) {}
    Borrowed(Borrowed&& other) noexcept = default;
    Borrowed& operator=(Borrowed&&) = delete;
    ~Borrowed() {
      if (connection_) pool_->take_back(std::move(connection_), is_clean_);
    }
    [[nodiscard]] PostgresConnection& connection() const { return *connection_; }
    void declare_clean() { is_clean_ = true; }

   private:
    std::shared_ptr<ConnectionPool> pool_;
    Connection connection_;
    bool is_clean_ = false;
  };
  // Throws Unavailable.
  Task<Borrowed> borrow();

  // Has a connection of each kind opened, before somebody needs it: when the server has none left, a node that kept
  // its own goes on.
  void keep_ready();
  // Closes what leads to a primary that was replaced.
  void drop_replaced();
  // Forgets connections that were closed by their user.
  void drop_closed();
  // Closes everything. The loop runs no more after it: what still waits is destroyed with it.
  void close();

  // Any thread.
  [[nodiscard]] PoolState state() const {
    return {.open = figures_.open, .in_transaction = figures_.in_transaction, .waiting = figures_.waiting};
  }

 private:
  enum class Purpose { shared, transaction };

  void open_another(Purpose purpose);
  Task<void> open(Purpose purpose);
  void remove(const PostgresConnection* connection);
  void take_back(Connection connection, bool is_clean);
  [[nodiscard]] bool is_replaced(const PostgresConnection& connection) const;
  [[nodiscard]] Connection least_busy() const;
  using Waiting = std::deque<Timer*>;  // in the frames of the coroutines that wait, in the order that they came
  // Until something has changed, at the latest at `deadline`.
  Task<void> wait_in(Waiting& line, MonotonicTime deadline);
  static void wake_one(Waiting& line);
  static void wake_all(Waiting& line);
  // `will_be_given_back`: there are connections, and one of them will be free some time.
  void throw_if_hopeless(bool will_be_given_back, MonotonicTime deadline) const;
  void publish();

  EventLoop& loop_;
  Connector& connector_;
  const PoolLimits limits_;
  bool is_closed_ = false;
  std::vector<Connection> shared_;
  std::size_t shared_opening_ = 0;
  std::vector<Connection> idle_;
  std::vector<PostgresConnection*> borrowed_;
  std::size_t transactions_ = 0;  // connections for transactions: idle, borrowed or being opened
  std::size_t opening_ = 0;
  Waiting wait_for_shared_;
  Waiting wait_for_transaction_;
  std::string failure_;
  std::optional<MonotonicTime> failing_since_;
  MonotonicTime last_failed_at_{};
  unsigned failures_in_a_row_ = 0;
  struct {
    std::atomic<std::size_t> open{0};
    std::atomic<std::size_t> in_transaction{0};
    std::atomic<std::size_t> waiting{0};
  } figures_;
};

}  // namespace safawinet::sql
