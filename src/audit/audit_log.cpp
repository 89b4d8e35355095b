#include "audit/audit_log.hpp"

#include <exception>
#include <utility>

#include "audit/audit_entry.hpp"

namespace safawinet {
namespace {

constexpr sql::Statement kInsert{
    "INSERT INTO audit_log (id, at, action, outcome, actor, target, reason, ip_address, request_id, salt, personal, "
    "mac) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"};

AuditRow make_row(const AuditEntry& entry, const Clock& clock, Random& random, const MacKey& key) {
  const auto now = clock.now();
  AuditRow row{.id = AuditEntryId{Uuid::version7(now, random)},
               .at = now,
               .action = std::string(entry.action),
               .outcome = entry.outcome == AuditOutcome::done ? "done" : "refused",
               .actor = entry.actor.text,
               .target = entry.target,
               .reason = entry.reason,
               .ip_address = entry.origin.ip_address,
               .request_id = entry.origin.request_id,
               .salt = random_text<16>(random),
               .personal = {},
               .mac = {}};
  row.personal = personal_commitment(row);
  row.mac = entry_mac(key, row);
  return row;
}

// Whatever keeps the log from being written (a right that was taken away, a trigger of somebody's): what is not on
// record does not happen, and may be tried again later. What the database may repeat stays what it is.
[[noreturn]] void throw_as_unavailable(const std::exception& failure) {
  throw Unavailable(std::string("the audit log cannot be written: ") + failure.what());
}

}  // namespace

Task<void> AuditLog::record(sql::Transaction& transaction, AuditEntry entry) {
  const auto r = make_row(entry, clock_, random_, key_);
  try {
    co_await transaction.execute(kInsert, r.id, r.at, r.action, r.outcome, r.actor, r.target, r.reason, r.ip_address,
                                 r.request_id, r.salt, r.personal, r.mac);
  } catch (const Unavailable&) {
    throw;
  } catch (const std::exception& failure) {
    throw_as_unavailable(failure);
  }
}

Task<void> AuditLog::record(sql::Database& database, AuditEntry entry) {
  const auto r = make_row(entry, clock_, random_, key_);
  try {
    co_await database.write(kInsert, r.id, r.at, r.action, r.outcome, r.actor, r.target, r.reason, r.ip_address,
                            r.request_id, r.salt, r.personal, r.mac);
  } catch (const Unavailable&) {
    throw;
  } catch (const std::exception& failure) {
    throw_as_unavailable(failure);
  }
}

Task<void> AuditLog::try_to_record(sql::Database& database, AuditEntry entry) {
  try {
    co_await record(database, std::move(entry));
  } catch (const Unavailable&) {
    leave_unrecorded();
  }
}

}  // namespace safawinet
