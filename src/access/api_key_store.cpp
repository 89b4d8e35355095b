#include "access/api_key_store.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace safawinet {
namespace {

using sql::Statement;

#define SAFAWINET_API_KEY_COLUMNS                                                                             \
  "k.id, k.name, k.key_start, k.owner, k.created_by, k.permissions, k.networks, k.created_at, k.expires_at, " \
  "k.last_used_at, k.last_used_from, k.revoked_at, u.role, u.is_active "                                      \
  "FROM api_keys k LEFT JOIN users u ON u.id = k.owner "

constexpr Statement kFindByHash{"SELECT " SAFAWINET_API_KEY_COLUMNS "WHERE k.key_hash = $1"};
constexpr Statement kFind{"SELECT " SAFAWINET_API_KEY_COLUMNS "WHERE k.id = $1"};
constexpr Statement kLockKey{"SELECT 1 FROM api_keys WHERE id = $1",
                             "SELECT 1 FROM api_keys WHERE id = $1 FOR NO KEY UPDATE"};
constexpr Statement kList{"SELECT " SAFAWINET_API_KEY_COLUMNS "WHERE k.id < $1 ORDER BY k.id DESC LIMIT $2"};
constexpr Statement kLockKeysOf{"SELECT $1",
                                "SELECT count(*) FROM pg_advisory_xact_lock(hashtextextended($1::text, 0))"};
constexpr Statement kCountUsable{
    "SELECT count(*) FROM api_keys "
    "WHERE owner IS $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)",
    "SELECT count(*) FROM api_keys "
    "WHERE owner IS NOT DISTINCT FROM $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)"};
constexpr Statement kInsert{
    "INSERT INTO api_keys (id, key_hash, name, key_start, owner, created_by, permissions, networks, created_at, "
    "expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"};
constexpr Statement kRevoke{"UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL"};
// On PostgreSQL it shares a connection with other requests, so it never waits for whoever has locked the row.
constexpr Statement kNoteUse{
    "UPDATE api_keys SET last_used_at = $2, last_used_from = $3 "
    "WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $4)",
    "UPDATE api_keys SET last_used_at = $2, last_used_from = $3 "
    "WHERE id = (SELECT id FROM api_keys WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $4) "
    "FOR NO KEY UPDATE SKIP LOCKED)"};

#undef SAFAWINET_API_KEY_COLUMNS

std::string to_text(const std::vector<IpNetwork>& networks) {
  std::string text;
  for (const auto& network : networks) text.append(text.empty() ? "" : " ").append(network.text());
  return text;
}

std::vector<IpNetwork> parse_networks(std::string_view text) {
  std::vector<IpNetwork> networks;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    // What cannot be read must not open the key to everybody: it becomes a network that nobody is in.
    networks.push_back(IpNetwork::parse(text.substr(0, end)).value_or(IpNetwork{.base = {}, .prefix_length = 32}));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return networks;
}

ApiKeyWithOwner to_key(const sql::Row& row) {
  ApiKeyWithOwner found{.key = {.id = row.get<ApiKeyId>(0),
                                .name = row.get<std::string>(1),
                                .key_start = row.get<std::string>(2),
                                .owner = row.find<UserId>(3),
                                .created_by = row.get<std::string>(4),
                                .permissions = parse_permissions(row.get<std::string>(5)),
                                .networks = parse_networks(row.get<std::string>(6)),
                                .created_at = row.get<Time>(7),
                                .expires_at = row.find<Time>(8),
                                .last_used_at = row.find<Time>(9),
                                .last_used_from = row.get<std::string>(10),
                                .revoked_at = row.find<Time>(11)},
                        .owner_role = {},
                        .is_owner_active = true};
  if (!found.key.owner) return found;
  // An owner who is gone is one who is not active: on the embedded database a raw shell does not delete their keys.
  found.owner_role = parse_role(row.find<std::string>(12).value_or("")).value_or(Role::customer);
  found.is_owner_active = row.find<bool>(13).value_or(false);
  return found;
}

std::optional<ApiKeyWithOwner> to_key(const sql::Rows& rows) {
  return rows.empty() ? std::nullopt : std::optional(to_key(rows.front()));
}

constexpr ApiKeyId kBehindAll{Uuid{{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}}};

}  // namespace

Task<std::optional<ApiKeyWithOwner>> ApiKeyStore::find_by_hash(sql::Database& database, std::string_view hash) {
  const auto rows = co_await database.read(kFindByHash, hash);
  co_return to_key(rows);
}

Task<std::optional<ApiKeyWithOwner>> ApiKeyStore::find(sql::Database& database, ApiKeyId id) {
  const auto rows = co_await database.read(kFind, id);
  co_return to_key(rows);
}

Task<std::optional<ApiKeyWithOwner>> ApiKeyStore::lock(sql::Transaction& transaction, ApiKeyId id) {
  co_await transaction.execute(kLockKey, id);
  const auto rows = co_await transaction.execute(kFind, id);
  co_return to_key(rows);
}

Task<std::vector<ApiKeyWithOwner>> ApiKeyStore::list(sql::Database& database, std::optional<ApiKeyId> before,
                                                     std::int64_t limit) {
  const auto rows = co_await database.read(kList, before.value_or(kBehindAll), limit);
  std::vector<ApiKeyWithOwner> keys;
  keys.reserve(rows.size());
  for (const auto& row : rows) keys.push_back(to_key(row));
  co_return keys;
}

Task<std::int64_t> ApiKeyStore::count_usable(sql::Transaction& transaction, std::optional<UserId> owner, Time now) {
  const auto lock = "safawinet.api-keys:" + (owner ? owner->text() : std::string());
  co_await transaction.execute(kLockKeysOf, lock);
  const auto rows = co_await transaction.execute(kCountUsable, owner, now);
  co_return rows.front().get<std::int64_t>(0);
}

Task<void> ApiKeyStore::insert(sql::Transaction& transaction, const ApiKey& key, std::string_view hash) {
  const auto permissions = safawinet::to_text(key.permissions);
  const auto networks = to_text(key.networks);
  co_await transaction.execute(kInsert, key.id, hash, key.name, key.key_start, key.owner, key.created_by, permissions,
                               networks, key.created_at, key.expires_at);
}

Task<bool> ApiKeyStore::revoke(sql::Transaction& transaction, ApiKeyId id, Time now) {
  const auto rows = co_await transaction.execute(kRevoke, id, now);
  co_return rows.affected > 0;
}

Task<void> ApiKeyStore::note_use(sql::Database& database, ApiKeyId id, Time now, std::string_view from,
                                 Time unless_since) {
  co_await database.write(kNoteUse, id, now, from, unless_since);
}

}  // namespace safawinet
