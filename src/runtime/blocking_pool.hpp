// Where calls block that have no other way: conversations with mail servers, and whatever else libcurl does.
#pragma once

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/suspend.hpp"
#include "base/task.hpp"

namespace safawinet {

// Threading: run() on event loops, is_stopping() anywhere. Who calls run() bounds how many wait.
class BlockingPool {
 public:
  explicit BlockingPool(unsigned threads) : threads_(std::in_place, threads) {}
  ~BlockingPool() { stop(); }
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // Runs `work()` on a thread of the pool and gives what it returns; what it throws is thrown.
  template <class Work>
  Task<std::invoke_result_t<Work&>> run(Work work) {
    std::optional<std::invoke_result_t<Work&>> answer;
    auto start = [this, &work, &answer](std::unique_ptr<Resumption> waiting) {
      boost::asio::post(*threads_, [&work, &answer, waiting = std::move(waiting)] {
        std::exception_ptr failure;
        try {
          answer.emplace(work());
        } catch (...) {
          failure = std::current_exception();
        }
        waiting->resume(failure);
      });
    };
    co_await suspend(std::move(start));
    co_return std::move(*answer);
  }

  // What runs is to come to an end: long calls ask this now and then.
  [[nodiscard]] bool is_stopping() const { return is_stopping_; }
  // Waits for what runs; what waits for its turn is dropped. Once the loops of those who wait have stopped, and while
  // they are still there: dropping ends coroutines of theirs.
  void stop() {
    is_stopping_ = true;
    if (!threads_) return;
    threads_->stop();
    threads_->join();
    threads_.reset();
  }
  void begin_to_stop() { is_stopping_ = true; }

 private:
  std::atomic<bool> is_stopping_{false};
  std::optional<boost::asio::thread_pool> threads_;  // none: stopped
};

}  // namespace safawinet
