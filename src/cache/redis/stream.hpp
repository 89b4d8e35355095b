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

  // Tries the addresses of `host` in turn. Resolving them happens on a thread of Asio's and cannot be cut short.
  Task<void> connect(std::string host, std::uint16_t port);
  // At least one byte; throws at the end of the stream.
  Task<std::size_t> read_some(std::span<char> into);
  Task<void> write(std::string_view bytes);
  void close();

 private:
  using Tcp = boost::asio::ip::tcp;
  using Socket = boost::asio::basic_stream_socket<Tcp, Executor>;

  boost::asio::ip::basic_resolver<Tcp, Executor> resolver_;
  Socket socket_;
  std::shared_ptr<boost::asio::ssl::context> context_;
  std::unique_ptr<boost::asio::ssl::stream<Socket&>> tls_;
};

}  // namespace safawinet::redis
