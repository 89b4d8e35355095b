// One connection to a server, plain or with TLS.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.hpp"

namespace safawinet::redis {

// For connections that we open: TLS 1.2 or later, the peer's certificate verified against the authorities in `ca_file`
// (PEM), or the system's if it is empty. Throws std::runtime_error, with a text that names the file, if it cannot be
// used.
std::shared_ptr<boost::asio::ssl::context> make_client_tls(const std::string& ca_file);

// Threading: the thread of its loop. Errors: std::exception. Nothing here has a deadline: close() ends what waits.
class Stream {
 public:
  // No `tls`: plain.
  Stream(EventLoop& loop, std::shared_ptr<boost::asio::ssl::context> tls);

  // Tries the addresses in turn. `host` is the name that the peer's certificate must be for.
  Task<void> connect(std::vector<boost::asio::ip::tcp::endpoint> addresses, std::string host);
  // At least one byte; throws at the end of the stream.
  Task<std::size_t> read_some(std::span<char> into);
  Task<void> write(std::string_view bytes);
  // Also before connect(), which then fails.
  void close();

 private:
  using Tcp = boost::asio::ip::tcp;
  using Socket = boost::asio::basic_stream_socket<Tcp, Executor>;

  Socket socket_;
  bool is_closed_ = false;
  std::shared_ptr<boost::asio::ssl::context> context_;
  std::unique_ptr<boost::asio::ssl::stream<Socket&>> tls_;
};

}  // namespace safawinet::redis
