// What is read from a file that an argument names, within bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace safawinet::cli {

// A regular file or a pipe; "-" is stdin. All throw Failure (exit 2), also for what is neither, such as a device, and
// Interrupted.

// Refuses what is longer than `limit` bytes.
std::string text_of_file(const std::string& path, std::size_t limit);

// Without the ends of the lines. Refuses lines longer than `longest` bytes, and more than `limit` bytes in all.
struct LineLimits {
  std::size_t longest;
  std::size_t limit;
};
void for_each_line(const std::string& path, const LineLimits& limits,
                   const std::function<void(std::string_view)>& take);

// The lines of such a file one after the other, however many they are.
class LineReader {
 public:
  LineReader(const std::string& path, std::size_t longest);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  struct Line {
    std::string text;
    bool is_whole = true;  // false: it is longer, and this is its beginning
  };
  // None at the end.
  std::optional<Line> next();

  // Of the lines that were given.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  // Of a regular file.
  [[nodiscard]] std::optional<std::uint64_t> size() const;

 private:
  class Input;

  std::unique_ptr<Input> input_;
  std::size_t longest_;
  std::string_view unread_;  // of the last part that was read
  std::uint64_t bytes_ = 0;
};

}  // namespace safawinet::cli
