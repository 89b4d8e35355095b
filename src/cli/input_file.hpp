// What is read from a file that an argument names, within bounds.
#pragma once

#include <cstddef>
#include <functional>
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

}  // namespace safawinet::cli
