#include "sql/postgres/postgres_database.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <array>
#include <stdexcept>
#include <utility>

#include "base/pause.hpp"
#include "sql/postgres/failure.hpp"
#include "sql/postgres/jitter.hpp"

namespace safawinet::sql {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRetryDeadline{5'000};  // from the first try of a statement or transaction
constexpr unsigned kConflictsLimit = 10;       // tries of a transaction that keeps meeting others
constexpr unsigned kViolationsLimit = 3;       // tries of one that keeps finding what it has just not found
constexpr unsigned kSingleTriesLimit = 5;      // of a single statement
constexpr std::size_t kConnectThreads = 3;
constexpr milliseconds kUnresolvedPause{50};
constexpr milliseconds kSurveyInterval{500};

constexpr Statement kProbe{
    "SELECT current_setting('synchronous_standby_names') <> '' "
    "AND current_setting('synchronous_commit') NOT IN ('off', 'local') FROM session_epoch"};
constexpr Statement kProbeWrite{"UPDATE database_probe SET probed_at = now()"};
// A record of its own in the log of the server, which is committed, and with it confirmed by the standbys that must.
constexpr Statement kProof{"SELECT pg_logical_emit_message(true, 'safawinet', '')"};

constexpr Statement kBegin{"BEGIN"};
constexpr Statement kTransactionId{"SELECT pg_current_xact_id()::text"};
constexpr Statement kCommit{"COMMIT"};
constexpr Statement kRollback{"ROLLBACK"};
constexpr Statement kFate{"SELECT pg_xact_status($1::xid8)"};

// The id is taken with the first statement, in the same round trip: with it the fate of a lost COMMIT can be asked for.
class PostgresTransaction final : public Transaction {
 public:
  explicit PostgresTransaction(PostgresConnection& connection) : connection_(connection) {}

  [[nodiscard]] bool has_begun() const { return has_begun_; }
  [[nodiscard]] bool has_failed() const { return has_failed_; }
  [[nodiscard]] const std::string& id() const { return id_; }

 protected:
  Task<Rows> run(const Statement& statement, Values values) override {
    const Values none;
    const std::array first{Step{&kBegin, &none}, Step{&kTransactionId, &none}, Step{&statement, &values}};
    const auto steps = std::span<const Step>(first).subspan(has_begun_ ? 2 : 0);
    const bool is_first = !std::exchange(has_begun_, true);
    has_failed_ = true;
    auto answers = co_await connection_.execute(steps);
    has_failed_ = false;
    if (is_first) id_ = answers[1].front().get<std::string>(0);
    co_return std::move(answers.back());
  }

 private:
  PostgresConnection& connection_;
  bool has_begun_ = false;
  bool has_failed_ = false;
  std::string id_;
};

// What becomes of a try that ended with an exception.
enum class Verdict { give_up, try_again, look_elsewhere };

Verdict judge(const std::exception_ptr& failure, unsigned attempt) {
  try {
    std::rethrow_exception(failure);
  } catch (const Conflicted&) {
    return attempt < kConflictsLimit ? Verdict::try_again : Verdict::give_up;
  } catch (const UniqueViolation&) {
    return attempt < kViolationsLimit ? Verdict::try_again : Verdict::give_up;
  } catch (const ConnectionLost&) {
    return Verdict::look_elsewhere;
  } catch (const NotPrimary&) {
    return Verdict::look_elsewhere;
  } catch (...) {
    return Verdict::give_up;
  }
}

// Before another try: longer with each, and never two in step.
milliseconds pause_before(unsigned attempt) {
  return between(milliseconds(1), milliseconds(5) * std::min(attempt, 8U));
}

std::size_t share_of(std::size_t total, std::size_t parts) { return std::max<std::size_t>(1, total / parts); }

}  // namespace

PostgresDatabase::PostgresDatabase(const PostgresOptions& options, const PostgresOptions& feed, ConnectionBudget budget,
                                   const std::vector<EventLoop*>& loops)
    : connector_(std::make_unique<Connector>(options, kConnectThreads)),
      feed_connector_(std::make_unique<Connector>(feed, 1)) {
  const std::size_t request_loops = loops.size() > 2 ? loops.size() - 2 : loops.size();
  for (std::size_t i = 0; i < loops.size(); ++i) {
    const PoolLimits limits = i < request_loops
                                  ? PoolLimits{.shared = share_of(budget.shared, request_loops),
                                               .transactions = share_of(budget.transactions, request_loops)}
                                  : PoolLimits{.shared = 1, .transactions = 1};
    auto run = [this](const Statement& statement, Values values) {
      return run_single(statement, std::move(values), Repeat::never);
    };
    loops_.push_back({loops[i], std::make_shared<ConnectionPool>(*loops[i], *connector_, limits),
                      std::make_unique<Gatherer>(*loops[i], std::move(run))});
  }
  for (const auto& one : loops_) boost::asio::post(*one.loop, [pool = one.pool] { pool->keep_ready(); });
  auto& background = *loops[loops.size() > 2 ? loops.size() - 2 : 0];
  listener_ = std::make_shared<ChangeListener>(background, *feed_connector_);
  listener_->start();
  if (count_of_hosts(options.url) > 1) boost::asio::co_spawn(background, survey(), boost::asio::detached);
}

PostgresDatabase::~PostgresDatabase() {
  connector_.reset();
  feed_connector_.reset();
  listener_->close();
  for (const auto& one : loops_) one.pool->close();
}

Task<Rows> PostgresDatabase::run_read(const Statement& statement, Values values) {
  return run_single(statement, std::move(values), Repeat::when_lost);
}

Task<Rows> PostgresDatabase::run_write(const Statement& statement, Values values) {
  if (statement.gathered == nullptr) co_return co_await run_single(statement, std::move(values), Repeat::never);
  auto& gatherer = *loop_of(co_await boost::asio::this_coro::executor).gatherer;
  co_return co_await gatherer.run(statement, std::move(values));
}

Task<Rows> PostgresDatabase::run_single(const Statement& statement, Values values, Repeat repeat) {
  auto& pool = pool_on(co_await boost::asio::this_coro::executor);
  const auto deadline = MonotonicClock::now() + kRetryDeadline;
  for (unsigned attempt = 1;; ++attempt) {
    std::exception_ptr failure;
    ConnectionPool::Connection connection;
    try {
      connection = co_await pool.shared();
      co_return co_await connection->execute(statement, values);
    } catch (const NotPrimary&) {
      failure = std::current_exception();
      connection->close("its server takes no writes");
      pool.drop_closed();
    } catch (const ConnectionLost&) {
      failure = repeat == Repeat::when_lost ? std::current_exception() : nullptr;
      if (!failure) {
        observed_.count_error();
        throw;
      }
    } catch (const Conflicted&) {
      failure = std::current_exception();
    } catch (const Unavailable&) {
      observed_.count_error();
      throw;
    }
    if (attempt >= kSingleTriesLimit || MonotonicClock::now() >= deadline) {
      observed_.count_error();
      std::rethrow_exception(failure);
    }
    co_await pause_for(pause_before(attempt));
  }
}

Task<void> PostgresDatabase::run_transaction(TransactionBody body) {
  const auto deadline = MonotonicClock::now() + kRetryDeadline;
  for (unsigned attempt = 1;; ++attempt) {
    std::exception_ptr failure;
    try {
      if (co_await try_transaction(body, attempt, deadline)) co_return;
    } catch (const std::exception&) {
      failure = std::current_exception();
    }
    if (failure) {
      if (is_unavailable(failure)) observed_.count_error();
      std::rethrow_exception(failure);
    }
    co_await pause_for(pause_before(attempt));
  }
}

Task<bool> PostgresDatabase::try_transaction(const TransactionBody& body, unsigned attempt, MonotonicTime deadline) {
  auto& pool = pool_on(co_await boost::asio::this_coro::executor);
  auto borrowed = co_await pool.borrow();
  auto& connection = borrowed.connection();
  PostgresTransaction transaction(connection);
  std::exception_ptr failure;
  bool must_commit = false;
  try {
    must_commit = co_await body(transaction);
  } catch (const std::exception&) {
    failure = std::current_exception();
  }
  if (!transaction.has_begun()) {
    borrowed.declare_clean();
    if (failure) std::rethrow_exception(failure);
    co_return true;
  }
  if (!failure && must_commit && transaction.has_failed()) {
    throw std::logic_error("a transaction body went on after a statement that failed");
  }

  const bool is_committing = !failure && must_commit;
  bool is_fate_unknown = false;
  const Values none;
  try {
    if (connection.is_open() || is_committing) {
      co_await connection.execute(is_committing ? kCommit : kRollback, none);
      borrowed.declare_clean();
    }
  } catch (const ConnectionLost&) {
    is_fate_unknown = is_committing;
  } catch (const std::exception&) {
    if (!failure && is_committing) failure = std::current_exception();
  }
  if (is_fate_unknown) co_return co_await has_committed(transaction.id(), connection.timeline(), deadline);
  if (!failure) co_return true;

  const auto verdict = judge(failure, attempt);
  if (verdict == Verdict::give_up || MonotonicClock::now() >= deadline) std::rethrow_exception(failure);
  co_return false;
}

// The connection broke after COMMIT was sent. The server knows; another one, that a standby has become, may have given
// the same id to another transaction.
Task<bool> PostgresDatabase::has_committed(std::string xid, std::uint32_t timeline, MonotonicTime deadline) {
  auto& pool = pool_on(co_await boost::asio::this_coro::executor);
  const Values values = to_values(xid);
  for (;;) {
    std::string fate;
    try {
      const auto connection = co_await pool.shared();
      if (connection->timeline() != timeline) break;
      const auto rows = co_await connection->execute(kFate, values);
      fate = rows.front().find<std::string>(0).value_or("");
    } catch (const ConnectionLost&) {
      fate = "in progress";
    }
    if (fate == "committed") co_return true;
    if (fate == "aborted") co_return false;
    if (fate != "in progress" || MonotonicClock::now() >= deadline) break;
    co_await pause_for(kUnresolvedPause);
  }
  throw Unavailable("database: the connection broke during COMMIT, and whether it was done cannot be found out");
}

Task<void> PostgresDatabase::wait_for_change(ChangeMark& seen, milliseconds longest) {
  return listener_->wait(seen, longest);
}

Task<void> PostgresDatabase::prove_current() {
  if (!is_synchronous_) co_return;
  const Values none;
  co_await run_single(kProof, none, Repeat::when_lost);
}

Task<void> PostgresDatabase::probe() {
  const auto began = MonotonicClock::now();
  Health health = Health::down;
  std::string reason;
  try {
    const auto rows = co_await read(kProbe);
    is_synchronous_ = rows.front().get<bool>(0);
    health = Health::read_only;
    co_await write(kProbeWrite);
    health = Health::ok;
  } catch (const std::exception& error) {
    reason = error.what();
  }
  observed_.set(health, std::chrono::duration_cast<std::chrono::microseconds>(MonotonicClock::now() - began), reason);
}

Task<void> PostgresDatabase::survey() {
  for (;;) {
    co_await pause_for(kSurveyInterval);
    const auto before = connector_->highest_timeline();
    try {
      co_await connector_->survey();
    } catch (const std::exception&) {
      continue;  // nobody takes writes: whoever needs a connection hears of it
    }
    if (connector_->highest_timeline() == before) continue;
    feed_connector_->raise_timeline(connector_->highest_timeline());
    for (const auto& one : loops_) {
      boost::asio::post(*one.loop, [pool = one.pool] { pool->drop_replaced(); });
    }
    listener_->drop_replaced();
  }
}

DatabaseState PostgresDatabase::state() const {
  auto state = observed_.get();
  for (const auto& one : loops_) {
    const auto pool = one.pool->state();
    state.connections += pool.open;
    state.connections_in_transaction += pool.in_transaction;
    state.waiting += pool.waiting;
  }
  return state;
}

PostgresDatabase::Loop& PostgresDatabase::loop_of(const Executor& executor) {
  for (auto& one : loops_) {
    if (one.loop == &executor.context()) return one;
  }
  throw std::logic_error("the database was opened without this event loop");
}

}  // namespace safawinet::sql
