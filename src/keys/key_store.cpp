#include "keys/key_store.hpp"

#include <utility>

#include "base/encoding.hpp"

namespace safawinet {
namespace {

using sql::Statement;

constexpr Statement kList{
    "SELECT id, purpose, algorithm, state, created_at, coalesce(state_since, created_at), state_until, sealed "
    "FROM keys ORDER BY created_at, id"};
constexpr Statement kInsert{
    "INSERT INTO keys (id, purpose, algorithm, state, sealed, created_at, state_since, state_until) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"};
constexpr Statement kUpdate{"UPDATE keys SET state = $2, state_since = $3, state_until = $4 WHERE id = $1"};
constexpr Statement kStates{
    "SELECT coalesce(group_concat(purpose || '/' || id || '/' || state), '') FROM (SELECT id, purpose, state FROM keys "
    "ORDER BY purpose, id)",
    "SELECT coalesce(string_agg(purpose || '/' || id || '/' || state, ',' ORDER BY purpose, id), '') FROM keys"};
// Nodes that start at once, and operators who rotate at once, wait for each other. (SQLite has one writer.)
constexpr Statement kLock{"SELECT 1", "SELECT pg_advisory_xact_lock(hashtextextended('safawinet.keyring', 0))::text"};

constexpr Statement kFindRoot{"SELECT sealed FROM root_secret"};
constexpr Statement kInsertRoot{"INSERT INTO root_secret (one, sealed, created_at) VALUES (1, $1, $2)",
                                "INSERT INTO root_secret (sealed, created_at) VALUES ($1, $2)"};
constexpr Statement kNoteMasterKey{
    "INSERT INTO master_keys (fingerprint, first_used_at) VALUES ($1, $2) ON CONFLICT (fingerprint) DO NOTHING"};

std::vector<StoredKey> to_keys(const sql::Rows& rows) {
  std::vector<StoredKey> keys;
  for (const auto& row : rows) {
    const auto purpose = parse_key_purpose(row.get<std::string>(1));
    const auto state = parse_key_state(row.get<std::string>(3));
    if (!purpose || !state) throw sql::BadColumn("a key has a purpose or state that is unknown");
    keys.push_back({.entry = {.id = row.get<std::string>(0),
                              .purpose = *purpose,
                              .algorithm = row.get<std::string>(2),
                              .state = *state,
                              .created_at = row.get<Time>(4),
                              .since = row.get<Time>(5),
                              .until = row.find<Time>(6)},
                    .sealed = row.get<std::string>(7)});
  }
  return keys;
}

}  // namespace

Task<void> KeyStore::lock(sql::Transaction& transaction) { co_await transaction.execute(kLock); }

Task<std::vector<StoredKey>> KeyStore::list(sql::Transaction& transaction) {
  const auto rows = co_await transaction.execute(kList);
  co_return to_keys(rows);
}

Task<std::vector<StoredKey>> KeyStore::list(sql::Database& database) {
  const auto rows = co_await database.read(kList);
  co_return to_keys(rows);
}

Bytes KeyStore::open(const StoredKey& key) const {
  const auto sealed = from_base64(key.sealed);
  auto opened = sealed ? master_key_.open(sealing_purpose_of(key.entry.purpose, key.entry.id), *sealed) : std::nullopt;
  if (!opened) throw WrongMasterKey("the master key does not open the key " + key.entry.id + " of this database");
  return std::move(*opened);
}

Task<void> KeyStore::insert(sql::Transaction& transaction, const KeyEntry& entry, const Bytes& secret) {
  const auto sealed = to_base64(master_key_.seal(sealing_purpose_of(entry.purpose, entry.id), secret));
  co_await transaction.execute(kInsert, entry.id, name_of(entry.purpose), entry.algorithm, name_of(entry.state), sealed,
                               entry.created_at, entry.since, entry.until);
}

Task<void> KeyStore::update(sql::Transaction& transaction, const KeyEntry& entry) {
  co_await transaction.execute(kUpdate, entry.id, name_of(entry.state), entry.since, entry.until);
}

Task<std::string> KeyStore::states(sql::Transaction& transaction) {
  const auto rows = co_await transaction.execute(kStates);
  co_return rows.front().get<std::string>(0);
}

Task<RootSecret> KeyStore::root_secret(sql::Transaction& transaction, const std::vector<StoredKey>& keys, Time now,
                                       Random& random) {
  const auto rows = co_await transaction.execute(kFindRoot);
  if (!rows.empty()) {
    const auto sealed = from_base64(rows.front().get<std::string>(0));
    auto opened = sealed ? master_key_.open(kRootSecretPurpose, *sealed) : std::nullopt;
    auto secret = opened ? RootSecret::from(*opened) : std::nullopt;
    if (opened) wipe(*opened);
    if (!secret) throw WrongMasterKey("the master key does not open the root secret of this database");
    co_return std::move(*secret);
  }
  for (const auto& key : keys) {
    if (is_sealed_with_current(key)) continue;
    throw WrongMasterKey(
        "this database is of an older version and of another master key: start once with that one alone, then replace "
        "it");
  }
  auto secret = keys.empty() ? RootSecret::generate(random) : RootSecret::of(master_key_);
  const auto sealed = to_base64(master_key_.seal(kRootSecretPurpose, secret.reveal()));
  co_await transaction.execute(kInsertRoot, sealed, now);
  co_return secret;
}

bool KeyStore::is_sealed_with_current(const StoredKey& key) const {
  const auto sealed = from_base64(key.sealed);
  return sealed && master_key_.opens_alone(sealing_purpose_of(key.entry.purpose, key.entry.id), *sealed);
}

Task<bool> KeyStore::note_master_key(sql::Transaction& transaction, Time now) {
  const auto noted = co_await transaction.execute(kNoteMasterKey, master_key_.fingerprint(), now);
  co_return noted.affected > 0;
}

std::string sealing_purpose_of(KeyPurpose purpose, std::string_view id) {
  return "key/" + std::string(name_of(purpose)) + "/" + std::string(id);
}

std::vector<KeyEntry> entries_of(const std::vector<StoredKey>& keys, KeyPurpose purpose) {
  std::vector<KeyEntry> entries;
  for (const auto& key : keys) {
    if (key.entry.purpose == purpose) entries.push_back(key.entry);
  }
  return entries;
}

}  // namespace safawinet
