// The keyring in the database, sealed with the master key.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "base/clock.hpp"
#include "base/published.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "crypto/keyring.hpp"
#include "crypto/sealing.hpp"
#include "sql/database.hpp"

namespace safawinet {

// The master key does not open the keys of this database.
class WrongMasterKey : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Reads the keyring; makes what is missing (a first start, or a changed tokens.algorithm: the former key then goes on
// verifying). Nodes that start at once end up with the same keyring. Throws WrongMasterKey, Unavailable.
Task<std::shared_ptr<const Keyring>> load_keyring(sql::Database& database, const MasterKey& master_key,
                                                  SigningAlgorithm algorithm, const Clock& clock, Random& random);

// Hears of keys that another node has made, or that somebody has distrusted. Threading: one call at a time.
class KeyringWatch {
 public:
  struct Parts {
    sql::Database& database;
    const MasterKey& master_key;
    SigningAlgorithm algorithm;  // of the key that is made if there is none left
    const Clock& clock;
    Random& random;
    Published<Keyring>& published;
  };
  explicit KeyringWatch(Parts parts) : parts_(parts) {}

  // Publishes the keyring if it has changed since the last call (in any case at the first one): true. Costs one read of
  // a table of a few rows. Throws WrongMasterKey, Unavailable; what was published stays.
  Task<bool> look();

 private:
  Parts parts_;
  std::string seen_;
};

}  // namespace safawinet
