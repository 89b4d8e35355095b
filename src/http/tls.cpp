#include "http/tls.hpp"

#include <openssl/ssl.h>

#include <array>
#include <stdexcept>

namespace safawinet::http {
namespace {

using Context = boost::asio::ssl::context;

// With perfect forward secrecy and authenticated encryption; TLS 1.3 has no others.
constexpr const char* tls_1_2_ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

void check(const boost::system::error_code& error, const std::string& what, const std::string& file) {
  if (error) throw std::runtime_error(what + " " + file + ": " + error.message());
}

// A client that offers protocols but not ours is refused, rather than served what it does not expect.
int select_protocol(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* in,
                    unsigned int in_length, void*) {
  // Static, because what is selected points into it.
  static constexpr std::array<unsigned char, 9> ours = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* selected = nullptr;
  const int result =
      SSL_select_next_proto(&selected, out_length, ours.data(), static_cast<unsigned>(ours.size()), in, in_length);
  if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = selected;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

std::shared_ptr<Context> make_tls_context(const TlsFiles& files) {
  auto context = std::make_shared<Context>(Context::tls_server);
  SSL_CTX* const native = context->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
  if (SSL_CTX_set_cipher_list(native, tls_1_2_ciphers) != 1) {
    throw std::runtime_error("this OpenSSL has none of the TLS 1.2 ciphers that are allowed here");
  }
  SSL_CTX_set_alpn_select_cb(native, &select_protocol, nullptr);

  boost::system::error_code error;
  context->use_certificate_chain_file(files.certificate_chain_file, error);
  check(error, "cannot use the TLS certificate", files.certificate_chain_file);
  context->use_private_key_file(files.private_key_file, Context::pem, error);
  check(error, "cannot use the TLS private key (or it does not belong to the certificate)", files.private_key_file);
  if (SSL_CTX_check_private_key(native) != 1) {
    throw std::runtime_error("the TLS private key " + files.private_key_file + " does not belong to the certificate " +
                             files.certificate_chain_file);
  }
  return context;
}

}  // namespace safawinet::http
