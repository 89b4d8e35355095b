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
                        std::vector<StoredKey>& keys, Time now, Random& random) {
  const auto* signing = find_active(keys, "signing");
  if (signing == nullptr || signing->algorithm != name_of(algorithm)) {
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

}  // namespace

Task<std::shared_ptr<const Keyring>> load_keyring(sql::Database& database, const MasterKey& master_key,
                                                  SigningAlgorithm algorithm, const Clock& clock, Random& random) {
  auto body = [&](sql::Transaction& transaction) -> Task<Result<std::vector<StoredKey>>> {
    auto keys = co_await read_keys(transaction, master_key);
    co_await make_missing(transaction, master_key, algorithm, keys, clock.now(), random);
    co_return keys;
  };
  auto keys = co_await database.transact(std::move(body));
  co_return assemble(std::move(keys.value()));
}

}  // namespace safawinet
