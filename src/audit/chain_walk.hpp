// Looks at the rows of the chain one after the other, and says what is wrong with them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/audit_store.hpp"
#include "audit/chain_links.hpp"

namespace safawinet {

// Something that other hands did. `kind` is a constant:
//   entry-missing      the entry was deleted
//   entry-changed      its columns are not those that were written, or nobody of ours wrote it
//   entry-not-linked   it came into the log by a side door: it is neither in the chain nor on its way there
//   position-missing   rows of the chain were deleted, or it was numbered anew
//   link-wrong         a row of the chain was changed, moved, swapped or made up
//   erasure-forged     an erasure is on record that nobody of ours made
//   anchor-forged      where the chain begins was changed
//   chain-cut          the chain ends before a checkpoint: its end was cut off, or an older copy was put back
//   chain-rewritten    the chain has another link at a checkpoint: an older copy was put back, and went on
//   checkpoint-forged  a checkpoint that was not signed with our key, or was changed
struct AuditFinding {
  std::string_view kind;
  std::optional<std::int64_t> position{};
  std::string entry_id{};  // empty: of no entry
  std::string detail{};
};

class ChainWalk {
 public:
  // Begins behind `start`. Its link is none if it is not known: then that of the first row cannot be verified.
  ChainWalk(const AuditKeys& keys, std::int64_t start, std::optional<std::string> link)
      : keys_(keys), position_(start), link_(std::move(link)) {}

  // The next row, in order of position. After a fault it goes on with what is there, so that one fault is one finding.
  void look_at(const LinkedEntry& row);

  [[nodiscard]] std::int64_t position() const { return position_; }
  [[nodiscard]] std::int64_t rows() const { return rows_; }
  std::vector<AuditFinding>& findings() { return findings_; }

 private:
  void look_at_link(const LinkedEntry& row);
  void look_at_entry(const LinkedEntry& row);
  [[nodiscard]] std::string fault_of_erasure(const LinkedEntry& row) const;
  void report(std::string_view kind, const LinkedEntry& row, std::string detail);

  const AuditKeys& keys_;
  std::int64_t position_;
  std::optional<std::string> link_;
  std::int64_t rows_ = 0;
  std::vector<AuditFinding> findings_;
};

}  // namespace safawinet
