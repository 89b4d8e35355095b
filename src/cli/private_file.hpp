// Files with secrets: only their owner may read them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "base/secret.hpp"

namespace safawinet::cli {

// None when there is no such file. Throws Failure when somebody else owns it or others may read or write it, saying how
// to mend that, and when it is larger than 64 KiB.
std::optional<SecretText> read_private_file(const std::filesystem::path& path);

// Whole or not at all, on disk when this returns, mode 0600; makes the folder (0700) when there is none. Throws
// Failure.
void write_private_file(const std::filesystem::path& path, std::string_view content);

// A file that was not there, mode 0600, for a secret that there is only once: made before there is the secret. It is
// removed again unless it was written. All throw Failure.
class NewPrivateFile {
 public:
  explicit NewPrivateFile(std::filesystem::path path);
  ~NewPrivateFile();
  NewPrivateFile(const NewPrivateFile&) = delete;
  NewPrivateFile& operator=(const NewPrivateFile&) = delete;

  // Once; on disk when this returns.
  void write(std::string_view content);
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  Descriptor file_;
  bool is_written_ = false;
};

void remove_file(const std::filesystem::path& path);

// Held by one process at a time; waits at most 30 seconds for another one. Throws Failure.
class FileLock {
 public:
  explicit FileLock(const std::filesystem::path& path);

 private:
  Descriptor file_;
};

}  // namespace safawinet::cli
