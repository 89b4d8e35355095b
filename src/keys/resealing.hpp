// Everything that is sealed with the master key, and how it is sealed with another one.
#pragma once

#include <cstdint>

#include "base/task.hpp"
#include "crypto/sealing.hpp"
#include "sql/database.hpp"

namespace safawinet {

struct Resealed {
  std::int64_t values = 0;      // that were sealed anew
  std::int64_t unreadable = 0;  // that no master key opens which this node has
};

// A round may end at any moment, and be begun again: what was sealed anew stays so. Nodes may do it at once. Threading:
// any event loop. Throws Unavailable.
class Resealing {
 public:
  Resealing(sql::Database& database, const MasterKey& master_key) : database_(database), master_key_(master_key) {}

  Task<Resealed> round();
  // How many values the current master key does not open alone.
  Task<std::int64_t> count();

 private:
  sql::Database& database_;
  const MasterKey& master_key_;
};

}  // namespace safawinet
