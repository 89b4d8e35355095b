#include "sql/postgres/listener.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>

#include <utility>

#include "base/pause.hpp"

namespace safawinet::sql {
namespace {

constexpr Statement kListen{"LISTEN safawinet"};
constexpr Statement kAlive{"SELECT 1"};
constexpr std::chrono::milliseconds kPauseAfterFailure{200};
// A connection that died without a word is found by asking.
constexpr std::chrono::milliseconds kAliveInterval{5'000};

}  // namespace

void ChangeListener::start() { boost::asio::co_spawn(loop_, run(), boost::asio::detached); }

void ChangeListener::close() {
  is_closed_ = true;
  if (connection_) connection_->close("closing");
}

void ChangeListener::drop_replaced() {
  if (!connection_ || connection_->timeline() >= connector_.highest_timeline()) return;
  connection_->close("its server is no longer the primary");
  if (lost_) lost_->cancel();
}

Task<void> ChangeListener::run() {
  const auto self = shared_from_this();
  while (!is_closed_) {
    try {
      co_await listen_once();
    } catch (const std::exception&) {
      // The pools say why; whoever waits for changes looks by itself meanwhile.
    }
    connection_.reset();
    co_await pause_for(kPauseAfterFailure);
  }
}

Task<void> ChangeListener::listen_once() {
  auto opened = co_await connector_.open();
  auto connection = std::make_shared<PostgresConnection>(loop_, std::move(opened));
  auto lost = std::make_shared<Timer>(loop_.get_executor());
  connection->listen([this] { heard(); });
  connection->start([lost] { lost->cancel(); });
  connection_ = connection;
  lost_ = lost;
  const Values none;
  co_await connection->execute(kListen, none);
  heard();  // whatever happened while nobody listened
  while (connection->is_open() && !is_closed_) {
    lost->expires_after(kAliveInterval);
    boost::system::error_code cancelled;
    co_await lost->async_wait(boost::asio::redirect_error(use_task, cancelled));
    if (connection->is_open()) co_await connection->execute(kAlive, none);
  }
}

void ChangeListener::heard() {
  std::vector<Waiting> woken;
  {
    const std::lock_guard lock(mutex_);
    ++heard_;
    woken.swap(waiting_);
  }
  for (auto& one : woken) {
    boost::asio::post(*one.loop, [timer = std::move(one.timer)] { timer->cancel(); });
  }
}

Task<void> ChangeListener::wait(ChangeMark& seen, std::chrono::milliseconds longest) {
  const auto executor = co_await boost::asio::this_coro::executor;
  auto timer = std::make_shared<Timer>(executor);
  timer->expires_after(longest);
  {
    const std::lock_guard lock(mutex_);
    if (seen.value != heard_) {
      seen.value = heard_;
      co_return;
    }
    waiting_.push_back({&executor.context(), timer});
  }
  boost::system::error_code cancelled;
  co_await timer->async_wait(boost::asio::redirect_error(use_task, cancelled));
  const std::lock_guard lock(mutex_);
  seen.value = heard_;
  std::erase_if(waiting_, [&timer](const auto& one) { return one.timer == timer; });
}

}  // namespace safawinet::sql
