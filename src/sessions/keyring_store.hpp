// The keyring in the database, sealed with the master key.
#pragma once

#include <memory>
#include <stdexcept>

#include "base/clock.hpp"
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

}  // namespace safawinet
