#include "load/connection.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace safawinet::bench {
namespace {

constexpr timeval kConnectDeadline{1, 0};
constexpr std::size_t kReadBytes = std::size_t{64} * 1024;

bool connect_to(int descriptor, const std::string& address, std::uint16_t port) {
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(port);
  if (inet_pton(AF_INET, address.c_str(), &four.sin_addr) == 1) {
    return ::connect(descriptor, reinterpret_cast<const sockaddr*>(&four), sizeof four) == 0;
  }
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(port);
  return inet_pton(AF_INET6, address.c_str(), &six.sin6_addr) == 1 &&
         ::connect(descriptor, reinterpret_cast<const sockaddr*>(&six), sizeof six) == 0;
}

}  // namespace

Socket::~Socket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool Connection::open(const std::string& address, std::uint16_t port) {
  const int family = address.find(':') == std::string::npos ? AF_INET : AF_INET6;
  Socket socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return false;
  const int yes = 1;
  setsockopt(socket.descriptor(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  setsockopt(socket.descriptor(), SOL_SOCKET, SO_SNDTIMEO, &kConnectDeadline, sizeof kConnectDeadline);
  if (!connect_to(socket.descriptor(), address, port)) return false;
  if (fcntl(socket.descriptor(), F_SETFL, O_NONBLOCK) != 0) return false;
  socket_ = std::move(socket);
  unsent_ = {};
  received_.clear();
  return true;
}

bool Connection::send(std::string_view request) {
  unsent_ = request;
  return send_rest();
}

bool Connection::send_rest() {
  while (!unsent_.empty()) {
    const ssize_t sent = ::send(descriptor(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    unsent_.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

Connection::Received Connection::receive(Answer& answer) {
  // Nearly always an answer comes whole and is read where it was received.
  static thread_local std::array<char, kReadBytes> buffer;
  static thread_local std::string joined;
  const ssize_t size = ::recv(descriptor(), buffer.data(), buffer.size(), 0);
  if (size == 0) return Received::closed;
  if (size < 0) return errno == EAGAIN || errno == EINTR ? Received::nothing : Received::closed;

  std::string_view bytes(buffer.data(), static_cast<std::size_t>(size));
  if (!received_.empty()) {
    joined.assign(received_).append(bytes);
    bytes = joined;
  }
  switch (read_answer(bytes, answer)) {
    case Reading::incomplete:
      received_.assign(bytes);
      return Received::nothing;
    case Reading::unreadable:
      return Received::unreadable;
    case Reading::complete:
      received_.clear();
      // One request was sent: whatever follows its answer was not asked for.
      return answer.size == bytes.size() ? Received::answer : Received::unreadable;
  }
  return Received::unreadable;
}

}  // namespace safawinet::bench
