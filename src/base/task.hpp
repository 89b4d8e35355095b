// The one coroutine type, the one executor, the one timer.
//
// A Task starts when it is awaited, and resumes on the event loop that it was started on. Trap of g++ 12: an aggregate
// or a capturing lambda built *inside* a co_await expression is destroyed twice. Name the value first, then await it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/clock.hpp"

namespace safawinet {

using EventLoop = boost::asio::io_context;
using Executor = EventLoop::executor_type;

template <class T>
using Task = boost::asio::awaitable<T, Executor>;

inline constexpr boost::asio::use_awaitable_t<Executor> use_task{};

using Timer = boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                                boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

}  // namespace safawinet
