#include "sessions/revocation_index.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace safawinet {

bool RevocationIndex::is_dead(const TokenStanding& token) const {
  if (token.epoch < epoch_ && !is_spared_since(token.epoch, token.session)) return true;
  if (has_ended(token.session)) return true;
  const auto version = versions_.find(token.user);
  return version != versions_.end() && token.token_version < version->second;
}

RevocationIndex RevocationIndex::with(const std::vector<Revocation>& revocations, std::int64_t epoch) const {
  RevocationIndex next = *this;
  next.epoch_ = std::max(next.epoch_, epoch);
  SessionIds added;
  for (const auto& revocation : revocations) {
    switch (revocation.scope) {
      case Revocation::Scope::session:
        if (revocation.session) added.push_back(*revocation.session);
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
  next.add_ended(std::move(added));
  return next;
}

bool RevocationIndex::has_ended(SessionId session) const {
  return std::ranges::binary_search(recent_, session) || std::ranges::binary_search(*settled_, session);
}

void RevocationIndex::add_ended(SessionIds added) {
  std::erase_if(added, [this](SessionId session) { return has_ended(session); });
  std::ranges::sort(added);
  const auto repeated = std::ranges::unique(added);
  added.erase(repeated.begin(), repeated.end());
  SessionIds merged;
  merged.reserve(recent_.size() + added.size());
  std::ranges::merge(recent_, added, std::back_inserter(merged));
  if (merged.size() <= kRecentLimit) {
    recent_ = std::move(merged);
    return;
  }
  auto settled = std::make_shared<SessionIds>();
  settled->reserve(settled_->size() + merged.size());
  std::ranges::merge(*settled_, merged, std::back_inserter(*settled));
  settled_ = std::move(settled);
  recent_.clear();
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
