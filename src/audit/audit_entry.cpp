#include "audit/audit_entry.hpp"

#include "base/encoding.hpp"

namespace safawinet {
namespace {

bool is_equal(std::string_view left, std::string_view right) {
  return constant_time_equal(as_bytes(left), as_bytes(right));
}

bool has_commitment(const AuditRow& row) { return !row.personal.empty(); }

}  // namespace

std::string pack(std::initializer_list<std::string_view> parts) {
  std::size_t size = 0;
  for (const auto part : parts) size += part.size() + 8;
  std::string message;
  message.reserve(size);
  for (const auto part : parts) message.append(std::to_string(part.size())).append(1, ':').append(part);
  return message;
}

std::string personal_commitment(const AuditRow& row) {
  const auto message = pack({row.salt.value(), row.actor, row.target, row.reason, row.ip_address});
  return to_base64url(sha256(as_bytes(message)));
}

std::string entry_mac(const MacKey& key, const AuditRow& row) {
  const auto id = row.id.text();
  const auto at = to_rfc3339(row.at);
  const auto message =
      has_commitment(row)
          ? pack({"2", id, at, row.action, row.outcome, row.personal, row.request_id})
          : pack({id, at, row.action, row.outcome, row.actor, row.target, row.reason, row.ip_address, row.request_id});
  return to_base64url(key.sign(as_bytes(message)));
}

std::string fault_of(const MacKey& key, const AuditRow& row) {
  if (!is_equal(entry_mac(key, row), row.mac)) return "its MAC is not that of its columns: changed, or made up";
  if (!has_commitment(row)) return row.salt ? "it has a salt, and nothing that the salt is for" : "";
  if (!row.salt) return "its personal data is gone, and no erasure is on record";
  if (!is_equal(personal_commitment(row), row.personal)) {
    return "actor, target, reason or address are not those that were written";
  }
  return {};
}

std::string fault_of_erased(const MacKey& key, const AuditRow& row) {
  // Without a commitment the MAC went with the columns; the record of the erasure covers what is left.
  if (has_commitment(row) && !is_equal(entry_mac(key, row), row.mac)) {
    return "its MAC is not that of its columns: changed, or made up";
  }
  const bool is_blank =
      row.actor == kErased && row.target == kErased && row.reason.empty() && row.ip_address.empty() && !row.salt;
  return is_blank ? std::string() : "its erasure is on record, and its personal data is there";
}

}  // namespace safawinet
