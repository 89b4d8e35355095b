// Hears of commits that concern the readers of revocations and of the outbox: LISTEN on a connection of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/task.hpp"
#include "sql/database.hpp"
#include "sql/postgres/connection.hpp"
#include "sql/postgres/connector.hpp"

namespace safawinet::sql {

// While there is no connection nothing is heard, and those who wait look when their time is over. Made with
// make_shared; run() keeps it alive.
class ChangeListener : public std::enable_shared_from_this<ChangeListener> {
 public:
  ChangeListener(EventLoop& loop, Connector& connector) : loop_(loop), connector_(connector) {}

  // Listens, for ever, on its loop.
  void start();
  void close();

  // From any loop: until something was heard after `seen`, at the longest for so long.
  Task<void> wait(ChangeMark& seen, std::chrono::milliseconds longest);

  // Looks for a replaced primary, as the pools do.
  void drop_replaced();

 private:
  struct Waiting {
    EventLoop* loop;
    std::shared_ptr<Timer> timer;
  };

  Task<void> run();
  Task<void> listen_once();
  void heard();

  EventLoop& loop_;
  Connector& connector_;
  std::shared_ptr<PostgresConnection> connection_;
  std::shared_ptr<Timer> lost_;
  bool is_closed_ = false;
  std::mutex mutex_;
  std::int64_t heard_ = 0;
  std::vector<Waiting> waiting_;
};

}  // namespace safawinet::sql
