// Limits that all nodes count together, in Redis or Valkey.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cache/rate_limiter.hpp"
#include "cache/redis/client.hpp"
#include "crypto/digest.hpp"

namespace safawinet {

// Each use is counted here and in Redis, and the stricter of both answers holds: Redis can refuse, and nothing that it
// says, or does not say, lets anybody through whom this node's own count would refuse. Without it, the limits are those
// of the node. Threading: any event loop.
//
// One key for each limit and subject, "safawinet:limit:1:<limit>:<subject>": the times of the last uses, as a list. The
// subject is a MAC, since it may be a mail address. Keys expire with the window.
class RedisRateLimiter final : public RateLimiter {
 public:
  // Nodes that share the server share `subject_key`. The client lives on `loop`.
  RedisRateLimiter(EventLoop& loop, redis::ServerAddress address, MacKey subject_key, const Clock& clock,
                   Random& random);

  Task<std::optional<std::chrono::seconds>> take(const RateLimit& limit, std::string subject) override;
  [[nodiscard]] CacheState state() const override;

  redis::Client& client() { return client_; }
  [[nodiscard]] std::string key_of(const RateLimit& limit, std::string_view subject) const;

 private:
  MemoryRateLimiter own_;
  MacKey subject_key_;
  std::atomic<std::uint64_t> unreadable_{0};  // keys that held something else
  redis::Client client_;
};

}  // namespace safawinet
