#include "audit/chain_walk.hpp"

#include <utility>

#include "crypto/digest.hpp"

namespace safawinet {

void ChainWalk::look_at(const LinkedEntry& row) {
  ++rows_;
  if (row.position - 1 != position_) {
    report("position-missing", row,
           "the positions between " + std::to_string(position_) + " and this one are not there");
    link_.reset();
  }
  look_at_link(row);
  look_at_entry(row);
  position_ = row.position;
  link_ = row.chain ? std::optional(row.chain->link) : std::nullopt;
}

void ChainWalk::look_at_link(const LinkedEntry& row) {
  if (!row.chain) return report("link-wrong", row, "the row of the chain cannot be read");
  if (!link_) return;
  const auto expected = link_of(keys_.chain, *link_, *row.chain);
  if (expected == row.chain->link) return;
  report("link-wrong", row, "the link does not follow from the one before it");
}

void ChainWalk::look_at_entry(const LinkedEntry& row) {
  if (!row.has_entry)
    return report("entry-missing", row, "the entry is not in the log any more, or has another number there");
  if (!row.entry) return report("entry-changed", row, "the entry cannot be read");
  const auto& entry = *row.entry;
  if (row.chain && entry.mac != row.chain->entry_mac) {
    return report("entry-changed", row, "it has another MAC than when it was linked");
  }
  if (!row.has_erasure) {
    auto fault = fault_of(keys_.entries, entry);
    if (!fault.empty()) report("entry-changed", row, std::move(fault));
    return;
  }
  auto forged = fault_of_erasure(row);
  if (!forged.empty()) return report("erasure-forged", row, std::move(forged));
  auto fault = fault_of_erased(keys_.entries, entry);
  if (!fault.empty()) report("entry-changed", row, std::move(fault));
}

std::string ChainWalk::fault_of_erasure(const LinkedEntry& row) const {
  if (!row.erasure) return "the record of its erasure cannot be read";
  if (erasure_mac(keys_.chain, *row.entry, row.erasure->erased_at) == row.erasure->mac) return {};
  return "the record of its erasure was made up, or it or the entry was changed";
}

void ChainWalk::report(std::string_view kind, const LinkedEntry& row, std::string detail) {
  findings_.push_back({.kind = kind,
                       .position = row.position,
                       .entry_id = row.chain ? row.chain->entry_id : std::string(),
                       .detail = std::move(detail)});
}

}  // namespace safawinet
