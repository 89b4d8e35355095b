#include "base/random.hpp"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>

namespace safawinet {

void SystemRandom::fill(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = getrandom(bytes.data(), bytes.size(), 0);
    if (got > 0) bytes = bytes.subspan(static_cast<std::size_t>(got));
    if (got < 0 && errno != EINTR) std::abort();
  }
}

std::uint8_t random_byte(Random& random) {
  std::uint8_t byte = 0;
  random.fill(std::as_writable_bytes(std::span(&byte, 1)));
  return byte;
}

}  // namespace safawinet
