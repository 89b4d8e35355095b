// Signed statements of how far the chain was, kept outside the database: whoever can write the database cannot cut the
// chain, or put an older copy back, behind one.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/audit_store.hpp"
#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "crypto/signing_key.hpp"

namespace safawinet {

struct AuditCheckpoint {
  ChainPoint point;
  Time at;
  std::string signature;  // base64url
};

// Ed25519 (RFC 8032), over the text "safawinet audit checkpoint\nPOSITION\nLINK\nAT\n". Anybody verifies it with the
// public key alone. Threading: any thread.
class CheckpointKey {
 public:
  // The private key: 32 bytes, derived from the master key.
  explicit CheckpointKey(ByteView seed);

  [[nodiscard]] AuditCheckpoint sign(ChainPoint point, Time at) const;
  [[nodiscard]] bool verify(const AuditCheckpoint& checkpoint) const;
  // base64url of its 32 bytes.
  [[nodiscard]] std::string public_key() const;

 private:
  SigningKey key_;
};

// {"event":"audit-checkpoint","position":…,"link":…,"at":…,"publicKey":…,"signature":…}, without a line end.
std::string to_line(const AuditCheckpoint& checkpoint, std::string_view public_key);
// The same checkpoint, as one that the chain was found to have lost ("audit-checkpoint-lost").
std::string to_lost_line(const AuditCheckpoint& checkpoint, std::string_view public_key);
// None if it is neither. Says nothing of the signature.
std::optional<AuditCheckpoint> parse_checkpoint(std::string_view line);

// One line for each checkpoint; only ever added to. Threading: one thread at a time; its calls block.
class CheckpointFile {
 public:
  explicit CheckpointFile(std::filesystem::path path) : path_(std::move(path)) {}

  // On disk when it returns. std::system_error if it cannot be.
  void append(const std::string& line) const;
  // Those among the last `count` lines that can be read, oldest first; empty without a file.
  [[nodiscard]] std::vector<AuditCheckpoint> newest(std::size_t count) const;
  // The last `count` that are in it as lost, wherever they stand.
  [[nodiscard]] std::vector<AuditCheckpoint> lost(std::size_t count) const;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace safawinet
