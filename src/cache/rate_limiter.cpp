#include "cache/rate_limiter.hpp"

#include <algorithm>
#include <utility>

namespace safawinet {
namespace {

std::string key_of(const RateLimit& limit, const std::string& subject) {
  return std::string(limit.name) + ' ' + subject;
}

}  // namespace

Task<std::optional<std::chrono::seconds>> MemoryRateLimiter::take(const RateLimit& limit, std::string subject) {
  co_return take_now(limit, subject);
}

std::optional<std::chrono::seconds> MemoryRateLimiter::take_now(const RateLimit& limit, const std::string& subject) {
  const auto key = key_of(limit, subject);
  const auto now = clock_.monotonic();
  const std::lock_guard lock(mutex_);
  make_room(now);
  auto& uses = subjects_[key];
  while (!uses.empty() && uses.front().at + limit.window <= now) uses.pop_front();
  if (uses.size() >= limit.count) {
    const bool is_let_through =
        limit.has_a_place_of_its_own && std::ranges::none_of(uses, &Use::has_a_place_of_its_own);
    if (!is_let_through) return std::chrono::ceil<std::chrono::seconds>(uses.front().at + limit.window - now);
    uses.pop_front();
  }
  uses.push_back({.at = now, .has_a_place_of_its_own = limit.has_a_place_of_its_own});
  expiries_.emplace_back(now + longest_window_, key);
  return std::nullopt;
}

void MemoryRateLimiter::give_back(const RateLimit& limit, const std::string& subject) {
  const std::lock_guard lock(mutex_);
  const auto found = subjects_.find(key_of(limit, subject));
  if (found != subjects_.end() && !found->second.empty()) found->second.pop_back();
}

void MemoryRateLimiter::make_room(MonotonicTime now) {
  while (!expiries_.empty() && (expiries_.front().first <= now || expiries_.size() > kLimitedSubjectsLimit)) {
    const auto found = subjects_.find(expiries_.front().second);
    // Used again since: a later entry of the queue will look after it.
    if (found != subjects_.end() && (found->second.empty() || found->second.back().at + longest_window_ <= now ||
                                     expiries_.size() > kLimitedSubjectsLimit)) {
      subjects_.erase(found);
    }
    expiries_.pop_front();
  }
}

}  // namespace safawinet
