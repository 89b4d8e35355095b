#include "http/server.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <stdexcept>

#include "http/listener.hpp"
#include "http/loop_server.hpp"
#include "http/tls.hpp"

namespace safawinet::http {
namespace {

constexpr std::chrono::milliseconds drain_poll_interval{10};

}  // namespace

Server::Server(std::vector<EventLoop*> loops, ServerOptions options, RequestHandler handler, RefusalHandler refusal,
               FailureLog failure_log)
    : core_(std::make_shared<ServerCore>()) {
  if (loops.empty()) throw std::runtime_error("a server needs at least one event loop");
  core_->options = std::move(options);
  core_->handler = std::move(handler);
  core_->refusal = std::move(refusal);
  core_->failure_log = std::move(failure_log);
  if (core_->options.tls) core_->tls = make_tls_context(*core_->options.tls);

  const std::vector<int>& inherited = core_->options.inherited_sockets;
  ListeningSockets listening = inherited.empty() ? listen_on(core_->options.host, core_->options.port, loops.size())
                                                 : adopt(inherited, loops.size());
  port_ = listening.port;
  address_ = listening.address;
  for (EventLoop* const loop : loops) loop_servers_.push_back(std::make_shared<LoopServer>(*loop, core_));
  for (std::size_t index = 0; index < listening.sockets.size(); ++index) {
    loop_servers_[index % loops.size()]->add_listener(std::move(listening.sockets[index]));
  }
}

Server::~Server() { stop(); }

void Server::start() {
  for (const auto& loop_server : loop_servers_) loop_server->post_start();
}

std::size_t Server::connections() const { return core_->connections.load(); }

Task<bool> Server::drain(std::chrono::milliseconds at_most) {
  const auto core = core_;
  const SteadyTime deadline = std::chrono::steady_clock::now() + at_most;
  for (const auto& loop_server : loop_servers_) loop_server->post_drain();
  Timer timer(co_await boost::asio::this_coro::executor);
  while (core->loops_accepting.load() > 0 || core->connections.load() > 0) {
    if (std::chrono::steady_clock::now() >= deadline) co_return false;
    timer.expires_after(drain_poll_interval);
    boost::system::error_code ignored;
    co_await timer.async_wait(boost::asio::redirect_error(use_task, ignored));
  }
  co_return true;
}

void Server::stop() {
  for (const auto& loop_server : loop_servers_) loop_server->post_stop();
}

}  // namespace safawinet::http
