// Tells whoever waits that there are revocations that were not there before.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace safawinet {

// Threading: any thread.
class RevocationNews {
 public:
  // Called at each piece of news as long as the subscription lives, and once more at the most; from any thread, so it
  // does little.
  using Subscription = std::shared_ptr<const std::function<void()>>;

  [[nodiscard]] Subscription subscribe(std::function<void()> hear) {
    auto subscription = std::make_shared<const std::function<void()>>(std::move(hear));
    const std::lock_guard lock(mutex_);
    std::erase_if(subscribed_, [](const auto& other) { return other.expired(); });
    subscribed_.push_back(subscription);
    return subscription;
  }

  void announce() const {
    const std::lock_guard lock(mutex_);
    for (const auto& weak : subscribed_) {
      if (const auto hear = weak.lock()) (*hear)();
    }
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<const std::function<void()>>> subscribed_;
};

}  // namespace safawinet
