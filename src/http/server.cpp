#include "http/server.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <stdexcept>

#include "http/listener.hpp"
#include "http/loop_server.hpp"
#include "http/tls.hpp"

namespace safawinet::http {
namespace {

constexpr std::chrono::milliseconds drain_poll_interval{10};
// What the process needs besides connections: listeners, files, the database, Redis, mail.
constexpr rlim_t other_descriptors = 512;

// Ordinary shells and services allow 1024 descriptors, which end long before the connections do.
void raise_descriptor_limit(const ServerCore& core) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t needed = core.options.max_connections + other_descriptors;
  if (limit.rlim_cur >= needed) return;
  limit.rlim_cur = std::min(needed, limit.rlim_max);
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < needed) {
    core.log("fewer descriptors than connections are allowed",
             std::to_string(limit.rlim_cur) + " of " + std::to_string(needed) +
                 "; raise the limit (ulimit -Hn, LimitNOFILE) or lower the number of connections");
  }
}

}  // namespace

Server::Server(std::vector<EventLoop*> loops, ServerOptions options, RequestHandler handler, RefusalHandler refusal,
               FailureLog failure_log)
    : core_(std::make_shared<ServerCore>()) {
  if (loops.empty()) throw std::runtime_error("a server needs at least one event loop");
  core_->options = std::move(options);
  core_->handler = std::move(handler);
  core_->refusal = std::move(refusal);
  core_->failure_log = std::move(failure_log);
  raise_descriptor_limit(*core_);
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
