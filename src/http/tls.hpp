// The TLS side of the server: TLS 1.2 and 1.3, ALPN "http/1.1" (RFC 7301).
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>

#include "http/server.hpp"

namespace safawinet::http {

// Throws std::runtime_error, with a text that names the file, when certificate or key cannot be read or do not fit.
std::shared_ptr<boost::asio::ssl::context> make_tls_context(const TlsFiles& files);

}  // namespace safawinet::http
