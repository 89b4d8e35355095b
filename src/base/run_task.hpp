// Runs one coroutine to its end on an event loop that nothing else runs: at start, and in tests.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>

#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "base/task.hpp"

namespace safawinet {

// Runs `task` on `loop` until it is done and returns what it returned; its exceptions come out here.
template <class T>
T run_task(EventLoop& loop, Task<T> task) {
  std::exception_ptr failure;
  loop.restart();
  // A job on another thread will post the continuation: the loop must not run out of work meanwhile.
  const auto guard = boost::asio::make_work_guard(loop);
  if constexpr (std::is_void_v<T>) {
    boost::asio::co_spawn(loop.get_executor(), std::move(task), [&](std::exception_ptr thrown) {
      failure = thrown;
      loop.stop();
    });
    loop.run();
    if (failure) std::rethrow_exception(failure);
  } else {
    std::optional<T> answer;
    boost::asio::co_spawn(loop.get_executor(), std::move(task), [&](std::exception_ptr thrown, T value) {
      failure = thrown;
      if (!failure) answer.emplace(std::move(value));
      loop.stop();
    });
    loop.run();
    if (failure) std::rethrow_exception(failure);
    if (!answer) throw std::runtime_error("the loop stopped before the task was done");
    return std::move(*answer);
  }
}

}  // namespace safawinet
