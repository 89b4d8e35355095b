// The keyring as this node uses it: read at the start, and again whenever anybody has changed it.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/published.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "crypto/keyring.hpp"
#include "crypto/sealing.hpp"
#include "keys/key_store.hpp"
#include "keys/keyring_change.hpp"
#include "sql/database.hpp"

namespace safawinet {

struct LoadedKeyring {
  std::shared_ptr<const Keyring> keyring;
  std::string states;  // as the revocation feed tells them
  std::shared_ptr<const RootSecret> root;
};

// The start of a node: reads the keyring, and makes what is missing. Nodes that start at once end up with the same
// keyring. Throws WrongMasterKey, Unavailable.
Task<LoadedKeyring> load_keyring(sql::Database& database, const MasterKey& master_key, const KeyringRules& rules,
                                 const Clock& clock, Random& random);

// Hears of keys that another node has made, or that somebody has distrusted.
class KeyringWatch {
 public:
  struct Parts {
    sql::Database& database;
    const MasterKey& master_key;
    KeyringRules rules;
    const Clock& clock;
    Random& random;
    Published<Keyring>& published;
  };
  // `states`: of the keyring that is published.
  KeyringWatch(Parts parts, std::string states)
      : parts_(std::move(parts)), loaded_(std::move(states)), heard_(loaded_) {}

  // What the revocation feed has read of the keys. A key that is distrusted is out of the published keyring when this
  // returns; everything else waits for look(). Any thread; does little.
  void hear(std::string_view states);

  // Whether something else was heard than is published. Any thread; costs nothing.
  [[nodiscard]] bool is_behind() const;

  // Reads the keyring from the database and publishes it. Throws WrongMasterKey, Unavailable; what was published stays.
  Task<void> look();

 private:
  [[nodiscard]] std::shared_ptr<const Keyring> without_distrusted(std::shared_ptr<const Keyring> keyring) const;

  Parts parts_;
  mutable std::mutex mutex_;  // guards what follows, and makes publications one after another
  std::string loaded_;
  std::string heard_;
  std::uint64_t readings_ = 0;           // that have begun
  std::uint64_t published_ = 0;          // the last of them that was published
  std::vector<std::string> distrusted_;  // since the start, whatever has become of the database
};

}  // namespace safawinet
