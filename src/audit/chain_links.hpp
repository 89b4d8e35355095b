// What the chain is made of: keyed links, and the keyed records of where it begins and of what was erased.
#pragma once

#include <string>

#include "audit/audit_entry.hpp"
#include "audit/audit_store.hpp"
#include "crypto/digest.hpp"

namespace safawinet {

struct AuditKeys {
  MacKey entries;
  MacKey chain;
};

// Each in base64url: HMAC-SHA256, over what it is for and all that it covers.
std::string link_of(const MacKey& chain_key, std::string_view link_before, const ChainRow& row);
std::string anchor_mac(const MacKey& chain_key, const ChainPoint& point);
// Also of what is left of the entry: one without a commitment has no other MAC that can still be verified.
std::string erasure_mac(const MacKey& chain_key, const AuditRow& entry, Time erased_at);

}  // namespace safawinet
