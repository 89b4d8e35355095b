#include "base/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace safawinet {
namespace {

[[noreturn]] void fail(const std::filesystem::path& file) {
  throw std::system_error(errno, std::generic_category(), "cannot write " + file.string());
}

}  // namespace

void Descriptor::reset(int descriptor) {
  const int error = errno;
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = descriptor;
  errno = error;
}

std::string last_error() { return std::generic_category().message(errno); }

bool write_all(int file, std::string_view content) {
  while (!content.empty()) {
    const auto written = ::write(file, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

void sync_folder_of(const std::filesystem::path& file) {
  const auto path = std::filesystem::absolute(file).parent_path();
  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open() || ::fsync(folder.get()) != 0) fail(file);
}

void replace_file(const std::filesystem::path& file, std::string_view content) {
  const auto name = "." + file.filename().string() + "." + std::to_string(::getpid()) + ".partial";
  const auto temporary = file.parent_path() / name;
  // Under its name only when its content is on disk.
  const auto replace = [&] {
    const Descriptor made(::open(temporary.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600));
    return made.is_open() && ::fchmod(made.get(), 0600) == 0 && write_all(made.get(), content) &&
           ::fsync(made.get()) == 0 && ::rename(temporary.c_str(), file.c_str()) == 0;
  };
  if (!replace()) {
    const int error = errno;
    ::unlink(temporary.c_str());
    errno = error;
    fail(file);
  }
  sync_folder_of(file);
}

}  // namespace safawinet
