#include "audit/audit_log.hpp"

#include <array>
#include <utility>

#include "base/encoding.hpp"

namespace safawinet {
namespace {

constexpr sql::Statement kInsert{
    "INSERT INTO audit_log (id, at, action, outcome, actor, target, reason, ip_address, request_id, mac) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"};

struct Columns {
  Uuid id;
  Time at;
  std::string action, outcome, actor, target, reason, ip_address, request_id, mac;
};

Columns make_columns(const AuditEntry& entry, const Clock& clock, Random& random, const MacKey& key) {
  const auto now = clock.now();
  Columns columns{.id = Uuid::version7(now, random),
                  .at = now,
                  .action = std::string(entry.action),
                  .outcome = entry.outcome == AuditOutcome::done ? "done" : "refused",
                  .actor = entry.actor.text,
                  .target = entry.target,
                  .reason = entry.reason,
                  .ip_address = entry.origin.ip_address,
                  .request_id = entry.origin.request_id,
                  .mac = {}};
  // Each part with its length in front, so that no two different rows give the same bytes.
  std::string message;
  for (const auto& part : {columns.id.text(), to_rfc3339(columns.at), columns.action, columns.outcome, columns.actor,
                           columns.target, columns.reason, columns.ip_address, columns.request_id}) {
    message += std::to_string(part.size()) + ':' + part;
  }
  columns.mac = to_base64url(key.sign(as_bytes(message)));
  return columns;
}

}  // namespace

Task<void> AuditLog::record(sql::Transaction& transaction, AuditEntry entry) {
  const auto c = make_columns(entry, clock_, random_, key_);
  co_await transaction.execute(kInsert, c.id, c.at, c.action, c.outcome, c.actor, c.target, c.reason, c.ip_address,
                               c.request_id, c.mac);
}

Task<void> AuditLog::record(sql::Database& database, AuditEntry entry) {
  const auto c = make_columns(entry, clock_, random_, key_);
  co_await database.write(kInsert, c.id, c.at, c.action, c.outcome, c.actor, c.target, c.reason, c.ip_address,
                          c.request_id, c.mac);
}

}  // namespace safawinet
