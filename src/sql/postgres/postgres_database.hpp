// The production engine: PostgreSQL 15 and later, through libpq in pipeline mode.
//
// Every event loop has connections of its own (pool.hpp). Single statements of many coroutines share a few of them,
// each statement a transaction; a transaction has one for its time. READ COMMITTED throughout: what must hold against
// what is committed meanwhile is in the statements themselves.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "sql/database.hpp"
#include "sql/observed_state.hpp"
#include "sql/postgres/connector.hpp"
#include "sql/postgres/gatherer.hpp"
#include "sql/postgres/listener.hpp"
#include "sql/postgres/pool.hpp"

namespace safawinet::sql {

// How many connections a node may have open; see docs/operating/postgresql.md.
struct ConnectionBudget {
  std::size_t shared = 8;         // for single statements, over all event loops that serve requests
  std::size_t transactions = 16;  // likewise, for transactions
};

class PostgresDatabase final : public Database {
 public:
  // The schema must be there (sql/postgres/migrate.hpp). `loops` are all event loops that will make calls, the last two
  // of them those of background work, which have few connections each. `feed` is how to reach the server for LISTEN,
  // where that differs.
  PostgresDatabase(const PostgresOptions& options, const PostgresOptions& feed, ConnectionBudget budget,
                   const std::vector<EventLoop*>& loops);
  // The loops must have stopped.
  ~PostgresDatabase() override;

  Task<void> wait_for_change(ChangeMark& seen, std::chrono::milliseconds longest) override;
  Task<void> prove_current() override;
  Task<void> probe() override;
  [[nodiscard]] DatabaseState state() const override;

 protected:
  Task<Rows> run_read(const Statement& statement, Values values) override;
  Task<Rows> run_write(const Statement& statement, Values values) override;
  Task<void> run_transaction(TransactionBody body) override;

 private:
  struct Loop {
    EventLoop* loop;
    std::shared_ptr<ConnectionPool> pool;
    std::unique_ptr<Gatherer> gatherer;
  };
  enum class Repeat { never, when_lost };

  Task<Rows> run_single(const Statement& statement, Values values, Repeat repeat);
  // True if it is over; false if it should be tried again.
  Task<bool> try_transaction(const TransactionBody& body, unsigned attempt, MonotonicTime deadline);
  Task<bool> has_committed(std::string xid, std::uint32_t timeline, MonotonicTime deadline);
  Task<void> survey();

  Loop& loop_of(const Executor& executor);
  ConnectionPool& pool_on(const Executor& executor) { return *loop_of(executor).pool; }

  std::unique_ptr<Connector> connector_;
  std::unique_ptr<Connector> feed_connector_;
  std::vector<Loop> loops_;  // not changed after construction
  std::shared_ptr<ChangeListener> listener_;
  std::atomic<bool> is_synchronous_{true};  // until known: the stricter
  ObservedState observed_;
};

}  // namespace safawinet::sql
