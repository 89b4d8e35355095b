// What operators do with keys, and what time does.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "access/operator.hpp"
#include "audit/audit_log.hpp"
#include "base/error.hpp"
#include "keys/key_store.hpp"
#include "keys/keyring_change.hpp"
#include "keys/keyring_watch.hpp"
#include "keys/resealing.hpp"
#include "sessions/session_service.hpp"

namespace safawinet {

struct RotateKeys {
  KeyPurpose purpose = KeyPurpose::signing;
  // The active key that the operator has seen; none: whichever it is. So two who rotate at once do it once.
  std::optional<std::string> expected;
  std::string reason;
  Operator acting;
  Origin origin;
};

struct KeysRotated {
  KeyEntry active;
  KeyEntry next;
  std::optional<Time> due_at;  // the next key becomes active then; none: it has just become so
};

// What else is ended when a key is distrusted.
enum class DistrustExtent {
  key,       // what this key has made
  tokens,    // what any signing key has made: every access token; sessions go on
  sessions,  // everybody's sessions too
};

struct DistrustKey {
  std::string id;
  DistrustExtent extent = DistrustExtent::key;
  std::string reason;
  Operator acting;
  Origin origin;
};

struct KeyDistrusted {
  std::vector<std::string> ids;          // that were not distrusted before
  KeyEntry active;                       // of this purpose
  std::optional<std::int64_t> sessions;  // that ended; none: none were to
};

// A secret of the service, for a look at how old they are.
struct SecretItem {
  // "master-key", "root-secret", "signing-key", "refresh-mac-key", "other-master-key", "second-factors", "api-keys"
  std::string kind;
  std::string name;
  std::optional<Time> since{};
  std::string note;
};

struct SecretsInventory {
  std::vector<SecretItem> items;
  std::int64_t sealed_otherwise = 0;  // values that only another master key opens
};

// Threading: any event loop. Errors besides those named: forbidden (somebody who may not any more), Unavailable.
class KeyService {
 public:
  struct Parts {
    sql::Database& database;
    const MasterKey& master_key;
    KeyringRules rules;
    KeyringWatch& watch;
    SessionService& sessions;
    AuditLog& audit;
    const Clock& clock;
    Random& random;
    EventLoop& slow_loop;  // where what may take long is done, so that no request waits behind it
  };
  explicit KeyService(Parts parts);

  // The oldest first.
  Task<std::vector<KeyEntry>> list();
  struct Shown {
    KeyEntry entry;
    std::optional<boost::json::object> jwk;  // the public half of a signing key
  };
  // Errors: not_found.
  Task<Result<Shown>> get(std::string id);

  // Nobody is logged out, and nobody who remembers the list of keys for as long as it says meets one that is not in it.
  // Errors: conflict (another key is active than the operator has seen).
  Task<Result<KeysRotated>> rotate(RotateKeys command);

  // In force on this node when it returns, on the others as a revocation is. Tokens of the key are refused; refreshing
  // goes on with the next key. A key of refresh tokens cannot be told from who has stolen it, so it takes the sessions
  // with it. Idempotent. Errors: not_found, invalid_fields (a key of refresh tokens without the sessions).
  Task<Result<KeyDistrusted>> distrust(DistrustKey command);

  Task<SecretsInventory> inventory();

  // One round of housekeeping: what is due becomes active, what has done its work retires. The first round makes a
  // changed `rules.signing.algorithm` that of the next key, which follows once everybody knows it. Gives the keys that
  // have another state now. One call at a time.
  Task<std::vector<KeyEntry>> tend();

  // While there is another master key, one round over everything that is sealed: what only that opens is sealed with
  // the current one.
  Task<Resealed> reseal();

 private:
  Task<void> be_in_force();
  Task<void> record(sql::Transaction& transaction, std::string_view action, Actor actor, std::string target,
                    std::string reason, Origin origin);
  Task<void> note_master_key(sql::Transaction& transaction, Time now);
  [[nodiscard]] bool may_retire(const KeyEntry& key);

  Parts parts_;
  KeyStore store_;
  Resealing resealing_;
  bool is_first_round_ = true;
  std::map<std::string, MonotonicTime> done_since_;  // former keys, by when they were first seen to be done
};

}  // namespace safawinet
