// Where a user has logged in from: what tells a device that is theirs from a stranger's.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/task.hpp"
#include "crypto/digest.hpp"
#include "sql/database.hpp"

namespace safawinet {

inline constexpr std::int64_t kKnownOriginsPerUser = 20;             // the newest
inline constexpr std::chrono::days kKnownOriginsForgottenAfter{90};  // without a login

// A client network that a user has logged in from, or proved their address from, is known for that user. Only a keyed
// hash of both is kept, so a copy of the database does not tell where anybody was, nor who was at the same place. It
// goes with the user. Threading: any event loop.
class KnownOrigins {
 public:
  KnownOrigins(sql::Database& database, const Clock& clock, MacKey key)
      : database_(database), clock_(clock), key_(std::move(key)) {}

  // Without a user: false, at the same cost.
  Task<bool> knows(std::optional<UserId> user, std::string network);
  // In the transaction of what proves that it is the user. True if the user is known elsewhere, and never was seen
  // there.
  Task<bool> remember(sql::Transaction& transaction, UserId user, std::string network);
  // Before `remember`, where somebody else may have known the password: their networks are strangers again.
  Task<void> forget(sql::Transaction& transaction, UserId user);
  Task<void> sweep();

 private:
  [[nodiscard]] std::string trait_of(UserId user, std::string_view network) const;

  sql::Database& database_;
  const Clock& clock_;
  MacKey key_;
};

}  // namespace safawinet
