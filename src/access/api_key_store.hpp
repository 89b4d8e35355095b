// The SQL of API keys, and nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "access/api_key.hpp"
#include "base/task.hpp"
#include "sql/database.hpp"

namespace safawinet {

// A key with what its owner may do now.
struct ApiKeyWithOwner {
  ApiKey key;
  std::optional<Role> owner_role;  // none: it has no owner
  bool is_owner_active = true;
};

// Threading: any event loop.
class ApiKeyStore {
 public:
  Task<std::optional<ApiKeyWithOwner>> find_by_hash(sql::Database& database, std::string_view hash);
  Task<std::optional<ApiKeyWithOwner>> find(sql::Database& database, ApiKeyId id);
  // Nobody revokes it, and its owner stays as they are, before the transaction ends.
  Task<std::optional<ApiKeyWithOwner>> lock(sql::Transaction& transaction, ApiKeyId id);
  // Newest first, the revoked ones too; `before` continues a list.
  Task<std::vector<ApiKeyWithOwner>> list(sql::Database& database, std::optional<ApiKeyId> before, std::int64_t limit);
  // Those of the owner, or those without one, that could still be used; no other transaction that counts them goes on
  // before this one ends.
  Task<std::int64_t> count_usable(sql::Transaction& transaction, std::optional<UserId> owner, Time now);

  Task<void> insert(sql::Transaction& transaction, const ApiKey& key, std::string_view hash);
  // False when it was revoked before.
  Task<bool> revoke(sql::Transaction& transaction, ApiKeyId id, Time now);
  // Unless a use since `unless_since` is known already.
  Task<void> note_use(sql::Database& database, ApiKeyId id, Time now, std::string_view from, Time unless_since);
};

}  // namespace safawinet
