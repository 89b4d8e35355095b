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
    if (::fstat(file_, &status) == 0 && S_ISREG(status.st_mode)) size_ = static_cast<std::uint64_t>(status.st_size);
    if (size_ || S_ISFIFO(status.st_mode)) return;
    ::close(file_);
    throw Failure(path + " is neither a file nor a pipe", {}, kUsage);
  }
  ~InputFile() {
    if (file_ != STDIN_FILENO) ::close(file_);
  }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  [[nodiscard]] const std::optional<std::uint64_t>& size() const { return size_; }

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
  const std::string path_;
  std::optional<std::uint64_t> size_;
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

class LineReader::Input : public InputFile {
 public:
  using InputFile::InputFile;
};

LineReader::LineReader(const std::string& path, std::size_t longest)
    : input_(std::make_unique<Input>(path)), longest_(longest) {}

LineReader::~LineReader() = default;

std::optional<std::uint64_t> LineReader::size() const { return input_->size(); }

std::optional<LineReader::Line> LineReader::next() {
  Line line;
  bool has_any = false;
  for (;;) {
    if (unread_.empty()) unread_ = input_->read();
    if (unread_.empty()) return has_any ? std::optional(std::move(line)) : std::nullopt;
    has_any = true;
    const auto end = unread_.find('\n');
    const auto part = unread_.substr(0, end);
    const auto fits = longest_ - line.text.size();
    line.text += part.substr(0, fits);
    if (part.size() > fits) line.is_whole = false;
    const auto taken = end == std::string_view::npos ? part.size() : end + 1;
    bytes_ += taken;
    unread_.remove_prefix(taken);
    if (end != std::string_view::npos) return line;
  }
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
