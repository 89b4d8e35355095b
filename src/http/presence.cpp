#include "http/presence.hpp"

#include <poll.h>

namespace safawinet::http {

bool SocketPresence::has_gone() const {
  const std::lock_guard lock(mutex_);
  if (descriptor_ < 0) return true;
  pollfd asked{.fd = descriptor_, .events = POLLRDHUP, .revents = 0};
  return ::poll(&asked, 1, 0) > 0 && (asked.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

void SocketPresence::closed() {
  const std::lock_guard lock(mutex_);
  descriptor_ = -1;
}

}  // namespace safawinet::http
