// Which access tokens are dead, in memory.
//
// A token is dead when (a) its session is among the ended, (b) its token version is below the user's, or (c) its epoch
// is below the current one and its session was not spared by every global logout since. No times and no positions in a
// sequence are compared: a sequence number that was handed out earlier can be committed later.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.hpp"

namespace safawinet {

// What an access token says of itself.
struct TokenStanding {
  SessionId session;
  UserId user;
  std::int64_t token_version = 0;
  std::int64_t epoch = 0;
};

// Something of the feed. Which members are set depends on the scope: sessions that ended; a user and the version below
// which tokens are dead; an epoch and the sessions that were spared.
struct Revocation {
  enum class Scope { session, user, global };

  Scope scope = Scope::session;
  std::vector<SessionId> sessions;
  std::optional<UserId> user;
  std::int64_t token_version = 0;
  std::int64_t epoch = 0;
};

// Immutable once published. Sixteen bytes an ended session; a look-up is two binary searches: in a large sorted array
// that snapshots share, and in a small one that each copies, so that a new revocation costs little however many there
// are.
class RevocationIndex {
 public:
  static constexpr std::size_t kRecentLimit = 4096;  // sessions; beyond, they move to the shared array

  [[nodiscard]] bool is_dead(const TokenStanding& token) const;
  [[nodiscard]] std::int64_t epoch() const { return epoch_; }
  [[nodiscard]] std::size_t ended_sessions() const { return settled_->size() + recent_.size(); }

  // This index with more in it. Applying a revocation twice changes nothing. `epoch`: the current one, which a global
  // row may raise further.
  [[nodiscard]] RevocationIndex with(const std::vector<Revocation>& revocations, std::int64_t epoch) const;
  // All that is dead by either of them. Where they disagree about whom a global logout spared, this one is right.
  [[nodiscard]] RevocationIndex with(const RevocationIndex& other) const;

 private:
  [[nodiscard]] bool is_spared_since(std::int64_t epoch, SessionId session) const;

  using SessionIds = std::vector<SessionId>;
  using Versions = std::unordered_map<UserId, std::int64_t>;

  [[nodiscard]] bool has_ended(SessionId session) const;
  void add_ended(SessionIds added);

  // Both sorted; no session is in both, or twice in one.
  std::shared_ptr<const SessionIds> settled_ = std::make_shared<SessionIds>();
  SessionIds recent_;
  std::shared_ptr<const Versions> versions_ = std::make_shared<Versions>();
  std::map<std::int64_t, SessionIds> spared_;  // sorted; by the epoch that the global logout began
  std::int64_t epoch_ = 0;
};

}  // namespace safawinet
