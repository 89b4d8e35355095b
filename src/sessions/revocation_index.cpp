#include "sessions/revocation_index.hpp"

#include <algorithm>

namespace safawinet {

bool RevocationIndex::is_dead(const TokenStanding& token) const {
  if (token.epoch < epoch_ && !is_spared_since(token.epoch, token.session)) return true;
  if (std::ranges::binary_search(ended_, token.session)) return true;
  const auto version = versions_.find(token.user);
  return version != versions_.end() && token.token_version < version->second;
}

RevocationIndex RevocationIndex::with(const std::vector<Revocation>& revocations, std::int64_t epoch) const {
  RevocationIndex next = *this;
  next.epoch_ = std::max(next.epoch_, epoch);
  const auto sorted = static_cast<std::ptrdiff_t>(next.ended_.size());
  for (const auto& revocation : revocations) {
    switch (revocation.scope) {
      case Revocation::Scope::session:
        if (revocation.session) next.ended_.push_back(*revocation.session);
        break;
      case Revocation::Scope::user:
        if (revocation.user) {
          auto& version = next.versions_[*revocation.user];
          version = std::max(version, revocation.token_version);
        }
        break;
      case Revocation::Scope::global:
        next.epoch_ = std::max(next.epoch_, revocation.epoch);
        next.spared_[revocation.epoch] = revocation.session;
        break;
    }
  }
  const auto middle = next.ended_.begin() + sorted;
  std::sort(middle, next.ended_.end());
  std::vector<SessionId> merged;
  merged.reserve(next.ended_.size());
  std::merge(next.ended_.begin(), middle, middle, next.ended_.end(), std::back_inserter(merged));
  const auto repeated = std::ranges::unique(merged);
  merged.erase(repeated.begin(), repeated.end());
  next.ended_ = std::move(merged);
  return next;
}

// A global logout that is no longer on record spared nobody whose token could still be alive.
bool RevocationIndex::is_spared_since(std::int64_t epoch, SessionId session) const {
  for (auto raised = epoch + 1; raised <= epoch_; ++raised) {
    const auto spared = spared_.find(raised);
    if (spared == spared_.end() || spared->second != session) return false;
  }
  return true;
}

}  // namespace safawinet
