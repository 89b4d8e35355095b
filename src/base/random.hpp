// Chance is a parameter, as time is.
#pragma once

#include <cstddef>
#include <span>

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

}  // namespace safawinet
