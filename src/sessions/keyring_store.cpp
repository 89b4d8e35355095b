#include "sessions/keyring_store.hpp"

#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/encoding.hpp"

namespace safawinet {
namespace {

using sql::Statement;

constexpr Statement kAll{
    "SELECT id, purpose, algorithm, state, sealed FROM keys WHERE state IN ('next', 'active', 'verifying') ORDER BY "
    "created_at"};
constexpr Statement kRetireActive{"UPDATE keys SET state = 'verifying' WHERE purpose = 'signing' AND state = 'active'"};
constexpr Statement kInsert{
    "INSERT INTO keys (id, purpose, algorithm, state, sealed, created_at) VALUES ($1, $2, $3, 'active', $4, $5)"};

// Nodes that start at once wait for each other: the second finds what the first has made.
constexpr Statement kLock{"SELECT 1", "SELECT pg_advisory_xact_lock(hashtextextended('safawinet.keyring', 0))::text"};
// One text for all of them, which says whether anything has changed.
constexpr Statement kStates{
    "SELECT group_concat(id || '/' || purpose || '/' || state) FROM (SELECT id, purpose, state FROM keys ORDER BY "
    "purpose, id)",
    "SELECT string_agg(id || '/' || purpose || '/' || state, ',' ORDER BY purpose, id) FROM keys"};

// What a node demands of the active signing key: at its start, its own algorithm; later another node may have changed
// it.
enum class ActiveKey { of_the_algorithm, any };

struct StoredKey {
  std::string id;
  std::string purpose;
  std::string algorithm;
  bool is_active = false;
  Bytes secret;
};

std::string sealing_purpose(std::string_view purpose, std::string_view id) {
  return "key/" + std::string(purpose) + "/" + std::string(id);
}

Task<std::vector<StoredKey>> read_keys(sql::Transaction& transaction, const MasterKey& master_key) {
  const auto rows = co_await transaction.execute(kAll);
  std::vector<StoredKey> keys;
  for (const auto& row : rows) {
    StoredKey key{.id = row.get<std::string>(0),
                  .purpose = row.get<std::string>(1),
                  .algorithm = row.get<std::string>(2),
                  .is_active = row.get<std::string>(3) == "active",
                  .secret = {}};
    const auto sealed = from_base64(row.get<std::string>(4));
    auto opened = sealed ? master_key.open(sealing_purpose(key.purpose, key.id), *sealed) : std::nullopt;
    if (!opened) throw WrongMasterKey("the master key does not open the key " + key.id + " of this database");
    key.secret = std::move(*opened);
    keys.push_back(std::move(key));
  }
  co_return keys;
}

Task<void> insert_key(sql::Transaction& transaction, const MasterKey& master_key, const StoredKey& key, Time now) {
  const auto sealed = to_base64(master_key.seal(sealing_purpose(key.purpose, key.id), key.secret));
  co_await transaction.execute(kInsert, key.id, key.purpose, key.algorithm, sealed, now);
}

const StoredKey* find_active(const std::vector<StoredKey>& keys, std::string_view purpose) {
  for (const auto& key : keys) {
    if (key.purpose == purpose && key.is_active) return &key;
  }
  return nullptr;
}

Task<void> make_missing(sql::Transaction& transaction, const MasterKey& master_key, SigningAlgorithm algorithm,
                        ActiveKey active_key, std::vector<StoredKey>& keys, Time now, Random& random) {
  const auto* signing = find_active(keys, "signing");
  const bool is_other = signing != nullptr && signing->algorithm != name_of(algorithm);
  if (signing == nullptr || (is_other && active_key == ActiveKey::of_the_algorithm)) {
    co_await transaction.execute(kRetireActive);
    for (auto& key : keys) key.is_active = key.is_active && key.purpose != "signing";
    const auto made = SigningKey::generate(algorithm);
    StoredKey key{made.id(), "signing", std::string(name_of(algorithm)), true, made.pkcs8()};
    co_await insert_key(transaction, master_key, key, now);
    keys.push_back(std::move(key));
  }
  if (find_active(keys, "refresh-mac") == nullptr) {
    StoredKey key{"1", "refresh-mac", "HS256", true, Bytes(MacKey::kBytes)};
    random.fill(std::as_writable_bytes(std::span(key.secret)));
    co_await insert_key(transaction, master_key, key, now);
    keys.push_back(std::move(key));
  }
}

SigningKey import_signing_key(const StoredKey& key) {
  auto imported = SigningKey::from_pkcs8(key.secret);
  if (!imported || imported->id() != key.id) throw WrongMasterKey("the signing key " + key.id + " is damaged");
  return std::move(*imported);
}

std::shared_ptr<const Keyring> assemble(std::vector<StoredKey> keys) {
  std::optional<SigningKey> active;
  std::vector<VerifyingKey> verifying;
  std::vector<std::pair<std::uint32_t, MacKey>> mac_keys;
  std::uint32_t active_mac_key_id = 0;
  for (auto& key : keys) {
    if (key.purpose == "signing") {
      auto signing = import_signing_key(key);
      if (key.is_active) {
        active.emplace(std::move(signing));
      } else {
        verifying.push_back(signing.verifying_key());
      }
    } else {
      const auto id = static_cast<std::uint32_t>(std::stoul(key.id));
      mac_keys.emplace_back(id, MacKey(key.secret));
      if (key.is_active) active_mac_key_id = id;
    }
    wipe(key.secret);
  }
  Keyring::Parts parts{std::move(*active), std::move(verifying), std::move(mac_keys), active_mac_key_id};
  return std::make_shared<const Keyring>(std::move(parts));
}

Task<std::shared_ptr<const Keyring>> load(sql::Database& database, const MasterKey& master_key,
                                          SigningAlgorithm algorithm, ActiveKey active_key, const Clock& clock,
                                          Random& random) {
  auto body = [&](sql::Transaction& transaction) -> Task<Result<std::vector<StoredKey>>> {
    co_await transaction.execute(kLock);
    auto keys = co_await read_keys(transaction, master_key);
    co_await make_missing(transaction, master_key, algorithm, active_key, keys, clock.now(), random);
    co_return keys;
  };
  auto keys = co_await database.transact(std::move(body));
  co_return assemble(std::move(keys.value()));
}

}  // namespace

Task<std::shared_ptr<const Keyring>> load_keyring(sql::Database& database, const MasterKey& master_key,
                                                  SigningAlgorithm algorithm, const Clock& clock, Random& random) {
  return load(database, master_key, algorithm, ActiveKey::of_the_algorithm, clock, random);
}

Task<bool> KeyringWatch::look() {
  const auto states = co_await parts_.database.read(kStates);
  auto now = states.front().find<std::string>(0).value_or("");
  if (now == seen_) co_return false;
  auto keyring =
      co_await load(parts_.database, parts_.master_key, parts_.algorithm, ActiveKey::any, parts_.clock, parts_.random);
  parts_.published.set(std::move(keyring));
  seen_ = std::move(now);
  co_return true;
}

}  // namespace safawinet
