#include "cli/export_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/json.hpp"
#include "cli/api.hpp"
#include "cli/failure.hpp"
#include "cli/private_file.hpp"

namespace safawinet::cli {
namespace {

constexpr std::int64_t kLongestLine = std::int64_t{1} << 20;  // bytes

std::string reason() { return std::generic_category().message(errno); }

}  // namespace

ExportFile::ExportFile(const ExportTarget& target, Console& console) : path_(target.file), console_(console) {
  if (target.file.empty()) {
    if (target.resumes) throw Failure("--resume goes on with a file", "name it with --output FILE", kUsage);
    return;
  }
  const int how = target.resumes ? O_CREAT : O_CREAT | O_EXCL;
  file_ = ::open(path_.c_str(), O_RDWR | O_CLOEXEC | how, 0600);
  if (file_ < 0 && errno == EEXIST) {
    throw Failure(path_.string() + " is there already", "go on with it: --resume; or name another one");
  }
  if (file_ < 0) throw Failure("cannot write " + path_.string() + ": " + reason());
  struct stat status{};
  if (::fstat(file_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(file_);
    throw Failure(path_.string() + " is no file");
  }
  size_ = status.st_size;
  read_last_line();
}

ExportFile::~ExportFile() {
  if (file_ >= 0) ::close(file_);
}

void ExportFile::append(std::string_view lines) {
  if (file_ < 0) {
    console_.write(lines);
    return;
  }
  std::int64_t at = size_;
  while (!lines.empty()) {
    const auto written = ::pwrite(file_, lines.data(), lines.size(), at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw Failure("cannot write " + path_.string() + ": " + reason());
    at += written;
    lines.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fdatasync(file_) != 0) throw Failure("cannot write " + path_.string() + ": " + reason());
  size_ = at;
}

void ExportFile::keep_cursor(std::string_view cursor) {
  if (file_ < 0) return;
  const boost::json::object kept{{"cursor", cursor}, {"bytes", size_}};
  write_private_file(std::filesystem::absolute(cursor_file()), boost::json::serialize(kept) + "\n");
}

std::optional<std::string> ExportFile::kept_cursor(bool& is_complete) {
  is_complete = false;
  if (file_ < 0) return std::nullopt;
  const auto text = read_private_file(cursor_file());
  if (!text) {
    is_complete = size_ > 0;
    return std::nullopt;
  }
  const auto json = parse_json(text->reveal());
  if (!json || !json->is_object()) throw Failure(cursor_file().string() + " cannot be understood", "export anew");
  const auto bytes = number_at(json->get_object(), "bytes");
  if (bytes > size_) throw Failure(path_.string() + " is shorter than it was", "export anew, into another file");
  cut_to(bytes);
  auto cursor = text_at(json->get_object(), "cursor");
  return cursor.empty() ? std::nullopt : std::optional(std::move(cursor));
}

void ExportFile::complete() {
  if (file_ >= 0) remove_file(cursor_file());
}

void ExportFile::cut_to(std::int64_t size) {
  if (::ftruncate(file_, size) != 0) throw Failure("cannot write " + path_.string() + ": " + reason());
  size_ = size;
}

void ExportFile::read_last_line() {
  if (size_ == 0) return;
  const auto from = std::max<std::int64_t>(0, size_ - 2 * kLongestLine);
  std::string tail(static_cast<std::size_t>(size_ - from), '\0');
  std::size_t have = 0;
  while (have < tail.size()) {
    const auto got = ::pread(file_, tail.data() + have, tail.size() - have, from + static_cast<std::int64_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw Failure("cannot read " + path_.string() + ": " + reason());
    have += static_cast<std::size_t>(got);
  }
  const auto end = tail.rfind('\n');
  if (end == std::string::npos) {
    if (from > 0) throw Failure(path_.string() + " is no export: it has no lines");
    cut_to(0);
    return;
  }
  cut_to(from + static_cast<std::int64_t>(end) + 1);
  const auto begin = end == 0 ? std::string::npos : tail.rfind('\n', end - 1);
  const auto first = begin == std::string::npos ? 0 : begin + 1;
  const auto json = parse_json(std::string_view(tail).substr(first, end - first));
  if (!json || !json->is_object()) throw Failure(path_.string() + " is no export: its last line is no JSON object");
  last_ = json->get_object();
}

}  // namespace safawinet::cli
