#include "keys/key_life.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace safawinet {
namespace {

// In this order no two keys are active, or next, at any time.
constexpr std::array kOrderOfWriting{KeyState::compromised, KeyState::retired, KeyState::verifying, KeyState::active,
                                     KeyState::next};

}  // namespace

KeyLife::KeyLife(std::vector<KeyEntry> keys, KeyRules rules, Time now, Maker make)
    : before_(std::move(keys)), keys_(before_), rules_(std::move(rules)), now_(now), make_(std::move(make)) {
  bring_back_stamps();
}

void KeyLife::bring_back_stamps() {
  for (auto& key : keys_) {
    const bool is_of_the_future = key.since > now_;
    key.since = std::min(key.since, now_);
    if (key.state == KeyState::next && key.until) key.until = std::min(*key.until, now_ + rules_.known_before);
    if (key.state != KeyState::verifying) continue;
    // Without an end: written by an older version, or by hand. An end that was right when it was written stays, however
    // the rules have changed since: what the key has made is good for as long as was said then.
    if (!key.until || is_of_the_future) {
      key.until = std::min(key.until.value_or(Time::max()), now_ + rules_.verifies_after);
    }
  }
}

bool KeyLife::distrust(std::string_view id) {
  const auto found = std::ranges::find(keys_, id, &KeyEntry::id);
  if (found == keys_.end()) return false;
  if (found->state != KeyState::compromised) become(*found, KeyState::compromised);
  return true;
}

std::optional<Time> KeyLife::rotate() {
  auto* const next = find_in(KeyState::next);
  if (next == nullptr) {
    add(KeyState::next, rules_.algorithm);
    return rotate();
  }
  if (usable_from(*next) > now_) {
    next->until = usable_from(*next);
    return next->until;
  }
  promote();
  return std::nullopt;
}

void KeyLife::demand_algorithm() {
  const auto* const active = find_in(KeyState::active);
  if (active == nullptr) return;  // the one that is made has it
  auto* next = find_in(KeyState::next);
  if (next != nullptr && next->algorithm != rules_.algorithm) {
    become(*next, KeyState::retired);
    next = nullptr;
  }
  if (active->algorithm == rules_.algorithm) return;
  if (next == nullptr) {
    add(KeyState::next, rules_.algorithm);
    next = find_in(KeyState::next);
  }
  next->until = std::max(usable_from(*next), now_);
}

void KeyLife::go_on(const std::function<bool(const KeyEntry&)>& may_retire) {
  for (auto& key : keys_) {
    const bool has_done_its_work = key.until && *key.until <= now_;
    if (key.state == KeyState::verifying && has_done_its_work && may_retire(key)) {
      become(key, KeyState::retired, key.until);
    } else if (key.state == KeyState::retired && key.until && !has_done_its_work) {
      become(key, KeyState::verifying, std::min(*key.until, now_ + rules_.verifies_after));
    }
  }
  complete();
  const auto* const active = find_in(KeyState::active);
  const auto* const next = find_in(KeyState::next);
  const bool is_old = rules_.rotated_every.count() > 0 && active->since + rules_.rotated_every <= now_;
  const bool is_due = (next->until && *next->until <= now_) || is_old;
  if (!is_due || usable_from(*next) > now_) return;
  promote();
  complete();
}

void KeyLife::complete() {
  if (find_in(KeyState::active) == nullptr && find_in(KeyState::next) != nullptr) promote();
  if (find_in(KeyState::active) == nullptr) add(KeyState::active, rules_.algorithm);
  if (find_in(KeyState::next) == nullptr) add(KeyState::next, find(KeyState::active)->algorithm);
}

const KeyEntry* KeyLife::find(std::string_view id) const {
  const auto found = std::ranges::find(keys_, id, &KeyEntry::id);
  return found == keys_.end() ? nullptr : &*found;
}

const KeyEntry* KeyLife::find(KeyState state) const {
  const auto found = std::ranges::find(keys_, state, &KeyEntry::state);
  return found == keys_.end() ? nullptr : &*found;
}

KeyEntry* KeyLife::find_in(KeyState state) {
  const auto found = std::ranges::find(keys_, state, &KeyEntry::state);
  return found == keys_.end() ? nullptr : &*found;
}

std::vector<KeyEntry> KeyLife::changed() const {
  std::vector<KeyEntry> changed;
  for (const auto state : kOrderOfWriting) {
    for (std::size_t i = 0; i < before_.size(); ++i) {
      if (keys_[i].state == state && keys_[i] != before_[i]) changed.push_back(keys_[i]);
    }
  }
  return changed;
}

std::vector<KeyEntry> KeyLife::made() const {
  return {keys_.begin() + static_cast<std::ptrdiff_t>(before_.size()), keys_.end()};
}

void KeyLife::add(KeyState state, const std::string& algorithm) {
  auto key = make_(algorithm);
  key.state = state;
  key.created_at = key.since = now_;
  keys_.push_back(std::move(key));
}

void KeyLife::become(KeyEntry& key, KeyState state, std::optional<Time> until) const {
  key.state = state;
  key.since = now_;
  key.until = until;
}

void KeyLife::promote() {
  if (auto* const active = find_in(KeyState::active)) {
    become(*active, KeyState::verifying, now_ + rules_.verifies_after);
  }
  become(*find_in(KeyState::next), KeyState::active);
}

}  // namespace safawinet
