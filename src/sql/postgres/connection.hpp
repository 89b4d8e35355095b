// One connection in pipeline mode, on one event loop: what is sent does not wait for the answer to what was sent before
// (PostgreSQL manual, "Pipeline Mode").
#pragma once

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/suspend.hpp"
#include "base/task.hpp"
#include "sql/database.hpp"
#include "sql/postgres/connector.hpp"
#include "sql/postgres/result.hpp"

namespace safawinet::sql {

// Longer than the server's own statement timeout: a server that answers at all answers before.
inline constexpr std::chrono::milliseconds kAnswerDeadline{6'000};

struct Step {
  const Statement* statement;
  const Values* values;
};

// Threading: its event loop only. Made with make_shared, since its waits on the socket keep it alive.
class PostgresConnection : public std::enable_shared_from_this<PostgresConnection> {
 public:
  PostgresConnection(EventLoop& loop, OpenedConnection opened);
  ~PostgresConnection();
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;

  // Begins to listen to the socket. `on_lost` is called once, when the connection has ended by itself.
  void start(std::function<void()> on_lost);
  // `on_notification` is called at each NOTIFY that arrives. Before start().
  void listen(std::function<void()> on_notification) { on_notification_ = std::move(on_notification); }

  // Sends the steps and returns the answer to each. Outside an explicit transaction they are one implicit transaction.
  // After a step that fails, the rest is not done. Errors: see failure.hpp.
  Task<std::vector<Rows>> execute(std::span<const Step> steps);
  Task<Rows> execute(const Statement& statement, const Values& values);

  [[nodiscard]] bool is_open() const { return handle_ != nullptr; }
  // Sent and not yet answered.
  [[nodiscard]] std::size_t pending() const { return exchanges_.size(); }
  [[nodiscard]] std::uint32_t timeline() const { return timeline_; }

  // What still waits fails with ConnectionLost.
  void close(const std::string& reason);

 private:
  struct Exchange {
    std::vector<const Statement*> queries;  // in the order sent; nullptr: a preparation
    std::size_t answered = 0;
    std::vector<Rows>* answers;  // in the frame of the coroutine that waits
    std::exception_ptr failure;
    std::unique_ptr<Resumption> waiting;
    MonotonicTime sent_at;
  };

  void send(Exchange& exchange, std::span<const Step> steps);
  void prepare(const Statement& statement, Exchange& exchange);
  [[noreturn]] void fail_to_send();
  void flush();
  void wait_for_input();
  void wait_for_room();
  void watch_deadline();
  void take_answers();
  void take_result(ResultHandle result);
  void finish_exchange();
  void lose();
  void end(const std::string& reason);

  ConnectionHandle handle_;
  const std::uint32_t timeline_;
  boost::asio::posix::basic_stream_descriptor<Executor> socket_;
  Timer deadline_;
  bool is_watching_deadline_ = false;
  bool is_waiting_for_room_ = false;
  std::function<void()> on_lost_;
  std::function<void()> on_notification_;
  std::unordered_map<const char*, std::string> prepared_;  // statement texts by address -> their names here
  std::uint64_t names_given_ = 0;
  std::deque<Exchange> exchanges_;
};

}  // namespace safawinet::sql
