// An entry of the audit log as the table holds it, and what makes it verifiable.
//
// What is personal (who, whom, why, from where) is under a commitment of its own: SHA-256 over a random salt and these
// columns. The entry's MAC covers the commitment, not the columns: when they and the salt are erased, nobody can guess
// what was there, and the MAC still verifies. Entries from before schema version 3 have no commitment (`personal` is
// empty), and a MAC over everything.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "crypto/digest.hpp"

namespace safawinet {

using AuditEntryId = Id<struct AuditEntryTag>;

// What stands in the columns `actor` and `target` of an entry whose personal data was erased. The others are empty.
inline constexpr std::string_view kErased = "erased";

struct AuditRow {
  std::int64_t seq = 0;  // as the database numbered it; of no meaning before it is stored
  AuditEntryId id;
  Time at;
  std::string action;
  std::string outcome;  // "done", "refused"
  std::string actor;
  std::string target;
  std::string reason;
  std::string ip_address;
  std::string request_id;
  std::optional<std::string> salt;  // base64url of 16 random bytes; none once erased
  std::string personal;             // the commitment
  std::string mac;
};

// The parts, each with its length in front, so that no two different lists give the same bytes.
std::string pack(std::initializer_list<std::string_view> parts);

// base64url; `row.salt` must be there.
std::string personal_commitment(const AuditRow& row);
// base64url, of either form.
std::string entry_mac(const MacKey& key, const AuditRow& row);

// Empty if the entry is as it was written, else what is wrong with it. Does not look at `seq`.
std::string fault_of(const MacKey& key, const AuditRow& row);
// The same for an entry whose personal data was erased, which the caller has verified.
std::string fault_of_erased(const MacKey& key, const AuditRow& row);

}  // namespace safawinet
