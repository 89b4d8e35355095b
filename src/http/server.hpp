// The HTTP server: listens, reads requests, has them answered, writes the answers.
//
// Each event loop has its own listening socket (SO_REUSEPORT) and keeps its connections for life, so nothing is shared
// on the hot path. Every wait has a deadline; one timer for each loop sweeps over the connections.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.hpp"
#include "http/message.hpp"
#include "http/reader.hpp"

namespace safawinet::http {

// Deadlines of the phases of a connection. They are checked by a sweep, and so may come up to half a second late. The
// handler bounds itself.
struct Timeouts {
  std::chrono::milliseconds tls_handshake{10'000};
  std::chrono::milliseconds head{10'000};   // from the first byte of a request; passed: 408
  std::chrono::milliseconds body{30'000};   // from the end of the head; passed: 408
  std::chrono::milliseconds write{30'000};  // of one answer, or of one piece of a streamed one
  std::chrono::milliseconds idle{75'000};   // between requests, and before the first
  std::chrono::milliseconds linger{
      2'000};  // how long what the client still sends is thrown away, so that it reads the answer
};

// PEM files. The certificate file holds the whole chain, the server's own certificate first.
struct TlsFiles {
  std::string certificate_chain_file;
  std::string private_key_file;
};

struct ServerOptions {
  std::string host = "127.0.0.1";  // an address or "localhost"; "::" is every address, IPv4 also
  std::uint16_t port = 8080;       // 0: a free one, the same for all loops
  // Listening sockets that somebody else has opened (see listener.hpp), used instead of host and port; taken over.
  std::vector<int> inherited_sockets{};
  std::optional<TlsFiles> tls{};
  Limits limits{};
  Timeouts timeouts{};
  // Of all loops together. A further client takes the place of the one that is idle for longest; when none is idle it
  // is told 503. The soft limit of descriptors is raised as far as this needs and the hard limit allows; where that is
  // too low, clients beyond it are turned away, and the failure log says so at start.
  std::size_t max_connections = 10'000;
};

// Told what went wrong and was not the client's doing. Called on any of the loops; `cause` is for the log only.
using FailureLog = std::function<void(std::string_view what, std::string_view cause)>;

class LoopServer;
struct ServerCore;

// Threading: the loops may run on threads of their own (one thread each). The methods may be called from any thread.
// The loops must outlive the server; connections that are still open when it is destroyed are closed as soon as their
// loop runs.
class Server {
 public:
  // Listens, so that port() is known and clients may connect; they are served from start() on. Throws
  // std::runtime_error, with a text that says what to change, when the address cannot be used or the certificate cannot
  // be loaded.
  Server(std::vector<EventLoop*> loops, ServerOptions options, RequestHandler handler, RefusalHandler refusal,
         FailureLog failure_log);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void start();
  [[nodiscard]] std::uint16_t port() const { return port_; }
  // "127.0.0.1:8080", "[::1]:8080"
  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] std::size_t connections() const;

  // Accepts no more, closes idle connections and ends streamed bodies at once, and answers what is in flight with
  // "Connection: close". True: all have ended; false: `at_most` has passed before (stop() then closes the rest). Runs
  // on the loop of its caller.
  Task<bool> drain(std::chrono::milliseconds at_most);
  // Closes everything at once. Handlers that are suspended run to their end, but nobody gets their answer.
  void stop();

 private:
  std::shared_ptr<ServerCore> core_;
  std::vector<std::shared_ptr<LoopServer>> loop_servers_;
  std::uint16_t port_ = 0;
  std::string address_;
};

}  // namespace safawinet::http
