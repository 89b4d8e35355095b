#include "http/loop_server.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <cerrno>

namespace safawinet::http {
namespace {

using boost::asio::redirect_error;
using boost::system::error_code;
using std::chrono::milliseconds;

constexpr milliseconds longest_sweep_interval{500};
constexpr milliseconds shortest_sweep_interval{10};
// How long no client is accepted after one could not be, so that the lack of something never becomes a busy loop.
constexpr milliseconds accept_pause{50};
constexpr std::chrono::seconds accept_report_interval{10};
// How many clients are still taken out of the backlog when draining begins.
constexpr int last_accepts_at_most = 4096;
// How far the list is searched for an idle connection when all places are taken.
constexpr int eviction_search_at_most = 256;

Descriptor open_reserve() { return Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

milliseconds sweep_interval_of(const Timeouts& timeouts) {
  const milliseconds shortest =
      std::min({timeouts.tls_handshake, timeouts.head, timeouts.body, timeouts.write, timeouts.idle, timeouts.linger});
  return std::clamp(shortest / 4, shortest_sweep_interval, longest_sweep_interval);
}

IpAddress address_of(const boost::asio::ip::tcp::endpoint& endpoint) {
  IpAddress address;
  if (endpoint.address().is_v4()) {
    std::ranges::copy(endpoint.address().to_v4().to_bytes(), address.bytes.begin());
    return address;
  }
  // By way of the text, which folds IPv4-mapped addresses and leaves out the zone.
  boost::asio::ip::address_v6 v6 = endpoint.address().to_v6();
  v6.scope_id(0);
  return IpAddress::parse(v6.to_string()).value_or(address);
}

}  // namespace

Response ServerCore::refuse(unsigned status, std::string_view detail) const {
  try {
    if (refusal) return refusal(status, detail);
  } catch (const std::exception& error) {
    log("the refusal handler failed", error.what());
  }
  Response response;
  response.status = status;
  return response;
}

void ServerCore::log(std::string_view what, std::string_view cause) const {
  if (failure_log) failure_log(what, cause);
}

LoopServer::LoopServer(EventLoop& loop, std::shared_ptr<ServerCore> core)
    : loop_(loop),
      core_(std::move(core)),
      sweep_timer_(loop),
      sweep_interval_(sweep_interval_of(core_->options.timeouts)),
      reserve_(open_reserve()) {}

void LoopServer::add_listener(Descriptor socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
  const auto protocol = address.ss_family == AF_INET6 ? boost::asio::ip::tcp::v6() : boost::asio::ip::tcp::v4();
  acceptors_.push_back(std::make_unique<Acceptor>(loop_, protocol, socket.get()));
  socket.release();
}

void LoopServer::post_start() {
  core_->loops_accepting.fetch_add(1);
  is_accepting_ = true;
  boost::asio::post(loop_, [self = shared_from_this()] {
    if (self->is_stopped_ || self->is_draining_) return;
    self->sweep_later();
    for (const auto& acceptor : self->acceptors_) {
      boost::asio::co_spawn(self->loop_, self->accept_from(*acceptor), boost::asio::detached);
    }
  });
}

void LoopServer::post_drain() {
  boost::asio::post(loop_, [self = shared_from_this()] { self->begin_drain(); });
}

void LoopServer::post_stop() {
  boost::asio::post(loop_, [self = shared_from_this()] { self->stop(); });
}

Task<void> LoopServer::accept_from(Acceptor& acceptor) {
  // Keeps this object, and with it the acceptor, alive as long as the coroutine.
  const auto self = shared_from_this();
  while (acceptor.is_open()) {
    error_code error;
    boost::asio::ip::tcp::endpoint peer;
    Socket socket = co_await acceptor.async_accept(peer, redirect_error(use_task, error));
    if (!error) {
      welcome(std::move(socket), peer);
      continue;
    }
    if (error == boost::asio::error::operation_aborted || !acceptor.is_open()) co_return;
    report_accept_error(error);
    if (error.value() == EMFILE || error.value() == ENFILE) accept_with_reserve(acceptor);
    co_await pause(accept_pause);
  }
}

Task<void> LoopServer::pause(milliseconds duration) {
  Timer timer(loop_, duration);
  error_code ignored;
  co_await timer.async_wait(redirect_error(use_task, ignored));
}

// Whatever goes wrong with one client must not end the loop that accepts all the others.
void LoopServer::welcome(Socket socket, const boost::asio::ip::tcp::endpoint& peer) noexcept {
  try {
    open_connection(std::move(socket), peer);
  } catch (const std::exception& error) {
    core_->log("a connection could not be opened", error.what());
  }
}

void LoopServer::open_connection(Socket socket, const boost::asio::ip::tcp::endpoint& peer) {
  const bool is_full = core_->connections.load(std::memory_order_relaxed) >= core_->options.max_connections;
  if (is_full && !evict_longest_idle()) {
    turn_away(socket);
    return;
  }
  error_code ignored;
  socket.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
  auto connection = std::make_unique<Connection>(shared_from_this(), std::move(socket), address_of(peer));
  connections_.push_back(*connection);
  boost::asio::co_spawn(loop_, Connection::run(std::move(connection)), boost::asio::detached);
}

// One attempt to say why, without waiting: there is no place to wait in.
void LoopServer::turn_away(Socket& socket) {
  if (core_->tls) return;
  std::string out;
  writer_.append(out, core_->refuse(503, "All connections are in use."), Method::get, Persistence::close);
  ::send(socket.native_handle(), out.data(), out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool LoopServer::evict_longest_idle() {
  int searched = 0;
  for (Connection& connection : connections_) {
    if (connection.is_idle()) {
      connection.abort();
      return true;
    }
    if (++searched == eviction_search_at_most) break;
  }
  return false;
}

// No descriptor is left for the client at the head of the backlog. It would stay there, and the socket would stay
// readable: so accept it with the reserved descriptor and close it at once.
void LoopServer::accept_with_reserve(Acceptor& acceptor) {
  reserve_.reset();
  {
    const Descriptor turned_away(::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  }
  reserve_ = open_reserve();
}

void LoopServer::report_accept_error(const error_code& error) {
  const SteadyTime now = std::chrono::steady_clock::now();
  if (now < next_accept_report_) return;
  next_accept_report_ = now + accept_report_interval;
  core_->log("a connection could not be accepted", error.message());
}

void LoopServer::sweep_later() {
  sweep_timer_.expires_after(sweep_interval_);
  sweep_timer_.async_wait([self = shared_from_this()](const error_code& error) {
    if (error || self->is_stopped_) return;
    const SteadyTime now = std::chrono::steady_clock::now();
    for (Connection& connection : self->connections_) connection.sweep(now);
    self->sweep_later();
  });
}

void LoopServer::begin_drain() {
  if (is_draining_) return;
  is_draining_ = true;
  // Clients in the backlog have been told by the kernel that they are connected: they get their answer too.
  for (const auto& acceptor : acceptors_) {
    error_code error;
    acceptor->non_blocking(true, error);
    for (int accepted = 0; !error && accepted < last_accepts_at_most; ++accepted) {
      boost::asio::ip::tcp::endpoint peer;
      Socket socket = acceptor->accept(peer, error);
      if (!error) welcome(std::move(socket), peer);
    }
  }
  close_listeners();
  for (Connection& connection : connections_) connection.begin_drain();
}

void LoopServer::close_listeners() {
  for (const auto& acceptor : acceptors_) {
    error_code ignored;
    acceptor->close(ignored);
  }
  if (is_accepting_) core_->loops_accepting.fetch_sub(1);
  is_accepting_ = false;
}

void LoopServer::stop() {
  if (is_stopped_) return;
  is_stopped_ = is_draining_ = true;
  close_listeners();
  sweep_timer_.cancel();
  for (Connection& connection : connections_) connection.abort();
}

void LoopServer::became_idle(Connection& connection) {
  connections_.splice(connections_.end(), connections_, connections_.iterator_to(connection));
}

}  // namespace safawinet::http
