// What an engine last found out about its database, for whoever asks. Threading: any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

#include "sql/database.hpp"

namespace safawinet::sql {

class ObservedState {
 public:
  void set(Health health, std::chrono::microseconds latency, std::string reason) {
    const std::lock_guard lock(mutex_);
    state_.health = health;
    state_.latency = latency;
    state_.reason = std::move(reason);
  }
  // A call that found the database unavailable.
  void count_error() { ++errors_; }

  [[nodiscard]] DatabaseState get() const {
    const std::lock_guard lock(mutex_);
    auto state = state_;
    state.errors = errors_;
    return state;
  }

 private:
  mutable std::mutex mutex_;
  DatabaseState state_;
  std::atomic<std::uint64_t> errors_{0};
};

}  // namespace safawinet::sql
