// Files that are on disk when a function returns, and descriptors that are closed.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace safawinet {

// A file descriptor that is closed when its owner goes.
class Descriptor {
 public:
  explicit Descriptor(int descriptor = -1) : descriptor_(descriptor) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : descriptor_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }

  [[nodiscard]] int get() const { return descriptor_; }
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
  int release() {
    const int descriptor = descriptor_;
    descriptor_ = -1;
    return descriptor;
  }
  // Leaves errno as it is.
  void reset(int descriptor = -1);

 private:
  int descriptor_;
};

// What errno says: "No space left on device".
std::string last_error();

// All of it, at the descriptor's place. False: errno says why, and a part may have been written.
[[nodiscard]] bool write_all(int file, std::string_view content);

// So that the name of a new or renamed file is on disk, too. Throws std::system_error.
void sync_folder_of(const std::filesystem::path& file);

// Whole or not at all, on disk when this returns, mode 0600; the folder must be there. Several processes may do it at
// once, each in one thread: the last one stays. Throws std::system_error ("cannot write FILE: No space left on
// device"); then the file is what it was, or new and perhaps not on disk.
void replace_file(const std::filesystem::path& file, std::string_view content);

}  // namespace safawinet
