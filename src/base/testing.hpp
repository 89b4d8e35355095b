// For tests: a clock and a generator that the test owns.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <random>
#include <span>

#include "base/clock.hpp"
#include "base/random.hpp"

namespace safawinet::testing {

// Stands still until it is told to move. Threading: any thread.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Time start = Time(std::chrono::seconds(1'800'000'000))) : now_(start) {}
  [[nodiscard]] Time now() const override { return now_.load(); }
  [[nodiscard]] MonotonicTime monotonic() const override { return monotonic_.load(); }
  void advance(std::chrono::microseconds by) {
    now_.store(now_.load() + by);
    monotonic_.store(monotonic_.load() + by);
  }
  // Somebody sets the wall clock.
  void jump(std::chrono::microseconds by) { now_.store(now_.load() + by); }

 private:
  std::atomic<Time> now_;
  std::atomic<MonotonicTime> monotonic_{MonotonicTime(std::chrono::hours(1))};
};

// The same bytes for the same seed. Threading: any thread.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed = 1) : engine_(seed) {}
  void fill(std::span<std::byte> bytes) override {
    const std::lock_guard lock(mutex_);
    for (auto& byte : bytes) byte = static_cast<std::byte>(engine_());
  }

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;
};

}  // namespace safawinet::testing
