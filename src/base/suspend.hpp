// Waiting for something that another thread will do.
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>

#include <exception>
#include <memory>
#include <utility>

#include "base/task.hpp"

namespace safawinet {

// The suspended coroutine, as something to be resumed exactly once, from any thread; it goes on, on its own event loop,
// and throws `failure` there if there is one.
class Resumption {
 public:
  virtual ~Resumption() = default;
  virtual void resume(std::exception_ptr failure) = 0;
};

// Suspends the coroutine that awaits this and calls `start(std::unique_ptr<Resumption>)`, on the same thread, to have
// it resumed. `start` may refer to locals of the waiting coroutine. It must not throw: the coroutine is suspended by
// then, and what has failed reaches it by Resumption::resume alone.
template <class Start>
Task<void> suspend(Start start) {
  auto initiate = [&start](auto handler) {
    using Handler = decltype(handler);
    class Posted final : public Resumption {
     public:
      explicit Posted(Handler handler) : handler_(std::move(handler)) {}
      void resume(std::exception_ptr failure) override {
        const auto executor = boost::asio::get_associated_executor(handler_);
        boost::asio::post(executor,
                          [handler = std::move(handler_), failure]() mutable { std::move(handler)(failure); });
      }

     private:
      Handler handler_;
    };
    start(std::make_unique<Posted>(std::move(handler)));
  };
  co_await boost::asio::async_initiate<decltype(use_task), void(std::exception_ptr)>(std::move(initiate), use_task);
}

}  // namespace safawinet
