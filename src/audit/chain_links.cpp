#include "audit/chain_links.hpp"

#include "base/encoding.hpp"

namespace safawinet {
namespace {

std::string sign(const MacKey& key, std::initializer_list<std::string_view> parts) {
  return to_base64url(key.sign(as_bytes(pack(parts))));
}

}  // namespace

std::string link_of(const MacKey& chain_key, std::string_view link_before, const ChainRow& row) {
  return sign(chain_key, {"link", link_before, std::to_string(row.position), std::to_string(row.entry_seq),
                          row.entry_id, row.entry_mac, to_rfc3339(row.linked_at)});
}

std::string anchor_mac(const MacKey& chain_key, const ChainPoint& point) {
  return sign(chain_key, {"anchor", std::to_string(point.position), point.link});
}

std::string erasure_mac(const MacKey& chain_key, const AuditRow& entry, Time erased_at) {
  return sign(chain_key, {"erasure", to_rfc3339(erased_at), entry.id.text(), to_rfc3339(entry.at), entry.action,
                          entry.outcome, entry.request_id, entry.personal, entry.mac});
}

}  // namespace safawinet
