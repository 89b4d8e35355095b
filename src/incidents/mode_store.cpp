#include "incidents/mode_store.hpp"

namespace safawinet {
namespace {

using sql::Statement;

#define SAFAWINET_MODE "SELECT mode, reason, actor, since, expires_at FROM compromise_mode"
constexpr Statement kRead{SAFAWINET_MODE};
constexpr Statement kLock{SAFAWINET_MODE, SAFAWINET_MODE " FOR UPDATE"};
#undef SAFAWINET_MODE
constexpr Statement kSet{"UPDATE compromise_mode SET mode = $1, reason = $2, actor = $3, since = $4, expires_at = $5"};
constexpr Statement kExpire{
    "UPDATE compromise_mode SET mode = $4, reason = $5, actor = $6, since = $7, expires_at = NULL "
    "WHERE mode = $1 AND since = $2 AND expires_at = $3 RETURNING 1",
    "UPDATE compromise_mode SET mode = $4, reason = $5, actor = $6, since = $7, expires_at = NULL "
    "WHERE mode = $1 AND since = $2 AND expires_at = $3 AND expires_at <= clock_timestamp() RETURNING 1"};

ModeState state_of(const sql::Rows& rows) {
  if (rows.empty()) throw Unavailable("the compromise mode is not in the database: its row was deleted");
  const auto& row = rows.front();
  const auto name = row.get<std::string>(0);
  const auto mode = parse_compromise_mode(name);
  if (!mode) throw Unavailable("the database has a compromise mode that this version does not know: " + name);
  return {.mode = *mode,
          .reason = row.get<std::string>(1),
          .actor = row.get<std::string>(2),
          .since = row.get<Time>(3),
          .expires_at = row.find<Time>(4)};
}

}  // namespace

Task<ModeState> ModeStore::read(sql::Database& database) {
  const auto rows = co_await database.read(kRead);
  co_return state_of(rows);
}

Task<ModeState> ModeStore::lock(sql::Transaction& transaction) {
  const auto rows = co_await transaction.execute(kLock);
  co_return state_of(rows);
}

Task<void> ModeStore::set(sql::Transaction& transaction, const ModeState& state) {
  co_await transaction.execute(kSet, name_of(state.mode), state.reason, state.actor, state.since, state.expires_at);
}

Task<bool> ModeStore::expire(sql::Transaction& transaction, const ModeState& expired, const ModeState& normal) {
  const auto rows = co_await transaction.execute(kExpire, name_of(expired.mode), expired.since, expired.expires_at,
                                                 name_of(normal.mode), normal.reason, normal.actor, normal.since);
  co_return !rows.empty();
}

}  // namespace safawinet
