#include "http/body_stream.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>

#include <utility>

namespace safawinet::http {

Task<void> StreamWait::wait(std::chrono::milliseconds at_most) {
  if (!is_over_ && !std::exchange(is_woken_, false)) {
    timer_.expires_after(at_most);
    boost::system::error_code ignored;
    co_await timer_.async_wait(boost::asio::redirect_error(use_task, ignored));
    is_woken_ = false;
  }
}

std::function<void()> StreamWait::waker() {
  return [weak = weak_from_this(), executor = timer_.get_executor()] {
    boost::asio::post(executor, [weak] {
      if (const auto self = weak.lock()) self->wake();
    });
  };
}

void StreamWait::end() {
  is_over_ = true;
  wake();
}

void StreamWait::wake() {
  is_woken_ = true;
  timer_.cancel();
}

}  // namespace safawinet::http
