// The addresses of a host, without waiting on an event loop for a name server.
#pragma once

#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/task.hpp"

namespace safawinet::redis {

// getaddrinfo() blocks, and cannot be cut short when no name server answers: so it runs on a thread of its own, which
// nobody waits for, neither a caller whose patience is over nor the end of the process. There is one at a time.
// Threading: the thread of one loop.
class NameLookup {
 public:
  using Endpoints = std::vector<boost::asio::ip::tcp::endpoint>;

  NameLookup();

  // Asked again while the thread is still under way, for another caller whose patience is over, it waits for that one.
  // So always ask for the same host. Throws std::runtime_error when there is no such host, and when it is cancelled.
  Task<Endpoints> find(std::string host, std::uint16_t port);
  void cancel();
  // For the end of the process, when the loop has stopped but still exists: ends who waits, unheard.
  void abandon_waiting();

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;  // with the thread
};

}  // namespace safawinet::redis
