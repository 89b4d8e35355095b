#include "cli/input_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/file.hpp"
#include "cli/console.hpp"
#include "cli/failure.hpp"

namespace safawinet::cli {
namespace {

class InputFile {
 public:
  explicit InputFile(const std::string& path) : path_(path) {
    if (path == "-") return;
    do {
      check_interrupted();
      file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
    } while (file_ < 0 && errno == EINTR);
    if (file_ < 0) throw Failure("cannot read " + path + ": " + last_error(), {}, kUsage);
    struct stat status{};
    if (::fstat(file_, &status) == 0 && (S_ISREG(status.st_mode) || S_ISFIFO(status.st_mode))) return;
    ::close(file_);
    throw Failure(path + " is neither a file nor a pipe", {}, kUsage);
  }
  ~InputFile() {
    if (file_ != STDIN_FILENO) ::close(file_);
  }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  // Empty at the end.
  std::string_view read() {
    for (;;) {
      wait_readable(file_);
      const auto size = ::read(file_, buffer_.data(), buffer_.size());
      if (size >= 0) return {buffer_.data(), static_cast<std::size_t>(size)};
      if (errno != EINTR) throw Failure("cannot read " + path_ + ": " + last_error(), {}, kUsage);
    }
  }

 private:
  const std::string& path_;
  int file_ = STDIN_FILENO;
  std::array<char, 65'536> buffer_{};
};

[[noreturn]] void refuse_longer(const std::string& what, std::size_t limit) {
  throw Failure(what + " is longer than " + std::to_string(limit) + " bytes", {}, kUsage);
}

}  // namespace

std::string text_of_file(const std::string& path, std::size_t limit) {
  InputFile file(path);
  std::string text;
  for (auto part = file.read(); !part.empty(); part = file.read()) {
    text += part;
    if (text.size() > limit) refuse_longer(path == "-" ? "the text on stdin" : path, limit);
  }
  return text;
}

void for_each_line(const std::string& path, const LineLimits& limits,
                   const std::function<void(std::string_view)>& take) {
  InputFile file(path);
  std::size_t total = 0;
  std::string line;
  for (auto part = file.read(); !part.empty(); part = file.read()) {
    total += part.size();
    if (total > limits.limit) refuse_longer(path, limits.limit);
    for (auto end = part.find('\n'); end != std::string_view::npos; end = part.find('\n')) {
      line += part.substr(0, end);
      if (line.size() > limits.longest) refuse_longer("a line of " + path, limits.longest);
      take(line);
      line.clear();
      part.remove_prefix(end + 1);
    }
    line += part;
    if (line.size() > limits.longest) refuse_longer("a line of " + path, limits.longest);
  }
  if (!line.empty()) take(line);
}

}  // namespace safawinet::cli
