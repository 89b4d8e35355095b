// Chance is a parameter, as time is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/encoding.hpp"

namespace safawinet {

// Threading: may be called from any thread.
class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::byte> bytes) = 0;
};

// The kernel's generator (getrandom(2)). Ends the process if the kernel has none to give.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::byte> bytes) override;
};

std::uint8_t random_byte(Random& random);

// As many random bytes, in base64url.
template <std::size_t Bytes>
std::string random_text(Random& random) {
  std::array<std::uint8_t, Bytes> bytes{};
  random.fill(std::as_writable_bytes(std::span(bytes)));
  return to_base64url(bytes);
}

}  // namespace safawinet
