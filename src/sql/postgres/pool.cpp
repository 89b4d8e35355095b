#include "sql/postgres/pool.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>

#include <algorithm>
#include <utility>

#include "base/pause.hpp"
#include "sql/postgres/failure.hpp"
#include "sql/postgres/jitter.hpp"

namespace safawinet::sql {
namespace {

using std::chrono::milliseconds;

// 10, 20, 40, … 500 ms, each between half and the whole, so that nodes do not come back in step.
milliseconds reconnect_pause(unsigned failures) {
  const auto longest = std::min(milliseconds(10) * (1U << std::min(failures, 6U)), kLongestReconnectPause);
  return between(longest / 2, longest);
}

}  // namespace

Task<ConnectionPool::Connection> ConnectionPool::shared() {
  const auto deadline = MonotonicClock::now() + kConnectionPatience;
  for (;;) {
    drop_replaced();
    auto best = least_busy();
    if ((!best || best->pending() > 0) && shared_.size() + shared_opening_ < limits_.shared) {
      open_another(Purpose::shared);
    }
    if (best) co_return best;
    throw_if_hopeless(false, deadline);
    co_await wait_in(wait_for_shared_, deadline);
  }
}

Task<ConnectionPool::Borrowed> ConnectionPool::borrow() {
  const auto deadline = MonotonicClock::now() + kConnectionPatience;
  bool is_in_turn = wait_for_transaction_.empty();
  for (;;) {
    drop_replaced();
    if (!idle_.empty() && is_in_turn) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      borrowed_.push_back(connection.get());
      publish();
      Borrowed borrowed(shared_from_this(), std::move(connection));
      co_return borrowed;
    }
    if (transactions_ < limits_.transactions) open_another(Purpose::transaction);
    throw_if_hopeless(!borrowed_.empty(), deadline);
    if (wait_for_transaction_.size() >= kTransactionsWaitingLimit) {
      throw Unavailable("database: too many transactions wait for a connection");
    }
    co_await wait_in(wait_for_transaction_, deadline);
    is_in_turn = true;
  }
}

void ConnectionPool::throw_if_hopeless(bool will_be_given_back, MonotonicTime deadline) const {
  if (is_closed_) throw Unavailable("the database is closing");
  const auto now = MonotonicClock::now();
  const bool has_failed_for_long = failing_since_ && now >= *failing_since_ + kConnectionPatience;
  const bool is_back = connector_.last_opened_at() > last_failed_at_;
  if (has_failed_for_long && !is_back && !will_be_given_back) throw Unavailable(failure_);
  if (now < deadline) return;
  throw Unavailable(failure_.empty() ? "database: all connections are busy" : failure_);
}

void ConnectionPool::keep_ready() {
  if (is_closed_) return;
  if (shared_.empty() && shared_opening_ == 0) open_another(Purpose::shared);
  if (transactions_ == 0) open_another(Purpose::transaction);
}

void ConnectionPool::open_another(Purpose purpose) {
  // One at a time is enough to find out whether the database is back.
  if (failing_since_ && opening_ > 0) return;
  ++opening_;
  ++(purpose == Purpose::shared ? shared_opening_ : transactions_);
  boost::asio::co_spawn(loop_, open(purpose), boost::asio::detached);
}

Task<void> ConnectionPool::open(Purpose purpose) {
  const auto self = shared_from_this();
  std::string failure;
  try {
    if (failures_in_a_row_ > 0) co_await pause_for(reconnect_pause(failures_in_a_row_));
    auto opened = co_await connector_.open();
    auto connection = std::make_shared<PostgresConnection>(loop_, std::move(opened));
    connection->start([weak = weak_from_this(), address = connection.get()] {
      if (const auto pool = weak.lock()) pool->remove(address);
    });
    if (is_closed_) {
      connection->close("closing");
    } else {
      (purpose == Purpose::shared ? shared_ : idle_).push_back(std::move(connection));
      failure_.clear();
      failing_since_.reset();
      failures_in_a_row_ = 0;
    }
  } catch (const std::exception& error) {
    failure = error.what();
  }
  --opening_;
  if (purpose == Purpose::shared) --shared_opening_;
  if (!failure.empty()) {
    if (purpose == Purpose::transaction) --transactions_;
    failure_ = failure;
    last_failed_at_ = MonotonicClock::now();
    if (!failing_since_) failing_since_ = last_failed_at_;
    ++failures_in_a_row_;
  }
  wake_all(wait_for_shared_);
  wake_all(wait_for_transaction_);
  if (!failure.empty()) keep_ready();
  publish();
}

void ConnectionPool::remove(const PostgresConnection* connection) {
  std::erase_if(shared_, [connection](const auto& one) { return one.get() == connection; });
  transactions_ -= std::erase_if(idle_, [connection](const auto& one) { return one.get() == connection; });
  keep_ready();
  publish();
}

void ConnectionPool::take_back(Connection connection, bool is_clean) {
  std::erase(borrowed_, connection.get());
  if (is_clean && connection->is_open() && !is_closed_ && !is_replaced(*connection)) {
    idle_.push_back(std::move(connection));
  } else {
    connection->close("it was left in the middle of a transaction");
    --transactions_;
  }
  wake_one(wait_for_transaction_);
  publish();
}

void ConnectionPool::drop_replaced() {
  const auto close_if_replaced = [this](PostgresConnection& connection) {
    if (is_replaced(connection)) connection.close("its server is no longer the primary");
  };
  for (const auto& one : shared_) close_if_replaced(*one);
  for (const auto& one : idle_) close_if_replaced(*one);
  for (auto* one : borrowed_) close_if_replaced(*one);
  drop_closed();
}

void ConnectionPool::drop_closed() {
  const auto is_closed = [](const auto& one) { return !one->is_open(); };
  std::erase_if(shared_, is_closed);
  transactions_ -= std::erase_if(idle_, is_closed);
}

void ConnectionPool::close() {
  is_closed_ = true;
  for (const auto& one : std::exchange(shared_, {})) one->close("closing");
  for (const auto& one : std::exchange(idle_, {})) one->close("closing");
  // Each is kept alive by the coroutine that waits for its answer, which the connection holds: one must let go.
  for (auto* one : std::exchange(borrowed_, {})) one->close("closing");
  // Nobody is woken any more: the frames that wait are destroyed with the loop, in any order.
  wait_for_shared_.clear();
  wait_for_transaction_.clear();
}

bool ConnectionPool::is_replaced(const PostgresConnection& connection) const {
  return connection.timeline() < connector_.highest_timeline();
}

ConnectionPool::Connection ConnectionPool::least_busy() const {
  const auto least = std::ranges::min_element(shared_, {}, [](const auto& one) { return one->pending(); });
  return least == shared_.end() ? nullptr : *least;
}

void ConnectionPool::publish() {
  figures_.open = shared_.size() + idle_.size() + borrowed_.size();
  figures_.in_transaction = borrowed_.size();
  figures_.waiting = wait_for_shared_.size() + wait_for_transaction_.size();
}

Task<void> ConnectionPool::wait_in(Waiting& line, MonotonicTime deadline) {
  Timer timer(loop_.get_executor());
  timer.expires_after(deadline - MonotonicClock::now());
  line.push_back(&timer);
  publish();
  boost::system::error_code cancelled;
  co_await timer.async_wait(boost::asio::redirect_error(use_task, cancelled));
  std::erase(line, &timer);
  publish();
}

void ConnectionPool::wake_one(Waiting& line) {
  if (line.empty()) return;
  line.front()->cancel();
  line.pop_front();
}

void ConnectionPool::wake_all(Waiting& line) {
  for (auto* timer : std::exchange(line, {})) timer->cancel();
}

}  // namespace safawinet::sql
