// Whether a client still waits, asked of the kernel.
#pragma once

#include <mutex>

#include "http/message.hpp"

namespace safawinet::http {

// A client has gone when its socket is closed here, or when the peer has closed its side or reset the connection
// (POLLRDHUP). A client that shuts down its sending side and still wants the answer is taken for gone: browsers and
// HTTP libraries do not do that.
class SocketPresence final : public ClientPresence {
 public:
  explicit SocketPresence(int descriptor) : descriptor_(descriptor) {}

  [[nodiscard]] bool has_gone() const override;
  // To be called before the descriptor is closed: its number may then belong to another client.
  void closed();

 private:
  mutable std::mutex mutex_;
  int descriptor_;  // -1: closed
};

}  // namespace safawinet::http
