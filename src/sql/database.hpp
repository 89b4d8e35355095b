// The database as features see it: statements, and transactions as scopes.
//
// Errors: a database that cannot be reached or written throws Unavailable (base/error.hpp); what a statement decides
// (no row, conflict) comes back as rows. Statements are written so that constraints do not fail (ON CONFLICT); one that
// does throws ConstraintViolation.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "base/task.hpp"
#include "sql/value.hpp"

namespace safawinet::sql {

// The text of one statement, with parameters $1, $2, … . Statements are constants: engines prepare each once and find
// it again by its address. Most are the same for both engines; `postgresql` is there where PostgreSQL needs, or truly
// gains by, a text of its own, with the same parameters and columns.
//
// `gathered` is for writes that come in crowds: the text, on PostgreSQL, of many calls at once. Its parameters are
// arrays of those of the calls, and behind its columns comes one more, with the number of the call that the row
// answers, from 1. It decides about each call as if it came alone, in any order, and never waits for a row.
struct Statement {
  const char* text;
  const char* postgresql = nullptr;
  const char* gathered = nullptr;
};

class ConstraintViolation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// An open transaction, given to the body of Database::transact. Not to be kept.
class Transaction {
 public:
  virtual ~Transaction() = default;

  template <class... Parameters>
  Task<Rows> execute(const Statement& statement, const Parameters&... parameters) {
    return run(statement, to_values(parameters...));
  }

 protected:
  virtual Task<Rows> run(const Statement& statement, Values values) = 0;
};

// What a waiter has seen; only the engine reads it.
struct ChangeMark {
  std::int64_t value = -1;
};

enum class Health { ok, read_only, down };

struct DatabaseState {
  Health health = Health::ok;
  std::chrono::microseconds latency{0};  // of the last probe
  std::string reason;                    // for the log; empty when ok
  std::uint64_t errors = 0;              // calls that found the database unavailable, since start
  std::size_t connections = 0;           // open to a database server; 0 when it is embedded
  std::size_t connections_in_transaction = 0;
  std::size_t waiting = 0;  // calls that wait for a connection
};

// Threading: every call is made from a coroutine on one of the event loops that the engine was opened with.
class Database {
 public:
  virtual ~Database() = default;

  // One statement that only reads; sees everything that was committed before the call.
  template <class... Parameters>
  Task<Rows> read(const Statement& statement, const Parameters&... parameters) {
    return run_read(statement, to_values(parameters...));
  }

  // One statement in a transaction of its own; it is on disk when the call returns.
  template <class... Parameters>
  Task<Rows> write(const Statement& statement, const Parameters&... parameters) {
    return run_write(statement, to_values(parameters...));
  }

  // Runs `body(Transaction&) -> Task<Result<T>>` in a transaction: it commits when the body returns a value, and rolls
  // back when it returns an error or throws. What was committed is on disk when the call returns. The body may run more
  // than once on engines that retry, so it changes nothing but through the transaction; it awaits nothing but
  // statements. The body may refer to locals of the caller: it ends before the call returns.
  template <class Body>
  auto transact(Body body) -> decltype(body(std::declval<Transaction&>())) {
    using Outcome = typename decltype(body(std::declval<Transaction&>()))::value_type;
    std::optional<Outcome> outcome;
    TransactionBody erased = [&body, &outcome](Transaction& transaction) { return decide(body, outcome, transaction); };
    co_await run_transaction(std::move(erased));
    co_return std::move(*outcome);
  }

  // Returns when anybody, in any process, may have committed since the last call with the same mark (at once on the
  // first call), and at the latest after `longest`. A mark stays on one event loop.
  virtual Task<void> wait_for_change(ChangeMark& seen, std::chrono::milliseconds longest) = 0;

  // Returns when it is certain that, at some moment after the call began, this was still the database that everybody
  // else writes to. With synchronous replication that takes a committed write, which an isolated old primary cannot
  // make; elsewhere nothing needs proof, and it costs nothing. Throws Unavailable.
  virtual Task<void> prove_current() { co_return; }

  // Tries whether the database reads and writes, and remembers the outcome.
  virtual Task<void> probe() = 0;
  // The outcome of the last probe or failed write; costs nothing. Any thread.
  [[nodiscard]] virtual DatabaseState state() const = 0;

 protected:
  using TransactionBody = std::function<Task<bool>(Transaction&)>;  // whether to commit

  virtual Task<Rows> run_read(const Statement& statement, Values values) = 0;
  virtual Task<Rows> run_write(const Statement& statement, Values values) = 0;
  virtual Task<void> run_transaction(TransactionBody body) = 0;

 private:
  template <class Body, class Outcome>
  static Task<bool> decide(Body& body, std::optional<Outcome>& outcome, Transaction& transaction) {
    outcome.emplace(co_await body(transaction));
    co_return outcome->has_value();
  }
};

}  // namespace safawinet::sql
