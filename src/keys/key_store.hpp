// The keys in the database, sealed with the master key.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "base/task.hpp"
#include "crypto/sealing.hpp"
#include "keys/key.hpp"
#include "sql/database.hpp"

namespace safawinet {

// The master key does not open the keys of this database.
class WrongMasterKey : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct StoredKey {
  KeyEntry entry;
  std::string sealed;  // in base64
};

class KeyStore {
 public:
  explicit KeyStore(const MasterKey& master_key) : master_key_(master_key) {}

  // From here on, whoever changes keys waits for this transaction.
  Task<void> lock(sql::Transaction& transaction);

  // All of them, the oldest first.
  Task<std::vector<StoredKey>> list(sql::Transaction& transaction);
  Task<std::vector<StoredKey>> list(sql::Database& database);
  // Throws WrongMasterKey.
  [[nodiscard]] Bytes open(const StoredKey& key) const;

  Task<void> insert(sql::Transaction& transaction, const KeyEntry& entry, const Bytes& secret);
  Task<void> update(sql::Transaction& transaction, const KeyEntry& entry);

  // One text that says which keys there are in which state, as the revocation feed reads it too.
  Task<std::string> states(sql::Transaction& transaction);

  // The secret that other keys are derived from; the first call makes it. `keys`: of this database; without any,
  // nothing was derived before, and otherwise from the master key that has sealed them. Throws WrongMasterKey.
  Task<RootSecret> root_secret(sql::Transaction& transaction, const std::vector<StoredKey>& keys, Time now,
                               Random& random);

  // That this master key seals here, for the inventory. True if it is the first time.
  Task<bool> note_master_key(sql::Transaction& transaction, Time now);

 private:
  [[nodiscard]] bool is_sealed_with_current(const StoredKey& key) const;

  const MasterKey& master_key_;
};

// What the secret half of a key is sealed for.
std::string sealing_purpose_of(KeyPurpose purpose, std::string_view id);
inline constexpr std::string_view kRootSecretPurpose = "root-secret";

// The keys of one purpose from a list of all.
std::vector<KeyEntry> entries_of(const std::vector<StoredKey>& keys, KeyPurpose purpose);

}  // namespace safawinet
