// All keys inside a transaction that changes them: read, moved on, written.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "base/task.hpp"
#include "keys/key_life.hpp"
#include "keys/key_store.hpp"
#include "sql/database.hpp"

namespace safawinet {

struct KeyringRules {
  KeyRules signing;
  KeyRules refresh_mac;
};

class KeyringChange {
 public:
  // What the keys become is asked of these; `write` stores it.
  KeyringChange(const std::vector<StoredKey>& keys, const KeyringRules& rules, Time now, Random& random);
  KeyringChange(const KeyringChange&) = delete;
  KeyringChange& operator=(const KeyringChange&) = delete;
  ~KeyringChange();

  [[nodiscard]] KeyLife& of(KeyPurpose purpose) { return purpose == KeyPurpose::signing ? signing_ : refresh_mac_; }
  [[nodiscard]] KeyLife* find_life_of(std::string_view id);

  // For both purposes, as KeyLife has it.
  void complete();
  void go_on(const std::function<bool(const KeyEntry&)>& may_retire);
  // Those that have another state than before, the new ones among them.
  [[nodiscard]] std::vector<KeyEntry> moved() const;
  [[nodiscard]] bool is_nothing() const;

  Task<void> write(sql::Transaction& transaction, KeyStore& store) const;

 private:
  KeyEntry make_signing_key(const std::string& algorithm);
  KeyEntry make_mac_key();

  Random& random_;
  std::uint32_t last_mac_id_ = 0;
  std::map<std::string, Bytes> secrets_;  // of the keys that were made
  std::map<std::string, KeyState> before_;
  KeyLife signing_;
  KeyLife refresh_mac_;
};

}  // namespace safawinet
