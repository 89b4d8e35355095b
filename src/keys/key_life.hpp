// What becomes of keys: when one follows another, how long a former one goes on verifying.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "keys/key.hpp"

namespace safawinet {

// Of the keys of one purpose.
struct KeyRules {
  std::string algorithm;  // that the active key is to have
  // A next key is known for so long before it is used: as long as anybody may remember an older list of the keys.
  std::chrono::seconds known_before{};
  // A former key verifies for so long: as long as what it has made is good.
  std::chrono::seconds verifies_after{};
  std::chrono::seconds rotated_every{};  // 0: when somebody asks for it, and not otherwise
};

// All keys of one purpose, as they are and as they are to be. There is always one active and one next key once
// complete() or go_on() has been called. A plain value: it knows no database; the clock is the `now` that it is given.
//
// Stamps that are in the future come from a clock that has jumped and returned: they are brought back to now, so that
// nothing waits for years. What such a clock has retired verifies again.
class KeyLife {
 public:
  // Makes a key of this algorithm. `since` and `created_at` are set by the caller.
  using Maker = std::function<KeyEntry(const std::string& algorithm)>;

  KeyLife(std::vector<KeyEntry> keys, KeyRules rules, Time now, Maker make);

  // Everything that this key made is refused from here on. False when there is none such.
  bool distrust(std::string_view id);

  // The next key follows the active one: at once when it has been known for long enough (none), else at this time.
  std::optional<Time> rotate();

  // For a setting that has changed: a next key of the wanted algorithm, which follows as soon as it may.
  void demand_algorithm();

  // What is missing is made; where none is active, the next key follows.
  void complete();

  // What time brings: a next key that is due becomes active, a former one retires (those that `may_retire` allows), and
  // what is missing is made (complete()).
  void go_on(const std::function<bool(const KeyEntry&)>& may_retire);

  // Null when there is none.
  [[nodiscard]] const KeyEntry* find(std::string_view id) const;
  [[nodiscard]] const KeyEntry* find(KeyState state) const;

  // Those that were there and have changed, in an order in which they can be written one after another without there
  // being two active ones.
  [[nodiscard]] std::vector<KeyEntry> changed() const;
  // Those that were not there.
  [[nodiscard]] std::vector<KeyEntry> made() const;

 private:
  KeyEntry* find_in(KeyState state);
  void add(KeyState state, const std::string& algorithm);
  void become(KeyEntry& key, KeyState state, std::optional<Time> until = {}) const;
  [[nodiscard]] Time usable_from(const KeyEntry& next) const { return next.since + rules_.known_before; }
  void bring_back_stamps();
  void promote();

  std::vector<KeyEntry> before_;
  std::vector<KeyEntry> keys_;
  KeyRules rules_;
  Time now_;
  Maker make_;
};

}  // namespace safawinet
