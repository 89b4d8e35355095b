// The compromise mode in the database: one row.
#pragma once

#include <optional>

#include "access/compromise_mode.hpp"
#include "base/clock.hpp"
#include "base/task.hpp"
#include "sql/database.hpp"

namespace safawinet {

class ModeStore {
 public:
  Task<ModeState> read(sql::Database& database);
  // Whoever sets the mode at the same time waits until the transaction ends.
  Task<ModeState> lock(sql::Transaction& transaction);
  Task<void> set(sql::Transaction& transaction, const ModeState& state);
  // Makes it normal, if it still is `expired` and its end has come: on PostgreSQL by the clock of the database,
  // whatever that of this machine says. False if not.
  Task<bool> expire(sql::Transaction& transaction, const ModeState& expired, const ModeState& normal);
};

}  // namespace safawinet
