// Idempotency-Key: the same request again gets the same answer, and is not done again.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
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
// How long a request that never ended (its node died) keeps its key; longer than any request takes.
inline constexpr std::chrono::seconds kIdempotencyClaimKept{60};

// Answers of success are kept for 24 hours, by caller and key, for all nodes; none of the routes that honour the key
// answers with a token. Of key and request only MACs are kept: a body may hold a password, which a plain hash of it
// would let be guessed from a copy of the database at any speed. What a request did before its node died is not undone:
// a minute later the same key does it again. Threading: any event loop. Errors besides those named: Unavailable.
class Idempotency {
 public:
  Idempotency(sql::Database& database, const Clock& clock, MacKey key)
      : database_(database), clock_(clock), key_(std::move(key)) {}

  // A request under way with its key: until it is settled, the same key of the same caller is refused.
  class Claim {
   public:
    // Set when the request was answered before: give this, and do nothing; there is nothing to settle.
    [[nodiscard]] const std::optional<http::Response>& earlier_answer() const { return earlier_; }
    // Remembers what was answered if it is a success, else forgets the claim.
    Task<void> settle(const http::Response& response);
    // Forgets the claim: the request may be sent again; if the database is away, a minute later. Throws nothing.
    Task<void> release();

   private:
    friend class Idempotency;
    Claim(Idempotency& owner, std::string caller, std::string key_hash, std::string request_hash, Time claimed_at)
        : owner_(&owner),
          caller_(std::move(caller)),
          key_hash_(std::move(key_hash)),
          request_hash_(std::move(request_hash)),
          claimed_at_(claimed_at) {}

    Idempotency* owner_;
    std::string caller_;
    std::string key_hash_;
    std::string request_hash_;
    Time claimed_at_;  // tells it from a later claim of the same key
    std::optional<http::Response> earlier_;
  };

  // Errors: conflict, for a key that was used with another request or is in use at this moment, on whatever node;
  // invalid_fields, for a key that is empty or too long.
  Task<Result<Claim>> claim(std::string caller, std::string_view key, const http::Request& request);

  Task<void> sweep();

 private:
  [[nodiscard]] std::string mac_of(const http::Request& request) const;

  sql::Database& database_;
  const Clock& clock_;
  MacKey key_;
};

}  // namespace safawinet::api
