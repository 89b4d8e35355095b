// What a streamed body waits on, apart from the connection that it is written to.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "base/task.hpp"

namespace safawinet::http {

// Threading: the event loop, but for the wakers, which may be called from any thread.
class StreamWait : public std::enable_shared_from_this<StreamWait> {
 public:
  explicit StreamWait(const Executor& executor) : timer_(executor) {}

  // Returns after `at_most`, or when it is woken or ended, also when that was before the call. One wait at a time.
  Task<void> wait(std::chrono::milliseconds at_most);
  [[nodiscard]] std::function<void()> waker();
  // Wakes, and lets nobody wait any more.
  void end();
  [[nodiscard]] bool is_over() const { return is_over_; }

 private:
  void wake();

  Timer timer_;
  bool is_woken_ = false;
  bool is_over_ = false;
};

}  // namespace safawinet::http
