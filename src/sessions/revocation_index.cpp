#include "sessions/revocation_index.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace safawinet {
namespace {

void raise(std::int64_t& version, std::int64_t at_least) { version = std::max(version, at_least); }

}  // namespace

bool RevocationIndex::is_dead(const TokenStanding& token) const {
  if (token.epoch < epoch_ && !is_spared_since(token.epoch, token.session)) return true;
  if (has_ended(token.session)) return true;
  const auto version = versions_->find(token.user);
  return version != versions_->end() && token.token_version < version->second;
}

RevocationIndex RevocationIndex::with(const std::vector<Revocation>& revocations, std::int64_t epoch) const {
  RevocationIndex next = *this;
  next.epoch_ = std::max(next.epoch_, epoch);
  SessionIds ended;
  std::shared_ptr<Versions> versions;  // copied only if there is something to change
  for (const auto& revocation : revocations) {
    switch (revocation.scope) {
      case Revocation::Scope::session:
        ended.insert(ended.end(), revocation.sessions.begin(), revocation.sessions.end());
        break;
      case Revocation::Scope::user:
        if (revocation.user) {
          if (!versions) versions = std::make_shared<Versions>(*versions_);
          raise((*versions)[*revocation.user], revocation.token_version);
        }
        break;
      case Revocation::Scope::global:
        next.epoch_ = std::max(next.epoch_, revocation.epoch);
        next.spared_[revocation.epoch] = revocation.sessions;
        std::ranges::sort(next.spared_[revocation.epoch]);
        break;
    }
  }
  if (versions) next.versions_ = std::move(versions);
  next.add_ended(std::move(ended));
  return next;
}

RevocationIndex RevocationIndex::with(const RevocationIndex& other) const {
  RevocationIndex next = *this;
  next.epoch_ = std::max(next.epoch_, other.epoch_);
  next.spared_.insert(other.spared_.begin(), other.spared_.end());
  if (!other.versions_->empty()) {
    auto versions = std::make_shared<Versions>(*versions_);
    for (const auto& [user, version] : *other.versions_) raise((*versions)[user], version);
    next.versions_ = std::move(versions);
  }
  next.add_ended(*other.settled_);
  next.add_ended(other.recent_);
  return next;
}

bool RevocationIndex::has_ended(SessionId session) const {
  return std::ranges::binary_search(recent_, session) || std::ranges::binary_search(*settled_, session);
}

void RevocationIndex::add_ended(SessionIds added) {
  std::erase_if(added, [this](SessionId session) { return has_ended(session); });
  if (!std::ranges::is_sorted(added)) std::ranges::sort(added);
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
    if (spared == spared_.end() || !std::ranges::binary_search(spared->second, session)) return false;
  }
  return true;
}

}  // namespace safawinet
