// Whether logins are under attack: lower limits and stricter admission for unknown devices.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "access/operator.hpp"
#include "accounts/login_gauge.hpp"
#include "audit/audit_log.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/task.hpp"
#include "runtime/hash_pool.hpp"
#include "sql/database.hpp"

namespace safawinet {

enum class AttackMode { automatic, on, off };  // "auto", "on", "off"

std::string_view name_of(AttackMode mode);
std::optional<AttackMode> parse_attack_mode(std::string_view name);

// By itself, a node takes it for an attack when in one minute so many logins were refused, from so many networks, and
// so many times more than succeeded. One network alone is met by its own limit (kGuessingLimits), and is no botnet.
inline constexpr std::size_t kAttackRefusals = 120;
inline constexpr std::size_t kAttackNetworks = 20;
inline constexpr std::size_t kAttackRefusalsPerSuccess = 3;
// It goes on while half of that is seen, and is over when no node has seen so much for this long.
inline constexpr std::chrono::minutes kAttackCalm{5};

// What an operator orders, in place of limits.under_attack.
struct AttackOrder {
  AttackMode mode = AttackMode::automatic;
  std::string reason;
  std::optional<std::chrono::seconds> lifetime;  // none: until the next order
  Operator acting;
  Origin origin;
};

struct AttackState {
  bool is_on = false;
  AttackMode mode = AttackMode::automatic;     // that holds now
  AttackMode setting = AttackMode::automatic;  // limits.under_attack: holds where nothing is ordered
  // The order that holds; none: the setting does.
  std::string reason{};
  std::string ordered_by{};
  std::optional<Time> ordered_at{};
  std::optional<Time> expires_at{};
  // Since when an attack goes on that a node has noticed.
  std::optional<Time> noticed_at{};
};

// The state is a row of the database, which every node reads twice a second; so it outlives restarts, and all nodes are
// in it together. Threading: is_on() on any thread, look() one call at a time, the others on any event loop. Errors:
// Unavailable.
class UnderAttack {
 public:
  struct Parts {
    sql::Database& database;
    AuditLog& audit;
    HashPool& hash_pool;  // keeps room for known devices meanwhile
    const Clock& clock;
    AttackMode setting;
  };
  explicit UnderAttack(Parts parts) : parts_(parts), gauge_(parts.clock) {}

  [[nodiscard]] bool is_on() const { return is_on_; }
  [[nodiscard]] LoginGauge& gauge() { return gauge_; }

  Task<AttackState> get();
  // In force on this node when it returns. Errors: step_up_required (unless it is `on`), forbidden
  // (the operator may no longer do it).
  Task<Result<AttackState>> order(AttackOrder order);
  // Reads the row, puts it in force here, and notices attacks that begin, go on and are over. To be called twice a
  // second. Beginnings and ends are on record.
  Task<AttackState> look();

 private:
  struct Row;
  Task<Row> read();
  [[nodiscard]] AttackState judge(const Row& row, Time now) const;
  void put_in_force(const AttackState& state);
  Task<void> record_noticed(LoginGauge::Minute minute);
  Task<void> record_passed();

  Parts parts_;
  LoginGauge gauge_;
  std::atomic<bool> is_on_{false};
};

}  // namespace safawinet
