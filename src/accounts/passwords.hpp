// Passwords at work: hashing, checking and the policy, on the hashing pool.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/secret.hpp"
#include "base/task.hpp"
#include "crypto/password.hpp"
#include "crypto/password_policy.hpp"
#include "runtime/hash_pool.hpp"

namespace safawinet {

// Threading: any event loop. Errors: overloaded, from the pool.
class Passwords {
 public:
  Passwords(HashPool& pool, PasswordPolicy policy, PasswordHasher hasher = PasswordHasher())
      : pool_(pool), policy_(policy), hasher_(std::move(hasher)) {}

  // Who the password is for: what the policy takes as guessable.
  struct Owner {
    std::string email;
    std::string name;
  };

  // The hash of a password that may be set. Errors: invalid_fields with every fault, at `pointer`.
  Task<Result<std::string>> hash_new(HashClient client, SecretText password, Owner owner, std::string pointer);

  // Verifies against `stored`, or, when there is no account (empty), against a hash that nothing matches, at the same
  // cost.
  Task<Result<PasswordVerification>> verify(HashClient client, SecretText password, std::string stored);

  // For a login whose hash is of an older cost.
  Task<Result<std::string>> rehash(HashClient client, SecretText password);

  // Without the pool: for the start, when nothing else runs.
  Result<std::string> hash_new_now(const SecretText& password, const Owner& owner, std::string_view pointer) const;

  struct Counts {
    std::uint64_t matched = 0;
    std::uint64_t mismatched = 0;
  };
  [[nodiscard]] Counts verifications() const { return {matched_.load(), mismatched_.load()}; }

 private:
  HashPool& pool_;
  PasswordPolicy policy_;
  PasswordHasher hasher_;
  std::atomic<std::uint64_t> matched_{0};
  std::atomic<std::uint64_t> mismatched_{0};
};

}  // namespace safawinet
