// API keys: made, used, revoked.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/api_key.hpp"
#include "access/api_key_store.hpp"
#include "access/compromise_mode.hpp"
#include "access/operator.hpp"
#include "audit/audit_log.hpp"
#include "base/address.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "cache/rate_limiter.hpp"
#include "sql/database.hpp"

namespace safawinet {

inline constexpr std::int64_t kUsableKeysPerOwner = 100;
inline constexpr std::chrono::minutes kLastUseGranularity{1};

struct NewApiKey {
  std::string name;
  PermissionSet permissions;
  std::vector<IpNetwork> networks;  // empty: from everywhere
  std::optional<Time> expires_at;
};

struct CreatedApiKey {
  ApiKeyWithOwner made;
  SecretText text;  // shown this once
};

// A key acts for its owner: it may do what it was given and its owner may still do, and nothing while they are not
// active. Whoever makes one at the machine itself (`--local`) makes one that has no owner. Keys are read from the
// database at each use, so that revoking one is in force on every node with its commit.
// Threading: any event loop. Errors besides those named: Unavailable.
class ApiKeys {
 public:
  struct Parts {
    sql::Database& database;
    AuditLog& audit;
    RateLimiter& limits;
    const ModeInForce& mode;
    const Clock& clock;
    Random& random;
  };
  explicit ApiKeys(Parts parts) : parts_(parts) {}

  // Whom a presented key speaks for. Errors: unauthenticated, whatever is wrong with it; the log says what, and a key
  // that is used from a network that is not its own is on record too.
  Task<Result<Operator>> authenticate(std::string_view text, IpAddress client, Origin origin);

  // Errors: forbidden (somebody who may not; a permission that the operator lacks; a key that would make keys),
  // invalid_fields, conflict (too many keys), frozen (by the compromise mode).
  Task<Result<CreatedApiKey>> create(Operator acting, NewApiKey wanted, Origin origin);
  // Idempotent. Errors: forbidden (its owner has a higher role), not_found.
  Task<Status> revoke(Operator acting, ApiKeyId id, Origin origin);

  // Errors: not_found.
  Task<Result<ApiKeyWithOwner>> get(ApiKeyId id);
  Task<std::vector<ApiKeyWithOwner>> list(std::optional<ApiKeyId> before, std::int64_t limit);
  // Of a key's text, whatever has become of the key; none if it is no key of ours.
  Task<std::optional<ApiKeyWithOwner>> find(std::string_view text);

 private:
  Task<void> record_use_from_elsewhere(const ApiKey& key, Origin origin);
  Task<void> note_use(const ApiKey& key, Time now, const Origin& origin);

  Parts parts_;
  ApiKeyStore store_;
};

}  // namespace safawinet
