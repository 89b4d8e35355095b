#include "app/data_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "app/start_failure.hpp"

namespace safawinet::app {
namespace {

std::string reason() { return std::generic_category().message(errno); }

// Whole or not at all, and on disk when this returns.
void write_private_file(const std::filesystem::path& path, const std::string& content) {
  const auto temporary = path.string() + ".partial";
  const int file = ::open(temporary.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  const bool is_written = file >= 0 &&
                          ::write(file, content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
                          ::fsync(file) == 0;
  const auto why = reason();
  if (file >= 0) ::close(file);
  if (!is_written) throw StartFailure(kExitFailed, "cannot write " + path.string() + ": " + why);
  // The name is on disk with its folder: a database must not outlive the name of its key.
  const int folder = ::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool is_named = folder >= 0 && ::rename(temporary.c_str(), path.c_str()) == 0 && ::fsync(folder) == 0;
  const auto why_not = reason();
  if (folder >= 0) ::close(folder);
  if (!is_named) throw StartFailure(kExitFailed, "cannot write " + path.string() + ": " + why_not);
}

}  // namespace

DataFolder::DataFolder(std::filesystem::path path, Use use) : path_(std::move(path)) {
  std::error_code error;
  if (use == Use::for_a_command && !std::filesystem::exists(database_file(), error)) {
    const auto why = error ? error.message() : "there is none";
    throw StartFailure(kExitFailed, "no database in the data folder " + path_.string() + " (" + why +
                                        "): go to the server's folder, or name its settings with --config FILE");
  }
  if (std::filesystem::create_directories(path_, error)) {
    std::filesystem::permissions(path_, std::filesystem::perms::owner_all, error);
  }
  if (error) {
    throw StartFailure(kExitFailed,
                       "cannot make the data folder " + path_.string() + " (storage.data_dir): " + error.message());
  }
  if (use == Use::shared) return;
  const auto lock_file = path_ / "lock";
  lock_ = ::open(lock_file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (lock_ < 0) throw StartFailure(kExitFailed, "cannot use the data folder " + path_.string() + ": " + reason());
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock_);
    if (use == Use::for_a_command) {
      throw StartFailure(kExitFailed, "the data folder " + path_.string() +
                                          " is in use by a running server: speak to that, without --local "
                                          "(safawinet context add NAME --url URL); if nobody can log in there, stop "
                                          "it first (SIGTERM)");
    }
    throw StartFailure(kExitFailed, "another safawinet is using the data folder " + path_.string() +
                                        ": stop it, or set storage.data_dir to another folder");
  }
}

DataFolder::~DataFolder() {
  if (lock_ >= 0) ::close(lock_);
}

MasterKey DataFolder::master_key(Random& random) const {
  const auto file = path_ / "master.key";
  if (!std::filesystem::exists(file)) {
    if (std::filesystem::exists(database_file())) {
      throw StartFailure(kExitFailed, "there is a database in " + path_.string() +
                                          ", but not its master.key: put the key back, or set SAFAWINET_MASTER_KEY");
    }
    write_private_file(file, std::string(MasterKey::generate_text(random).reveal()) + "\n");
  }
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0)
    throw StartFailure(kExitFailed, "cannot read " + file.string() + ": " + reason());
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    throw StartFailure(kExitFailed, file.string() + " may be read by others: chmod 600 " + file.string());
  }
  std::ifstream in(file);
  std::string text;
  in >> text;
  auto key = MasterKey::parse(text);
  const SecretText wiped(std::move(text));
  if (!key) throw StartFailure(kExitFailed, file.string() + " is no master key: it must hold 32 bytes in base64");
  return std::move(*key);
}

std::filesystem::path DataFolder::write_first_administrator(const std::string& email,
                                                            const SecretText& password) const {
  const auto file = path_ / "first-administrator";
  write_private_file(file, "email: " + email + "\npassword: " + std::string(password.reveal()) + "\n");
  return file;
}

void DataFolder::delete_first_administrator() const {
  std::error_code ignored;  // it is there only where the password was generated
  std::filesystem::remove(path_ / "first-administrator", ignored);
}

}  // namespace safawinet::app
