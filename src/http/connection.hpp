// One connection: a coroutine that reads a request, has it answered, writes the answer, and begins again.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "http/body_stream.hpp"
#include "http/presence.hpp"
#include "http/reader.hpp"
#include "http/server.hpp"
#include "http/writer.hpp"

namespace safawinet::http {

using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Executor>;
using SteadyTime = std::chrono::steady_clock::time_point;

class LoopServer;

// Lives on one loop, in the list of its LoopServer, and is owned by its coroutine. Threading: the thread of the loop.
class Connection : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  Connection(std::shared_ptr<LoopServer> server, Socket socket, const IpAddress& peer);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  static Task<void> run(std::unique_ptr<Connection> connection);

  // Interrupts what has been waited for too long.
  void sweep(SteadyTime now);
  // Whether it waits for a request of which nothing has come.
  [[nodiscard]] bool is_idle() const { return phase_ == Phase::idle; }
  // Closes it if it is idle after an answer. One that has had no answer yet may still send its first request for a
  // moment. A streamed body ends.
  void begin_drain();
  void abort();

 private:
  enum class Phase {
    accepted,
    handshaking,
    idle,
    reading_head,
    reading_body,
    handling,
    streaming,
    writing,
    lingering,
    aborted
  };
  class Sink;
  using TlsStream = boost::asio::ssl::stream<Socket&>;

  void enter(Phase phase);
  [[nodiscard]] std::chrono::milliseconds timeout_of(Phase phase) const;

  Task<void> serve();
  Task<bool> shake_hands();
  Task<bool> receive();
  Task<bool> begin_body();
  Task<bool> answer();
  Task<bool> stream_body(const Response& response, StreamFraming framing);
  Task<void> refuse(unsigned status, std::string_view detail);
  Task<bool> write(std::string_view bytes);
  Task<void> linger();
  [[nodiscard]] Persistence persistence_after(const Response& response) const;
  [[nodiscard]] std::string describe_request() const;

  std::shared_ptr<LoopServer> server_;
  Socket socket_;
  std::unique_ptr<TlsStream> tls_;  // none: plain
  std::shared_ptr<SocketPresence> presence_;
  Phase phase_ = Phase::accepted;
  SteadyTime deadline_ = SteadyTime::max();
  bool has_expired_ = false;
  bool has_answered_ = false;
  Reader reader_;
  Request request_;
  std::string out_;
  std::shared_ptr<StreamWait> stream_;  // while a body is streamed
};

}  // namespace safawinet::http
