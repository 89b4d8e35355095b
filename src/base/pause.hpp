// Doing nothing for a while.
#pragma once

#include <boost/asio/this_coro.hpp>

#include <chrono>

#include "base/task.hpp"

namespace safawinet {

// On the event loop of the coroutine that awaits it.
inline Task<void> pause_for(std::chrono::milliseconds duration) {
  Timer timer(co_await boost::asio::this_coro::executor);
  timer.expires_after(duration);
  co_await timer.async_wait(use_task);
}

}  // namespace safawinet
