#include "http/connection.hpp"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <exception>

#include "http/loop_server.hpp"

namespace safawinet::http {
namespace {

using boost::asio::redirect_error;
using boost::system::error_code;

// A connection keeps no larger output buffer than this between answers.
constexpr std::size_t kept_output_bytes = 16 * 1024;
// What a refused client may still send while it reads its answer.
constexpr std::size_t lingering_bytes_at_most = 1024 * 1024;

}  // namespace

// The body that is being streamed on a connection.
class Connection::Sink final : public BodySink {
 public:
  Sink(Connection& connection, StreamFraming framing) : connection_(connection), framing_(framing) {}

  Task<bool> send(std::string_view piece) override {
    if (is_over()) co_return false;
    if (piece.empty()) co_return true;
    co_await put(piece);
    co_return !is_over();
  }

  Task<bool> wait(std::chrono::milliseconds at_most) override {
    if (is_over()) co_return false;
    co_await connection_.stream_->wait(at_most);
    co_return !is_over();
  }

  [[nodiscard]] std::function<void()> waker() override { return connection_.stream_->waker(); }

  // Ends a body that its producer has finished, or that the drain has ended. False: it was cut off.
  Task<bool> finish() {
    if (framing_ == StreamFraming::chunked && !is_broken_) {
      connection_.out_.assign(last_chunk);
      co_await write_out();
    }
    co_return !is_broken_;
  }

 private:
  [[nodiscard]] bool is_over() const { return is_broken_ || connection_.stream_->is_over(); }

  Task<void> put(std::string_view piece) {
    connection_.out_.clear();
    if (framing_ == StreamFraming::chunked) {
      append_chunk(connection_.out_, piece);
    } else {
      connection_.out_.append(piece);
    }
    co_await write_out();
  }

  Task<void> write_out() {
    const bool is_written = co_await connection_.write(connection_.out_);
    if (!is_written) is_broken_ = true;
    if (connection_.out_.capacity() > kept_output_bytes) connection_.out_ = std::string();
    if (is_written) connection_.enter(Phase::streaming);
  }

  Connection& connection_;
  const StreamFraming framing_;
  bool is_broken_ = false;  // the client has gone, or was too slow
};

Connection::Connection(std::shared_ptr<LoopServer> server, Socket socket, const IpAddress& peer)
    : server_(std::move(server)),
      socket_(std::move(socket)),
      presence_(std::make_shared<SocketPresence>(socket_.native_handle())),
      reader_(server_->core().options.limits) {
  if (server_->core().tls) tls_ = std::make_unique<TlsStream>(socket_, *server_->core().tls);
  request_.peer = peer;
  request_.is_encrypted = tls_ != nullptr;
  request_.presence = presence_;
  server_->core().connections.fetch_add(1, std::memory_order_relaxed);
}

Connection::~Connection() {
  presence_->closed();
  server_->core().connections.fetch_sub(1, std::memory_order_relaxed);
}

Task<void> Connection::run(std::unique_ptr<Connection> connection) {
  try {
    co_await connection->serve();
  } catch (const std::exception& error) {
    connection->server_->core().log("a connection ended in an exception", error.what());
  }
}

void Connection::sweep(SteadyTime now) {
  if (stream_ && presence_->has_gone()) {
    stream_->end();
    deadline_ = now;
  }
  if (now < deadline_) return;
  has_expired_ = true;
  error_code ignored;
  socket_.cancel(ignored);
}

void Connection::begin_drain() {
  if (stream_) {
    stream_->end();
    // A piece that is on its way may still arrive, or the client could not tell where the body ends.
    deadline_ = std::min(deadline_, std::chrono::steady_clock::now() + server_->core().options.timeouts.linger);
  }
  if (!is_idle()) return;
  int readable_bytes = 0;
  const bool is_request_there = ::ioctl(socket_.native_handle(), FIONREAD, &readable_bytes) == 0 && readable_bytes > 0;
  if (has_answered_ && !is_request_there) {
    abort();
  } else {
    deadline_ = std::min(deadline_, std::chrono::steady_clock::now() + server_->core().options.timeouts.linger);
  }
}

void Connection::abort() {
  phase_ = Phase::aborted;
  presence_->closed();
  if (stream_) stream_->end();
  error_code ignored;
  socket_.close(ignored);
}

void Connection::enter(Phase phase) {
  phase_ = phase;
  has_expired_ = false;
  if (phase == Phase::handling || phase == Phase::streaming) {
    deadline_ = SteadyTime::max();
    return;
  }
  deadline_ = std::chrono::steady_clock::now() + timeout_of(phase);
  if (phase == Phase::idle) server_->became_idle(*this);
}

std::chrono::milliseconds Connection::timeout_of(Phase phase) const {
  const Timeouts& timeouts = server_->core().options.timeouts;
  switch (phase) {
    case Phase::accepted:
    case Phase::handshaking:
      return timeouts.tls_handshake;
    case Phase::idle:
      return server_->is_draining() ? timeouts.linger : timeouts.idle;
    case Phase::reading_head:
      return timeouts.head;
    case Phase::reading_body:
      return timeouts.body;
    case Phase::handling:
    case Phase::streaming:
    case Phase::writing:
      return timeouts.write;
    case Phase::lingering:
    case Phase::aborted:
      break;
  }
  return timeouts.linger;
}

Task<void> Connection::serve() {
  if (tls_) {
    const bool is_ready = co_await shake_hands();
    if (!is_ready) co_return;
  }
  while (true) {
    bool goes_on = false;
    switch (reader_.advance()) {
      case Reader::Progress::need_more:
        goes_on = co_await receive();
        break;
      case Reader::Progress::head_complete:
        goes_on = co_await begin_body();
        break;
      case Reader::Progress::refused:
        co_await refuse(reader_.refusal().status, reader_.refusal().detail);
        break;
      case Reader::Progress::complete:
        goes_on = co_await answer();
        break;
    }
    if (!goes_on) co_return;
  }
}

Task<bool> Connection::shake_hands() {
  enter(Phase::handshaking);
  error_code error;
  co_await tls_->async_handshake(TlsStream::server, redirect_error(use_task, error));
  co_return !error;
}

Task<bool> Connection::receive() {
  if (!reader_.has_started()) {
    if (server_->is_draining() && has_answered_) co_return false;
    enter(Phase::idle);
  } else if (phase_ != Phase::reading_head && phase_ != Phase::reading_body) {
    enter(Phase::reading_head);
  }
  const std::span<char> space = reader_.space();
  const auto buffer = boost::asio::buffer(space.data(), space.size());
  error_code error;
  std::size_t bytes = 0;
  if (tls_) {
    bytes = co_await tls_->async_read_some(buffer, redirect_error(use_task, error));
  } else {
    bytes = co_await socket_.async_read_some(buffer, redirect_error(use_task, error));
  }
  if (!error) {
    reader_.commit(bytes);
    co_return true;
  }
  if (reader_.has_started() && has_expired_) co_await refuse(408, "The request took too long to arrive.");
  if (reader_.has_started() && error == boost::asio::error::eof) co_await refuse(400, "The request ended too early.");
  co_return false;
}

Task<bool> Connection::begin_body() {
  const bool awaits_continue = reader_.awaits_continue();
  enter(Phase::reading_body);
  if (!awaits_continue) co_return true;
  co_return co_await write(continue_response);
}

Task<bool> Connection::answer() {
  ServerCore& core = server_->core();
  enter(Phase::handling);
  reader_.fill(request_);
  Response response;
  std::string failure;
  try {
    response = co_await core.handler(request_);
  } catch (const std::exception& error) {
    failure = error.what();
  } catch (...) {
    failure = "an exception of an unknown type";
  }
  if (!failure.empty()) {
    core.log("the handler failed: " + describe_request(), failure);
    response = core.refuse(500, {});
  }
  out_.clear();
  const StreamFraming framing = reader_.is_http_1_0() ? StreamFraming::until_close : StreamFraming::chunked;
  if (response.stream && framing == StreamFraming::until_close) response.close = true;
  Persistence persistence = persistence_after(response);
  try {
    server_->writer().append(out_, response, request_.method, persistence, framing);
  } catch (const std::invalid_argument& error) {
    core.log("the handler gave an answer that cannot be sent: " + describe_request(), error.what());
    const Response bare = core.refuse(500, {});
    persistence = Persistence::close;
    server_->writer().append(out_, bare, request_.method, persistence);
    response.stream = nullptr;
  }
  has_answered_ = true;
  const bool has_streamed_body = response.stream && request_.method != Method::head;
  reader_.next();
  bool is_written = co_await write(out_);
  if (out_.capacity() > kept_output_bytes) out_ = std::string();
  if (is_written && has_streamed_body) {
    is_written = co_await stream_body(response, framing);
    if (server_->is_draining()) persistence = Persistence::close;
  }
  if (is_written && persistence == Persistence::close) co_await linger();
  co_return is_written&& persistence != Persistence::close;
}

// False: the body was cut off, so that nothing may follow it.
Task<bool> Connection::stream_body(const Response& response, StreamFraming framing) {
  stream_ = std::make_shared<StreamWait>(socket_.get_executor());
  if (server_->is_draining()) stream_->end();
  enter(Phase::streaming);
  Sink sink(*this, framing);
  std::string failure;
  try {
    co_await response.stream(sink);
  } catch (const std::exception& error) {
    failure = error.what();
  } catch (...) {
    failure = "an exception of an unknown type";
  }
  bool is_whole = false;
  if (failure.empty()) {
    is_whole = co_await sink.finish();
  } else {
    server_->core().log("a streamed body was cut off", failure);
  }
  stream_.reset();
  co_return is_whole;
}

Task<void> Connection::refuse(unsigned status, std::string_view detail) {
  const Response response = server_->core().refuse(status, detail);
  out_.clear();
  server_->writer().append(out_, response, reader_.method(), Persistence::close);
  const bool is_written = co_await write(out_);
  if (is_written) co_await linger();
}

Task<bool> Connection::write(std::string_view bytes) {
  if (!tls_) {
    // Nearly always the kernel takes the whole answer at once, and nothing has to wait.
    const ::ssize_t sent = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) co_return false;
    if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
    if (bytes.empty()) co_return true;
  }
  const Phase before = phase_;
  if (before != Phase::reading_body) enter(Phase::writing);
  const auto buffer = boost::asio::buffer(bytes.data(), bytes.size());
  error_code error;
  if (tls_) {
    co_await boost::asio::async_write(*tls_, buffer, redirect_error(use_task, error));
  } else {
    co_await boost::asio::async_write(socket_, buffer, redirect_error(use_task, error));
  }
  co_return !error;
}

// Closing with unread bytes in the receive buffer would reset the connection, and the client might never see its
// answer: so close our side, and throw away for a moment what still comes (RFC 9112 section 9.6).
Task<void> Connection::linger() {
  enter(Phase::lingering);
  error_code error;
  if (tls_) co_await tls_->async_shutdown(redirect_error(use_task, error));
  socket_.shutdown(Socket::shutdown_send, error);
  std::array<char, 4096> discarded;
  const auto buffer = boost::asio::buffer(discarded);
  std::size_t total = 0;
  while (!error && total < lingering_bytes_at_most && !has_expired_) {
    total += co_await socket_.async_read_some(buffer, redirect_error(use_task, error));
  }
}

Persistence Connection::persistence_after(const Response& response) const {
  if (response.close || !reader_.keeps_alive() || server_->is_draining()) return Persistence::close;
  return reader_.is_http_1_0() ? Persistence::keep_alive_http_1_0 : Persistence::keep_alive;
}

// Without the query, which may hold what belongs in no log.
std::string Connection::describe_request() const {
  return std::string(name_of(request_.method)).append(" ").append(request_.path);
}

}  // namespace safawinet::http
