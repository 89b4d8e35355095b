// When checkpoints are made, and where they are kept.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "audit/audit_chain.hpp"
#include "audit/checkpoint.hpp"
#include "base/clock.hpp"
#include "base/task.hpp"

namespace safawinet {

struct CheckpointMade {
  std::optional<AuditCheckpoint> checkpoint;  // none: the chain has not moved
  std::string damage;                         // not empty: the chain has lost the checkpoint before this one
  std::string file_failure;                   // not empty: it is not in the file
};

// Threading: every call on the slow loop, since files are read and written.
class AuditCheckpoints {
 public:
  struct Parts {
    AuditChain& chain;
    const CheckpointKey& key;
    const Clock& clock;
    EventLoop& slow_loop;
    std::filesystem::path file;
  };
  explicit AuditCheckpoints(Parts parts) : file_(parts.file), parts_(std::move(parts)) {}

  // Signs the end of the chain, if it has moved, and adds it to the file; whoever calls it writes the log. A file that
  // cannot be written loses nothing else. Errors: Unavailable.
  Task<CheckpointMade> make();

  // The newest of the file that we signed ourselves, and those that the chain has lost. Called from any loop.
  Task<std::vector<AuditCheckpoint>> recent();

  [[nodiscard]] std::string public_key() const { return parts_.key.public_key(); }

 private:
  Task<std::vector<AuditCheckpoint>> read();
  Task<std::vector<AuditCheckpoint>> read_with_lost();
  void add_to_file(const std::string& line, CheckpointMade& made);

  CheckpointFile file_;
  Parts parts_;
  std::optional<AuditCheckpoint> last_;
  bool has_read_file_ = false;
};

}  // namespace safawinet
