// A value that many threads read and few replace: an immutable snapshot, swapped as a whole.
#pragma once

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <utility>

namespace safawinet {

// std::atomic<std::shared_ptr> would say it shorter, but that of g++ 12 spins on a lock bit that thread sanitizers do
// not understand. Threading: any thread.
template <class T>
class Published {
 public:
  explicit Published(std::shared_ptr<const T> first) : current_(std::move(first)) {}

  [[nodiscard]] std::shared_ptr<const T> get() const {
    const std::shared_lock lock(mutex_);
    return current_;
  }

  void set(std::shared_ptr<const T> next) {
    const std::unique_lock lock(mutex_);
    current_.swap(next);
  }

 private:
  mutable std::shared_mutex mutex_;
  std::shared_ptr<const T> current_;
};

}  // namespace safawinet
