#include "runtime/hash_pool.hpp"

#include <pthread.h>

#include <algorithm>

#include "base/clock.hpp"
#include "runtime/scheduling.hpp"

namespace safawinet {
namespace {

constexpr int kCostAverageWeight = 16;  // a new measurement counts one sixteenth
constexpr std::chrono::seconds kLongestRetry{30};

}  // namespace

HashPool::HashPool(unsigned threads, std::chrono::milliseconds longest_wait)
    : thread_count_(std::max(threads, 1U)), longest_wait_(longest_wait) {
  for (unsigned i = 0; i < thread_count_; ++i) {
    threads_.emplace_back([this] { work(); });
    pthread_setname_np(threads_.back().native_handle(), "hashing");
  }
}

HashPool::~HashPool() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  arrived_.notify_all();
  for (auto& thread : threads_) thread.join();
}

HashPoolState HashPool::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

std::optional<std::chrono::seconds> HashPool::submit(const HashClient& client, Job& job) {
  std::unique_lock lock(mutex_);
  const auto come_back_in = admission(client);
  if (come_back_in) {
    ++state_.refused;
    lock.unlock();
    job.waiting->resume(nullptr);
    return come_back_in;
  }
  auto& queue = queues_[client.network];
  if (queue.empty()) turns_.push_back(client.network);
  queue.push_back(std::move(job));
  ++state_.waiting;
  lock.unlock();
  arrived_.notify_one();
  return std::nullopt;
}

std::optional<std::chrono::seconds> HashPool::admission(const HashClient& client) const {
  const auto own = queues_.find(client.network);
  const std::size_t rounds = (own == queues_.end() ? 0 : own->second.size()) + 1;
  // Before its turn come the jobs that run, and of each network at most as many as its own turn is far away.
  std::size_t before = state_.running;
  for (const auto& [other, queue] : queues_)
    before += std::min(queue.size(), other == client.network ? rounds - 1 : rounds);
  const auto wait = usual_cost_ * static_cast<std::int64_t>(before) / static_cast<std::int64_t>(thread_count_);
  const unsigned share = is_room_kept_ && !client.is_known_device ? 2 : 1;
  if (wait <= longest_wait_ / share && state_.waiting < kHashQueueLimit / share) return std::nullopt;
  return std::min(std::chrono::ceil<std::chrono::seconds>(wait), kLongestRetry);
}

void HashPool::work() {
  lower_priority_of_this_thread();
  while (auto job = next()) perform(*job);
}

std::optional<HashPool::Job> HashPool::next() {
  std::unique_lock lock(mutex_);
  arrived_.wait(lock, [this] { return is_stopping_ || !turns_.empty(); });
  if (turns_.empty()) return std::nullopt;
  const auto network = std::move(turns_.front());
  turns_.pop_front();
  const auto queue = queues_.find(network);
  Job job = std::move(queue->second.front());
  queue->second.pop_front();
  if (queue->second.empty()) {
    queues_.erase(queue);
  } else {
    turns_.push_back(network);
  }
  --state_.waiting;
  ++state_.running;
  return job;
}

void HashPool::perform(Job& job) {
  std::exception_ptr failure;
  const bool is_wanted = !job.has_gone || !job.has_gone();
  const auto began = MonotonicClock::now();
  if (is_wanted) {
    try {
      job.work();
    } catch (...) {
      failure = std::current_exception();
    }
  }
  {
    const std::lock_guard lock(mutex_);
    --state_.running;
    if (is_wanted) {
      usual_cost_ += (MonotonicClock::now() - began - usual_cost_) / kCostAverageWeight;
    } else {
      ++state_.abandoned;
    }
  }
  // `job.work` refers to the waiting coroutine's frame, which may end as soon as it is resumed.
  job.work = nullptr;
  job.waiting->resume(failure);
}

}  // namespace safawinet
