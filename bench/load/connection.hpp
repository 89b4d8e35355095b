// One HTTP connection to the server under load: one request in flight, plain non-blocking sockets.
//
// Sockets and epoll are used directly: per request that is one send and one receive, which matters because the
// generator shares its cores with what it measures. Threading: one thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "load/answer.hpp"

namespace safawinet::bench {

using Moment = std::chrono::steady_clock::time_point;

// A socket that is closed with its owner.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket();
  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

class Connection {
 public:
  enum class Received { nothing, answer, closed, unreadable };

  // Blocks until connected, a second at most. False when nobody listens.
  bool open(const std::string& address, std::uint16_t port);
  void close() { socket_ = Socket(); }
  [[nodiscard]] bool is_open() const { return socket_.is_open(); }
  [[nodiscard]] int descriptor() const { return socket_.descriptor(); }

  // Sends as much as the socket takes; call `send_rest` when it is writable again while `has_unsent`. `request` must
  // outlive the exchange. False when the connection is broken.
  bool send(std::string_view request);
  bool send_rest();
  [[nodiscard]] bool has_unsent() const { return !unsent_.empty(); }

  // Reads what has come. With `answer` its body is valid until the next call.
  Received receive(Answer& answer);

 private:
  Socket socket_;
  std::string_view unsent_;
  std::string received_;  // the part of an answer that came in an earlier read
};

}  // namespace safawinet::bench
