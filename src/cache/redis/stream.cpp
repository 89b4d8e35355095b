#include "cache/redis/stream.hpp"

#include <openssl/ssl.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>

#include <stdexcept>

namespace safawinet::redis {
namespace {

using Context = boost::asio::ssl::context;

bool is_address(const std::string& host) {
  boost::system::error_code error;
  boost::asio::ip::make_address(host, error);
  return !error;
}

}  // namespace

std::shared_ptr<Context> make_client_tls(const std::string& ca_file) {
  auto context = std::make_shared<Context>(Context::tls_client);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  context->set_verify_mode(boost::asio::ssl::verify_peer);
  boost::system::error_code error;
  if (ca_file.empty()) {
    context->set_default_verify_paths(error);
  } else {
    context->load_verify_file(ca_file, error);
  }
  if (error)
    throw std::runtime_error("cannot use the certificates of " + (ca_file.empty() ? "the system" : ca_file) + ": " +
                             error.message());
  return context;
}

Stream::Stream(EventLoop& loop, std::shared_ptr<Context> tls) : socket_(loop.get_executor()), context_(std::move(tls)) {
  if (context_) tls_ = std::make_unique<boost::asio::ssl::stream<Socket&>>(socket_, *context_);
}

Task<void> Stream::connect(std::vector<Tcp::endpoint> addresses, std::string host) {
  if (is_closed_) throw std::runtime_error("the connection was given up");
  co_await boost::asio::async_connect(socket_, addresses, use_task);
  socket_.set_option(Tcp::no_delay(true));
  if (!tls_) co_return;
  // RFC 6066 section 3: the name goes along, an address does not.
  if (!is_address(host) &&
      SSL_ctrl(tls_->native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host.data()) != 1) {
    throw std::runtime_error("the name of the host cannot be sent in TLS");
  }
  tls_->set_verify_callback(boost::asio::ssl::host_name_verification(host));
  co_await tls_->async_handshake(boost::asio::ssl::stream_base::client, use_task);
}

Task<std::size_t> Stream::read_some(std::span<char> into) {
  const auto buffer = boost::asio::buffer(into.data(), into.size());
  if (tls_) co_return co_await tls_->async_read_some(buffer, use_task);
  co_return co_await socket_.async_read_some(buffer, use_task);
}

Task<void> Stream::write(std::string_view bytes) {
  const auto buffer = boost::asio::buffer(bytes.data(), bytes.size());
  if (tls_) {
    co_await boost::asio::async_write(*tls_, buffer, use_task);
  } else {
    co_await boost::asio::async_write(socket_, buffer, use_task);
  }
}

void Stream::close() {
  is_closed_ = true;
  boost::system::error_code ignored;
  socket_.close(ignored);
}

}  // namespace safawinet::redis
