#include "sessions/access_guard.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

namespace safawinet {
namespace {

// One answer for everything that can be wrong with a token; the reason goes to the log.
std::unexpected<Error> not_authenticated(std::string_view reason) {
  return refuse(Error{.code = ErrorCode::unauthenticated, .cause = {std::string(reason)}});
}

std::unexpected<Error> lease_has_run_out() {
  return refuse(Error{.code = ErrorCode::unavailable, .cause = {"the revocation lease has run out"}});
}

TokenStanding standing_of(const AccessClaims& claims) {
  return {
      .session = claims.session, .user = claims.subject, .token_version = claims.token_version, .epoch = claims.epoch};
}

}  // namespace

AccessGuard::AccessGuard(const Published<Keyring>& keyring, const RevocationFeed& feed, const ModeInForce& mode,
                         const Clock& clock, std::string issuer, std::string audience, std::size_t limit)
    : keyring_(keyring),
      feed_(feed),
      mode_(mode),
      clock_(clock),
      issuer_(std::move(issuer)),
      audience_(std::move(audience)),
      shard_limit_(std::max<std::size_t>(1, limit / kShards)) {}

Result<Caller> AccessGuard::authenticate(std::string_view token) {
  // The lease is read before the index that it vouches for. A thread that was stopped in between finds it run out
  // below.
  const auto lease_held_until = feed_.lease_held_until();
  const auto now = clock_.now();
  const auto verified = find_or_verify(token, now);
  if (!verified) return std::unexpected(verified.error());
  if (now >= end_of(verified->issued_at, verified->expires_at)) return not_authenticated("expired");
  const auto index = feed_.index();
  if (index->is_dead(verified->standing)) return not_authenticated("revoked");
  if (clock_.monotonic() >= lease_held_until) return lease_has_run_out();
  return Caller{.user = verified->standing.user,
                .session = verified->standing.session,
                .role = verified->role,
                .authenticated_at = verified->authenticated_at,
                .has_second_factor = verified->has_second_factor};
}

Result<AccessClaims> AccessGuard::inspect(std::string_view token) const {
  const auto lease_held_until = feed_.lease_held_until();
  const auto now = clock_.now();
  auto claims = read_claims(token, *keyring_.get(), now);
  if (!claims) return claims;
  claims->expires_at = std::chrono::floor<std::chrono::seconds>(end_of(claims->issued_at, claims->expires_at));
  if (now >= claims->expires_at) return not_authenticated("expired");
  if (feed_.index()->is_dead(standing_of(*claims))) return not_authenticated("revoked");
  if (clock_.monotonic() >= lease_held_until) return lease_has_run_out();
  return claims;
}

Time AccessGuard::end_of(Time issued_at, Time expires_at) const {
  const auto at_most = mode_.effects().access_lifetime_at_most;
  return at_most ? std::min<Time>(expires_at, issued_at + *at_most) : expires_at;
}

std::size_t AccessGuard::remembered() const {
  std::size_t count = 0;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    count += shard.younger.size() + shard.older.size();
  }
  return count;
}

std::size_t AccessGuard::DigestHash::operator()(const Sha256& digest) const noexcept {
  std::size_t hash = 0;
  std::memcpy(&hash, digest.data(), sizeof hash);
  return hash;
}

Result<AccessGuard::Verified> AccessGuard::find_or_verify(std::string_view token, Time now) {
  const auto keyring = keyring_.get();
  const auto digest = sha256(as_bytes(token));
  auto& shard = shards_[digest.back() % kShards];
  {
    const std::lock_guard lock(shard.mutex);
    for (const auto* half : {&shard.younger, &shard.older}) {
      const auto found = half->find(digest);
      if (found != half->end() && found->second.keyring == keyring) {
        const auto entry = found->second;
        if (half == &shard.older) remember(shard, digest, entry);
        return entry.verified;
      }
    }
  }
  auto verified = verify(token, *keyring, now);
  if (!verified) return verified;
  const std::lock_guard lock(shard.mutex);
  remember(shard, digest, Entry{*verified, keyring});
  return verified;
}

// What is used again moves to the younger half, and counts there as what is new does.
void AccessGuard::remember(Shard& shard, const Sha256& digest, Entry entry) const {
  if (shard.younger.size() >= shard_limit_) shard.older = std::exchange(shard.younger, {});
  shard.younger.insert_or_assign(digest, std::move(entry));
}

Result<AccessClaims> AccessGuard::read_claims(std::string_view token, const Keyring& keyring, Time now) const {
  const AccessExpectations expected{.issuer = issuer_, .audience = audience_, .now = now};
  auto claims = keyring.verify_access_token(token, expected);
  if (!claims) return not_authenticated(claims.error().reason);
  if (!parse_role(claims->role)) return not_authenticated("unknown role");
  return std::move(*claims);
}

Result<AccessGuard::Verified> AccessGuard::verify(std::string_view token, const Keyring& keyring, Time now) const {
  const auto claims = read_claims(token, keyring, now);
  if (!claims) return std::unexpected(claims.error());
  return Verified{.standing = standing_of(*claims),
                  .role = parse_role(claims->role).value(),
                  .authenticated_at = claims->authenticated_at,
                  .issued_at = claims->issued_at,
                  .has_second_factor = std::ranges::find(claims->methods, "mfa") != claims->methods.end(),
                  .expires_at = claims->expires_at};
}

}  // namespace safawinet
