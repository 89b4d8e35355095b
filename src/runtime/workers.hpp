// The event loops of the process: one per core for requests, one for background work, and one for what takes long:
// mail, whose disk calls block, the sweep, and searching.
#pragma once

#include <boost/asio/executor_work_guard.hpp>

#include <memory>
#include <thread>
#include <vector>

#include "base/task.hpp"

namespace safawinet {

// Threading: made, started, stopped and destroyed by one thread.
class Workers {
 public:
  explicit Workers(unsigned request_loops);
  ~Workers();  // stops what still runs
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  [[nodiscard]] std::vector<EventLoop*> request_loops() const;
  [[nodiscard]] EventLoop& background() const { return *loops_[loops_.size() - 2]; }
  [[nodiscard]] EventLoop& mail() const { return *loops_.back(); }
  [[nodiscard]] std::vector<EventLoop*> all() const;

  void start();
  // Ends the loops as they are: what still waits is destroyed unfinished.
  void stop();

 private:
  std::vector<std::unique_ptr<EventLoop>> loops_;  // the last two are those of background work and of mail
  std::vector<boost::asio::executor_work_guard<Executor>> guards_;
  std::vector<std::thread> threads_;
};

}  // namespace safawinet
