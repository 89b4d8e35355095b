#include "cli/export_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/file.hpp"
#include "base/json.hpp"
#include "cli/api.hpp"
#include "cli/failure.hpp"
#include "cli/private_file.hpp"

namespace safawinet::cli {
namespace {

constexpr std::int64_t kLongestLine = std::int64_t{1} << 20;  // bytes

// None when the line is no JSON object that has it.
std::optional<boost::json::object> object_with(std::string_view line, std::string_view member) {
  auto json = parse_json(line);
  if (!json || !json->is_object() || !json->get_object().contains(member)) return std::nullopt;
  return std::move(json->get_object());
}

}  // namespace

ExportFile::ExportFile(const ExportTarget& target, const ExportKind& kind, Console& console)
    : path_(target.file), console_(console) {
  if (target.file.empty()) {
    if (target.resumes) throw Failure("--resume goes on with a file", "name it with --output FILE", kUsage);
    return;
  }
  const int how = target.resumes ? O_CREAT : O_CREAT | O_EXCL;
  file_.reset(::open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | how, 0600));
  if (!file_.is_open() && errno == EEXIST) {
    throw Failure(path_.string() + " is there already", "go on with it: --resume; or name another one");
  }
  if (!file_.is_open() && errno == ELOOP) throw Failure(path_.string() + " is a link", "name the file itself");
  if (!file_.is_open()) throw Failure("cannot write " + path_.string() + ": " + last_error());
  struct stat status{};
  if (::fstat(file_.get(), &status) != 0 || !S_ISREG(status.st_mode)) throw Failure(path_.string() + " is no file");
  if (status.st_uid != ::geteuid()) throw Failure(path_.string() + " belongs to another user");
  size_ = status.st_size;
  go_on(kind);
}

void ExportFile::append(std::string_view lines) {
  if (!file_.is_open()) {
    console_.write(lines);
    return;
  }
  std::int64_t at = size_;
  while (!lines.empty()) {
    const auto written = ::pwrite(file_.get(), lines.data(), lines.size(), at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw Failure("cannot write " + path_.string() + ": " + last_error());
    at += written;
    lines.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fdatasync(file_.get()) != 0) throw Failure("cannot write " + path_.string() + ": " + last_error());
  size_ = at;
}

void ExportFile::keep_cursor(std::string_view cursor) {
  if (!file_.is_open()) return;
  const boost::json::object kept{{"cursor", cursor}, {"bytes", size_}};
  write_private_file(std::filesystem::absolute(cursor_file()), boost::json::serialize(kept) + "\n");
}

std::optional<std::string> ExportFile::kept_cursor(bool& is_complete) {
  is_complete = false;
  if (!file_.is_open()) return std::nullopt;
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
  if (file_.is_open()) remove_file(cursor_file());
}

void ExportFile::cut_to(std::int64_t size) {
  if (::ftruncate(file_.get(), size) != 0) throw Failure("cannot write " + path_.string() + ": " + last_error());
  size_ = size;
}

void ExportFile::go_on(const ExportKind& kind) {
  const auto from = std::max<std::int64_t>(0, size_ - 2 * kLongestLine);
  const auto tail = read_from(from);
  std::string_view rest(tail);
  if (from > 0) rest.remove_prefix(std::min(rest.size(), rest.find('\n') + 1));  // what is left of an earlier line
  const auto begin = "{\"" + std::string(kind.first_member) + "\":";
  std::optional<boost::json::object> last;
  bool is_one = from == 0 || rest.size() < tail.size();
  for (auto end = rest.find('\n'); is_one && end != std::string_view::npos; end = rest.find('\n')) {
    const auto line = rest.substr(0, end);
    last = line.starts_with(begin) ? object_with(line, kind.other_member) : std::nullopt;
    is_one = last.has_value();
    rest.remove_prefix(end + 1);
  }
  is_one = is_one && (rest.starts_with(begin) || begin.starts_with(rest));
  if (!is_one) throw Failure(path_.string() + " is not " + std::string(kind.name), "name another file");
  if (::fchmod(file_.get(), 0600) != 0) throw Failure("cannot write " + path_.string() + ": " + last_error());
  if (!rest.empty()) cut_to(size_ - static_cast<std::int64_t>(rest.size()));
  last_ = std::move(last);
}

std::string ExportFile::read_from(std::int64_t from) const {
  std::string text(static_cast<std::size_t>(size_ - from), '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const auto got =
        ::pread(file_.get(), text.data() + have, text.size() - have, from + static_cast<std::int64_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw Failure("cannot read " + path_.string() + ": " + last_error());
    have += static_cast<std::size_t>(got);
  }
  return text;
}

}  // namespace safawinet::cli
