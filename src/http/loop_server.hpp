// What the server has on one loop: its listening sockets, its connections, and the sweep over them.
#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <memory>
#include <string_view>
#include <vector>

#include "http/connection.hpp"
#include "http/listener.hpp"
#include "http/server.hpp"
#include "http/writer.hpp"

namespace safawinet::http {

// Shared by all loops; only the counters change.
struct ServerCore {
  ServerOptions options;
  RequestHandler handler;
  RefusalHandler refusal;
  FailureLog failure_log;
  std::shared_ptr<boost::asio::ssl::context> tls;
  std::atomic<std::size_t> connections = 0;
  std::atomic<std::size_t> loops_accepting = 0;

  // The answer to what is no request; one without a body if the refusal handler has none.
  [[nodiscard]] Response refuse(unsigned status, std::string_view detail) const;
  void log(std::string_view what, std::string_view cause) const;
};

// Threading: the thread of the loop, but for the constructor and post_*.
class LoopServer : public std::enable_shared_from_this<LoopServer> {
 public:
  LoopServer(EventLoop& loop, std::shared_ptr<ServerCore> core);

  void add_listener(Descriptor socket);
  // From any thread; each is done when the loop comes to it.
  void post_start();
  void post_drain();
  void post_stop();

  [[nodiscard]] ServerCore& core() { return *core_; }
  [[nodiscard]] Writer& writer() { return writer_; }
  [[nodiscard]] bool is_draining() const { return is_draining_; }
  // Moves a connection that has just become idle behind those that are idle for longer.
  void became_idle(Connection& connection);

 private:
  using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, Executor>;
  using Connections = boost::intrusive::list<Connection, boost::intrusive::constant_time_size<false>>;

  Task<void> accept_from(Acceptor& acceptor);
  Task<void> pause(std::chrono::milliseconds duration);
  void welcome(Socket socket, const boost::asio::ip::tcp::endpoint& peer) noexcept;
  void open_connection(Socket socket, const boost::asio::ip::tcp::endpoint& peer);
  void turn_away(Socket& socket);
  bool evict_longest_idle();
  void accept_with_reserve(Acceptor& acceptor);
  void report_accept_error(const boost::system::error_code& error);
  void sweep_later();
  void begin_drain();
  void close_listeners();
  void stop();

  EventLoop& loop_;
  std::shared_ptr<ServerCore> core_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  Connections connections_;
  Timer sweep_timer_;
  std::chrono::milliseconds sweep_interval_;
  Descriptor reserve_;  // given up for a moment when no descriptor is left, so that a client can be turned away
  SteadyTime next_accept_report_{};
  Writer writer_;
  bool is_accepting_ = false;
  bool is_draining_ = false;
  bool is_stopped_ = false;
};

}  // namespace safawinet::http
