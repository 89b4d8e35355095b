// Idempotency-Key: the same request again gets the same answer, and is not done again.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/task.hpp"
#include "crypto/digest.hpp"
#include "http/message.hpp"
#include "sql/database.hpp"

namespace safawinet::api {

inline constexpr std::size_t kIdempotencyKeyLimit = 255;  // characters
inline constexpr std::chrono::hours kIdempotentAnswersKept{24};

// Answers of success are kept for 24 hours, by caller and key; none of the routes that honour the key answers with a
// token. Of key and request only MACs are kept: a body may hold a password, which a plain hash of it would let be
// guessed from a copy of the database at any speed. Threading: any event loop.
class Idempotency {
 public:
  Idempotency(sql::Database& database, const Clock& clock, MacKey key)
      : database_(database), clock_(clock), key_(std::move(key)) {}

  // A request under way with its key. While it lives, the same key of the same caller is refused.
  class Claim {
   public:
    Claim(Idempotency& owner, std::string caller, std::string key_hash, std::string request_hash)
        : owner_(&owner),
          caller_(std::move(caller)),
          key_hash_(std::move(key_hash)),
          request_hash_(std::move(request_hash)) {}
    Claim(Claim&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)),
          caller_(std::move(other.caller_)),
          key_hash_(std::move(other.key_hash_)),
          request_hash_(std::move(other.request_hash_)),
          earlier_(std::move(other.earlier_)) {}
    Claim& operator=(Claim&&) = delete;
    ~Claim() {
      if (owner_ != nullptr) owner_->release(caller_, key_hash_);
    }

    // Set when the request was answered before: give this, and do nothing.
    [[nodiscard]] const std::optional<http::Response>& earlier_answer() const { return earlier_; }
    // Remembers what was answered; only success is kept.
    Task<void> keep(const http::Response& response);

   private:
    friend class Idempotency;
    Idempotency* owner_;
    std::string caller_;
    std::string key_hash_;
    std::string request_hash_;
    std::optional<http::Response> earlier_;
  };

  // Errors: conflict, for a key that was used with another request or is in use at this moment; invalid_fields, for a
  // key that is empty or too long.
  Task<Result<Claim>> claim(std::string caller, std::string_view key, const http::Request& request);

  Task<void> sweep();

 private:
  void release(const std::string& caller, const std::string& key_hash);
  [[nodiscard]] std::string mac_of(const http::Request& request) const;

  sql::Database& database_;
  const Clock& clock_;
  MacKey key_;
  std::mutex mutex_;
  std::set<std::pair<std::string, std::string>> under_way_;
};

}  // namespace safawinet::api
