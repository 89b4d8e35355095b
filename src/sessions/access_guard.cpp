#include "sessions/access_guard.hpp"

#include <cstring>
#include <optional>
#include <utility>

namespace safawinet {
namespace {

// One answer for everything that can be wrong with a token; the reason goes to the log.
std::unexpected<Error> not_authenticated(std::string_view reason) {
  return refuse(Error{.code = ErrorCode::unauthenticated, .cause = {std::string(reason)}});
}

}  // namespace

AccessGuard::AccessGuard(const Published<Keyring>& keyring, const RevocationFeed& feed, const Clock& clock,
                         std::string issuer, std::string audience)
    : keyring_(keyring), feed_(feed), clock_(clock), issuer_(std::move(issuer)), audience_(std::move(audience)) {}

Result<Caller> AccessGuard::authenticate(std::string_view token) {
  // The lease is read before the index that it vouches for. A thread that was stopped in between finds it run out
  // below.
  const auto lease_held_until = feed_.lease_held_until();
  const auto now = clock_.now();
  const auto verified = find_or_verify(token, now);
  if (!verified) return std::unexpected(verified.error());
  if (now >= verified->expires_at) return not_authenticated("expired");
  const auto index = feed_.index();
  if (index->is_dead(verified->standing)) return not_authenticated("revoked");
  if (clock_.monotonic() >= lease_held_until) {
    return refuse(Error{.code = ErrorCode::unavailable, .cause = {"the revocation lease has run out"}});
  }
  return Caller{.user = verified->standing.user,
                .session = verified->standing.session,
                .role = verified->role,
                .authenticated_at = verified->authenticated_at};
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
        const auto verified = found->second.verified;
        if (half == &shard.older) shard.younger.emplace(digest, found->second);
        return verified;
      }
    }
  }
  auto verified = verify(token, *keyring, now);
  if (!verified) return verified;
  const std::lock_guard lock(shard.mutex);
  if (shard.younger.size() >= kVerifiedTokensLimit / kShards) {
    shard.older = std::exchange(shard.younger, {});
  }
  shard.younger.insert_or_assign(digest, Entry{*verified, keyring});
  return verified;
}

Result<AccessGuard::Verified> AccessGuard::verify(std::string_view token, const Keyring& keyring, Time now) const {
  const AccessExpectations expected{.issuer = issuer_, .audience = audience_, .now = now};
  const auto claims = keyring.verify_access_token(token, expected);
  if (!claims) return not_authenticated(claims.error().reason);
  const auto role = parse_role(claims->role);
  if (!role) return not_authenticated("unknown role");
  return Verified{.standing = {.session = claims->session,
                               .user = claims->subject,
                               .token_version = claims->token_version,
                               .epoch = claims->epoch},
                  .role = *role,
                  .authenticated_at = claims->authenticated_at,
                  .expires_at = claims->expires_at};
}

}  // namespace safawinet
