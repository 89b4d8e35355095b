#include "cli/private_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "cli/console.hpp"
#include "cli/failure.hpp"

namespace safawinet::cli {
namespace {

constexpr std::size_t kSizeLimit = 65'536;  // bytes
constexpr int kLockTries = 600;             // with kLockPause in between
constexpr std::chrono::milliseconds kLockPause{50};

std::string reason() { return std::generic_category().message(errno); }

class Descriptor {
 public:
  explicit Descriptor(int file) : file_(file) {}
  ~Descriptor() {
    if (file_ >= 0) ::close(file_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return file_; }

 private:
  int file_;
};

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
  if (file.get() < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throw Failure("cannot read " + path.string() + ": " + reason());
  }
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) throw Failure("cannot read " + path.string() + ": " + reason());
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
    if (got < 0) throw Failure("cannot read " + path.string() + ": " + reason());
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
    if (size > kSizeLimit) throw Failure(path.string() + " is too large");
  }
  content.resize(size);
  return SecretText(std::move(content));
}

void write_private_file(const std::filesystem::path& path, std::string_view content) {
  make_folder(path.parent_path());
  const auto temporary = path.string() + "." + std::to_string(::getpid()) + ".partial";
  bool is_done = false;
  std::string why;
  {
    const Descriptor file(::open(temporary.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600));
    is_done = file.get() >= 0 && ::fchmod(file.get(), 0600) == 0 &&
              ::write(file.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
              ::fsync(file.get()) == 0;
    if (!is_done) why = reason();
  }
  if (is_done) {
    const Descriptor folder(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    is_done = folder.get() >= 0 && ::rename(temporary.c_str(), path.c_str()) == 0 && ::fsync(folder.get()) == 0;
    if (!is_done) why = reason();
  }
  if (is_done) return;
  ::unlink(temporary.c_str());
  throw Failure("cannot write " + path.string() + ": " + why);
}

NewPrivateFile::NewPrivateFile(std::filesystem::path path) : path_(std::filesystem::absolute(path)) {
  make_folder(path_.parent_path());
  file_ = ::open(path_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file_ < 0 && errno == EEXIST) throw Failure(path_.string() + " is there already", "name another file");
  if (file_ < 0) throw Failure("cannot write " + path_.string() + ": " + reason());
}

NewPrivateFile::~NewPrivateFile() {
  ::close(file_);
  if (!is_written_) ::unlink(path_.c_str());
}

void NewPrivateFile::write(std::string_view content) {
  const Descriptor folder(::open(path_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  is_written_ = ::fchmod(file_, 0600) == 0 &&
                ::write(file_, content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
                ::fsync(file_) == 0 && folder.get() >= 0 && ::fsync(folder.get()) == 0;
  if (!is_written_) throw Failure("cannot write " + path_.string() + ": " + reason());
}

void remove_file(const std::filesystem::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    throw Failure("cannot remove " + path.string() + ": " + reason());
  }
}

FileLock::FileLock(const std::filesystem::path& path) : file_(open_lock(path)) {
  if (file_ < 0) throw Failure("cannot open " + path.string() + ": " + reason());
  for (int tries = 0; ::flock(file_, LOCK_EX | LOCK_NB) != 0; ++tries) {
    const bool is_held = errno == EWOULDBLOCK || errno == EINTR;
    if (!is_held || tries >= kLockTries) {
      const auto why = is_held ? "another command holds it" : reason();
      ::close(file_);
      throw Failure("cannot lock " + path.string() + ": " + why);
    }
    wait_for(kLockPause);
  }
}

FileLock::~FileLock() { ::close(file_); }

}  // namespace safawinet::cli
