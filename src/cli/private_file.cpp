#include "cli/private_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/file.hpp"
#include "cli/console.hpp"
#include "cli/failure.hpp"

namespace safawinet::cli {
namespace {

constexpr std::size_t kSizeLimit = 65'536;  // bytes
constexpr int kLockTries = 600;             // with kLockPause in between
constexpr std::chrono::milliseconds kLockPause{50};

template <class Write>
void or_failure(const Write& write) {
  try {
    write();
  } catch (const std::system_error& error) {
    throw Failure(error.what());
  }
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  if (std::filesystem::create_directories(folder, error)) {
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  }
  if (error) throw Failure("cannot make the folder " + folder.string() + ": " + error.message());
}

// Negative when it cannot be.
int open_lock(const std::filesystem::path& path) {
  make_folder(path.parent_path());
  return ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
}

}  // namespace

std::optional<SecretText> read_private_file(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file.is_open()) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throw Failure("cannot read " + path.string() + ": " + last_error());
  }
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) throw Failure("cannot read " + path.string() + ": " + last_error());
  if (!S_ISREG(status.st_mode)) throw Failure(path.string() + " is no file");
  if (status.st_uid != ::geteuid()) throw Failure(path.string() + " belongs to another user");
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    throw Failure(path.string() + " may be read by others", "chmod 600 " + path.string());
  }
  std::string content(kSizeLimit + 1, '\0');
  std::size_t size = 0;
  for (;;) {
    const auto got = ::read(file.get(), content.data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Failure("cannot read " + path.string() + ": " + last_error());
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
    if (size > kSizeLimit) throw Failure(path.string() + " is too large");
  }
  content.resize(size);
  return SecretText(std::move(content));
}

void write_private_file(const std::filesystem::path& path, std::string_view content) {
  make_folder(path.parent_path());
  or_failure([&] { replace_file(path, content); });
}

NewPrivateFile::NewPrivateFile(std::filesystem::path path) : path_(std::filesystem::absolute(path)) {
  make_folder(path_.parent_path());
  file_.reset(::open(path_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file_.is_open() && errno == EEXIST) throw Failure(path_.string() + " is there already", "name another file");
  if (!file_.is_open()) throw Failure("cannot write " + path_.string() + ": " + last_error());
}

NewPrivateFile::~NewPrivateFile() {
  if (!is_written_) ::unlink(path_.c_str());
}

void NewPrivateFile::write(std::string_view content) {
  if (::fchmod(file_.get(), 0600) != 0 || !write_all(file_.get(), content) || ::fsync(file_.get()) != 0) {
    throw Failure("cannot write " + path_.string() + ": " + last_error());
  }
  or_failure([this] { sync_folder_of(path_); });
  is_written_ = true;
}

void remove_file(const std::filesystem::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    throw Failure("cannot remove " + path.string() + ": " + last_error());
  }
}

FileLock::FileLock(const std::filesystem::path& path) : file_(open_lock(path)) {
  if (!file_.is_open()) throw Failure("cannot open " + path.string() + ": " + last_error());
  for (int tries = 0; ::flock(file_.get(), LOCK_EX | LOCK_NB) != 0; ++tries) {
    const bool is_held = errno == EWOULDBLOCK || errno == EINTR;
    if (!is_held || tries >= kLockTries) {
      throw Failure("cannot lock " + path.string() + ": " + (is_held ? "another command holds it" : last_error()));
    }
    wait_for(kLockPause);
  }
}

}  // namespace safawinet::cli
