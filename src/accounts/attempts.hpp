// Wrong guesses are counted exactly: however many are tried at once, on however many nodes, across restarts, and
// however the account is spelt.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "accounts/guessing_limits.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/task.hpp"
#include "cache/rate_limiter.hpp"
#include "crypto/digest.hpp"
#include "sql/database.hpp"

namespace safawinet {

// One try. Without a network only the count of the account is kept.
struct Guess {
  Guessable secret = Guessable::password;
  std::string account;  // one spelling for each account, known or not; of a secret that names none: a hash of what was
                        // presented
  std::string network{};                       // of the client: "192.0.2.0/24"
  bool is_from_known_device = false;           // this account was logged in to from there before, or is signed in
  bool is_exempt_from_networks_count = false;  // limits.exempt_networks
};

// A guess asks twice: before the secret is looked at, so that what has no chance costs nothing, and after it, when the
// verdict is known and not yet told. Those second questions about one account are answered one after the other, and the
// counts are in the database, under keyed hashes, whether there is such an account or not. Three counts are kept
// (kGuessingLimits):
//
//   the account's             wrong ones that were told, from anywhere. When it is full, no stranger is told anything.
//   the account's, a network  wrong ones from this network, and what was not told to it. When it is full, that network
//                             is refused before anything is computed.
//   the network's             different accounts with a wrong one. When it is full, it is told nothing as a stranger.
//
// A right one from a known device passes as long as its own network has room for this account: outsiders, however many
// they are, lock nobody out of it. A wrong one is told by the same rule to everybody, and what is computed is the same:
// so nothing shows whether there is such an account, or whether the device is known.
//
// So a thousand wrong passwords at once get ten verdicts, and a right one is believed only if fewer than ten wrong ones
// came before it. Threading: any event loop. Errors: too_many_requests, with retry_after; Unavailable: then no verdict
// is told.
class Attempts {
 public:
  enum class Verdict { right, wrong };

  // `is_under_attack`: whether the lower limits hold now. Empty: never.
  Attempts(sql::Database& database, const Clock& clock, MacKey key, std::function<bool()> is_under_attack = {})
      : database_(database), clock_(clock), key_(std::move(key)), is_under_attack_(std::move(is_under_attack)) {}

  Task<Status> may_try(Guess guess);
  // Whether the verdict may be told. Takes the same time for both until it is certain that it may.
  Task<Status> may_tell(Guess guess, Verdict verdict);

  // For a secret that names no account, and is unknown: whether that may be told. Where the count is full this is a
  // question to the database and no more, so that nobody keeps it writing.
  Task<Status> may_tell_unknown(Guess guess);

  // What counts against an account now: the fullest of its counts. `locked_until`: none while it may be tried from
  // everywhere. A count that cannot be read lets nobody in until it is forgotten, and is given as a full one.
  struct Failed {
    std::int64_t count = 0;
    std::optional<Time> locked_until{};
  };
  Task<Failed> get(Guessable secret, std::string account);

  // Forgets the wrong ones of an account, in a transaction of another feature. False: there were none.
  Task<bool> forget(sql::Transaction& transaction, Guessable secret, std::string account);

  // Forgets what counts no more. Not to be called with a clock that has just jumped (clock_watch.hpp).
  Task<void> sweep();

 private:
  struct Subjects {
    std::string account;
    std::string of_network;  // the account's count for the network; empty: not kept
    std::string network;     // empty: not kept
  };
  [[nodiscard]] Subjects subjects_of(const Guess& guess) const;
  [[nodiscard]] std::string hash(std::string_view kind, std::string_view first, std::string_view second = {}) const;
  [[nodiscard]] bool is_strict(const Guess& guess) const;

  sql::Database& database_;
  const Clock& clock_;
  MacKey key_;
  std::function<bool()> is_under_attack_;
};

}  // namespace safawinet
