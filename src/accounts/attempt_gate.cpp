#include "accounts/attempt_gate.hpp"

#include <utility>
#include <vector>

namespace safawinet {
namespace {

constexpr auto kLimit = kWrongPasswordsPerAccount;
constexpr std::chrono::minutes kCleaningInterval{1};

}  // namespace

Task<Result<AttemptGate::Attempt>> AttemptGate::enter(std::string account_key) {
  for (;;) {
    Verdict verdict{};
    std::chrono::seconds retry_after{1};
    {
      const std::lock_guard lock(mutex_);
      const auto now = clock_.monotonic();
      forget_old(now);
      auto& account = accounts_[account_key];
      verdict = try_enter(account, now);
      if (verdict == Verdict::wait && account.waiting.size() >= kAttemptsWaitingLimit) verdict = Verdict::refused;
      if (verdict == Verdict::refused && account.failures.size() >= kLimit.count) {
        retry_after = std::chrono::ceil<std::chrono::seconds>(account.failures.front() + kLimit.window - now);
      }
    }
    if (verdict == Verdict::admitted) co_return Attempt(*this, account_key);
    if (verdict == Verdict::refused) {
      co_return refuse(Error{.code = ErrorCode::too_many_requests, .retry_after = retry_after});
    }
    auto start = [this, &account_key](std::unique_ptr<Resumption> waiting) {
      const std::lock_guard lock(mutex_);
      auto& account = accounts_[account_key];
      if (account.under_way > 0) {
        account.waiting.push_back(std::move(waiting));
      } else {
        waiting->resume(nullptr);  // all ended meanwhile
      }
    };
    co_await suspend(std::move(start));
  }
}

void AttemptGate::abandon_waiting() {
  std::vector<std::deque<std::unique_ptr<Resumption>>> abandoned;  // ends behind the lock: it holds coroutines
  const std::lock_guard lock(mutex_);
  for (auto& [key, account] : accounts_) abandoned.push_back(std::exchange(account.waiting, {}));
}

AttemptGate::Verdict AttemptGate::try_enter(Account& account, MonotonicTime now) {
  while (!account.failures.empty() && account.failures.front() + kLimit.window <= now) account.failures.pop_front();
  if (account.failures.size() >= kLimit.count) return Verdict::refused;
  if (account.failures.size() + account.under_way >= kLimit.count) return Verdict::wait;
  ++account.under_way;
  return Verdict::admitted;
}

void AttemptGate::leave(const std::string& account_key, bool has_failed) {
  std::deque<std::unique_ptr<Resumption>> to_wake;
  {
    const std::lock_guard lock(mutex_);
    const auto found = accounts_.find(account_key);
    auto& account = found->second;
    --account.under_way;
    if (has_failed) account.failures.push_back(clock_.monotonic());
    // One place is free again, or, at the limit, everybody has to hear no.
    if (account.failures.size() >= kLimit.count) {
      to_wake = std::move(account.waiting);
      account.waiting.clear();
    } else if (!account.waiting.empty()) {
      to_wake.push_back(std::move(account.waiting.front()));
      account.waiting.pop_front();
    }
    // A flood of attempts that are not even hashed, each for another account, must not be remembered.
    if (account.under_way == 0 && account.failures.empty() && account.waiting.empty()) accounts_.erase(found);
  }
  for (const auto& waiting : to_wake) waiting->resume(nullptr);
}

void AttemptGate::forget_old(MonotonicTime now) {
  if (now < next_cleaning_) return;
  next_cleaning_ = now + kCleaningInterval;
  std::erase_if(accounts_, [now](const auto& entry) {
    const Account& account = entry.second;
    const bool has_recent = !account.failures.empty() && account.failures.back() + kLimit.window > now;
    return account.under_way == 0 && account.waiting.empty() && !has_recent;
  });
}

}  // namespace safawinet
