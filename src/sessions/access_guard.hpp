// Says whom an access token speaks for, or that it speaks for nobody.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "access/compromise_mode.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/published.hpp"
#include "crypto/keyring.hpp"
#include "sessions/revocation_feed.hpp"
#include "sessions/session.hpp"

namespace safawinet {

inline constexpr std::size_t kVerifiedTokensLimit = 65'536;

// A signature is verified once and then remembered, by the digest of the token; expiry, revocation and the lease are
// checked every time. Nothing here waits or touches the database. Threading: any thread.
class AccessGuard {
 public:
  // `limit`: tokens remembered at the most, in each of two generations.
  AccessGuard(const Published<Keyring>& keyring, const RevocationFeed& feed, const ModeInForce& mode,
              const Clock& clock, std::string issuer, std::string audience, std::size_t limit = kVerifiedTokensLimit);

  // Errors: unauthenticated, whatever is wrong with the token; unavailable while the lease is not held.
  Result<Caller> authenticate(std::string_view token);

  // Everything that a token says which authenticate() accepts, for the introspection. Not remembered. Same errors.
  [[nodiscard]] Result<AccessClaims> inspect(std::string_view token) const;

  // How many verified tokens are remembered.
  [[nodiscard]] std::size_t remembered() const;

 private:
  struct Verified {
    TokenStanding standing;
    Role role = Role::customer;
    Time authenticated_at;
    Time issued_at;
    bool has_second_factor = false;
    Time expires_at;
  };
  struct Entry {
    Verified verified;
    std::shared_ptr<const Keyring> keyring;  // that it was verified with; another one may not know the key any more
  };
  struct DigestHash {
    std::size_t operator()(const Sha256& digest) const noexcept;
  };
  using Remembered = std::unordered_map<Sha256, Entry, DigestHash>;
  // Old entries go with the older half, when the younger is full: no list to keep in order.
  struct Shard {
    mutable std::mutex mutex;
    Remembered younger;
    Remembered older;
  };
  static constexpr std::size_t kShards = 16;

  // What a token says of its end counts as far as the compromise mode lets it: one that was issued before the mode was
  // raised is refused when one that is issued now would be.
  [[nodiscard]] Time end_of(Time issued_at, Time expires_at) const;
  Result<Verified> find_or_verify(std::string_view token, Time now);
  [[nodiscard]] Result<AccessClaims> read_claims(std::string_view token, const Keyring& keyring, Time now) const;
  Result<Verified> verify(std::string_view token, const Keyring& keyring, Time now) const;
  void remember(Shard& shard, const Sha256& digest, Entry entry) const;

  const Published<Keyring>& keyring_;
  const RevocationFeed& feed_;
  const ModeInForce& mode_;
  const Clock& clock_;
  const std::string issuer_;
  const std::string audience_;
  const std::size_t shard_limit_;
  std::array<Shard, kShards> shards_;
};

}  // namespace safawinet
