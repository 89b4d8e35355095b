// Wrong passwords are counted exactly, however many are tried at once and however the account is spelt.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/suspend.hpp"
#include "cache/rate_limiter.hpp"

namespace safawinet {

inline constexpr std::size_t kAttemptsWaitingLimit = 256;  // for one account

// An attempt is let in only if, should all that are under way turn out wrong, the limit still holds; otherwise it waits
// for one of them to end. So sixty-four parallel wrong passwords get exactly ten verdicts, and sixty-four right ones
// all pass. Threading: any event loop.
class AttemptGate {
 public:
  explicit AttemptGate(const Clock& clock) : clock_(clock) {}

  // One attempt under way. Ends uncounted unless failed() was called.
  class Attempt {
   public:
    Attempt(AttemptGate& gate, std::string account) : gate_(&gate), account_(std::move(account)) {}
    Attempt(Attempt&& other) noexcept
        : gate_(std::exchange(other.gate_, nullptr)), account_(std::move(other.account_)) {}
    Attempt& operator=(Attempt&&) = delete;
    ~Attempt() {
      if (gate_ != nullptr) gate_->leave(account_, false);
    }
    void failed() { std::exchange(gate_, nullptr)->leave(account_, true); }

   private:
    AttemptGate* gate_;
    std::string account_;
  };

  // `account`: one spelling for each account, known or not. Errors: too_many_requests, with retry_after.
  Task<Result<Attempt>> enter(std::string account);

  // For the end of the process, when the event loops have stopped but still exist: ends who waits, unheard. Otherwise
  // an attempt that ends with its loop would wake somebody on a loop that is gone.
  void abandon_waiting();

 private:
  struct Account {
    std::deque<MonotonicTime> failures;
    std::size_t under_way = 0;
    std::deque<std::unique_ptr<Resumption>> waiting;
  };

  enum class Verdict { admitted, refused, wait };
  Verdict try_enter(Account& account, MonotonicTime now);
  void leave(const std::string& account, bool has_failed);
  void forget_old(MonotonicTime now);

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Account> accounts_;
  MonotonicTime next_cleaning_{};
};

}  // namespace safawinet
