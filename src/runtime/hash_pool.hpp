// Where passwords are hashed: a few threads at lower scheduling priority, and admission before cost.
//
// A request is refused at once, before any hash is computed, when the estimated wait for its turn is longer than the
// limit. Turns go round-robin over client networks, so that one network with a thousand requests delays another's first
// by one hash. While logins are under attack, unknown devices get half of the queue, in length and in waiting time.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/suspend.hpp"

namespace safawinet {

inline constexpr std::size_t kHashQueueLimit = 4096;  // jobs waiting, over all networks

// On whose behalf: the client network (queues are fair between them), and whether anybody still waits for the answer.
struct HashClient {
  std::string network;
  std::function<bool()> has_gone;  // may be called from a pool thread; empty: never gone
  bool is_known_device = false;    // of somebody with an account
};

struct HashPoolState {
  std::size_t running = 0;
  std::size_t waiting = 0;
  std::uint64_t refused = 0;    // not admitted since start
  std::uint64_t abandoned = 0;  // admitted, but the client had gone when its turn came
};

// Threading: run() on event loops, state() anywhere. Destroy it when no run() is pending.
class HashPool {
 public:
  HashPool(unsigned threads, std::chrono::milliseconds longest_wait);
  ~HashPool();
  HashPool(const HashPool&) = delete;
  HashPool& operator=(const HashPool&) = delete;

  // Runs `work()` on a pool thread and gives what it returns. Errors: overloaded (with retry_after) when it was not
  // admitted or its client has gone; what `work` throws is thrown.
  template <class Work>
  Task<Result<std::invoke_result_t<Work&>>> run(HashClient client, Work work) {
    using Answer = std::invoke_result_t<Work&>;
    std::optional<Answer> answer;
    Job job;
    job.work = [&work, &answer] { answer.emplace(work()); };
    job.has_gone = std::move(client.has_gone);
    std::optional<std::chrono::seconds> come_back_in;
    auto start = [this, &client, &job, &come_back_in](std::unique_ptr<Resumption> waiting) {
      job.waiting = std::move(waiting);
      come_back_in = submit(client, job);
    };
    co_await suspend(std::move(start));
    if (come_back_in) co_return refuse(Error{.code = ErrorCode::overloaded, .retry_after = come_back_in});
    if (!answer) co_return refuse(Error{.code = ErrorCode::overloaded, .cause = {"the client has gone"}});
    co_return std::move(*answer);
  }

  [[nodiscard]] HashPoolState state() const;

  // Any thread.
  void keep_room_for_known_devices(bool is_kept) { is_room_kept_ = is_kept; }

 private:
  struct Job {
    std::function<void()> work;
    std::function<bool()> has_gone;
    std::unique_ptr<Resumption> waiting;
  };

  // Queues the job, or resumes it at once and says when to come back.
  std::optional<std::chrono::seconds> submit(const HashClient& client, Job& job);
  std::optional<std::chrono::seconds> admission(const HashClient& client) const;
  void work();
  std::optional<Job> next();
  void perform(Job& job);

  const unsigned thread_count_;
  const std::chrono::milliseconds longest_wait_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::unordered_map<std::string, std::deque<Job>> queues_;  // by client network; none is empty
  std::deque<std::string> turns_;                            // the networks, in the order of their turns
  HashPoolState state_;
  std::chrono::nanoseconds usual_cost_{std::chrono::milliseconds(20)};  // moving average of one job
  bool is_stopping_ = false;
  std::atomic<bool> is_room_kept_{false};
  std::vector<std::thread> threads_;
};

}  // namespace safawinet
