#include "app/data_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "app/start_failure.hpp"
#include "base/file.hpp"

namespace safawinet::app {
namespace {

constexpr std::size_t kMasterKeyTextLimit = 256;  // bytes; a key has 44

// Whole or not at all. On disk with its name when this returns: a database must not outlive the name of its key.
void write_private_file(const std::filesystem::path& path, const std::string& content) {
  try {
    replace_file(path, content);
  } catch (const std::system_error& error) {
    throw StartFailure(kExitFailed, error.what());
  }
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace

DataFolder::DataFolder(std::filesystem::path path, Use use) : path_(std::move(path)) {
  std::error_code error;
  const bool is_for_a_command = use == Use::for_a_command || use == Use::for_a_new_key;
  if (is_for_a_command && !std::filesystem::exists(database_file(), error)) {
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
  lock_.reset(::open(lock_file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  if (!lock_.is_open())
    throw StartFailure(kExitFailed, "cannot use the data folder " + path_.string() + ": " + last_error());
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (use == Use::for_a_new_key) {
      throw StartFailure(
          kExitFailed, "the data folder " + path_.string() + " is in use by a running server: stop it first (SIGTERM)");
    }
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

MasterKey DataFolder::master_key(Random& random) const {
  const auto file = path_ / "master.key";
  if (!std::filesystem::exists(file)) {
    if (std::filesystem::exists(database_file())) {
      throw StartFailure(kExitFailed, "there is a database in " + path_.string() +
                                          ", but not its master.key: put the key back, or set SAFAWINET_MASTER_KEY");
    }
    write_private_file(file, std::string(MasterKey::generate_text(random).reveal()) + "\n");
  }
  return read_master_key(file);
}

std::optional<MasterKey> DataFolder::other_master_key() const {
  const auto file = path_ / "other-master.key";
  if (!std::filesystem::exists(file)) return std::nullopt;
  return read_master_key(file);
}

void DataFolder::renew_master_key(Random& random) const {
  const auto file = path_ / "master.key";
  const auto other = path_ / "other-master.key";
  const auto present = read_master_key(file);
  const auto former = other_master_key();
  if (former && former->fingerprint() != present.fingerprint()) {
    throw StartFailure(kExitFailed, "there is " + other.string() +
                                        " already: start the server, and delete it once `safawinet keys secrets` says "
                                        "that nothing needs it");
  }
  std::ifstream in(file);
  std::string text;
  in >> text;
  write_private_file(other, text + "\n");
  const SecretText wiped(std::move(text));
  write_private_file(file, std::string(MasterKey::generate_text(random).reveal()) + "\n");
}

MasterKey DataFolder::read_master_key(const std::filesystem::path& file) {
  const auto refuse = [&file](const std::string& why) -> StartFailure {
    return {kExitFailed, file.string() + " " + why};
  };
  // What is looked at is what is read; and nothing that could keep us waiting.
  const Descriptor opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status{};
  if (!opened.is_open() || ::fstat(opened.get(), &status) != 0) {
    throw StartFailure(kExitFailed, "cannot read " + file.string() + ": " + last_error());
  }
  if (!S_ISREG(status.st_mode)) throw refuse("is no file");
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) throw refuse("may be read by others: chmod 600 " + file.string());
  struct stat folder{};
  const bool is_of_folder = ::stat(file.parent_path().c_str(), &folder) == 0 && folder.st_uid == status.st_uid;
  if (status.st_uid != ::geteuid() && status.st_uid != 0 && !is_of_folder) {
    throw refuse("belongs to another account of this machine than its folder: chown it");
  }
  // More than there should be, so that what is behind a key is seen.
  std::string text(kMasterKeyTextLimit, '\0');
  const auto length = ::read(opened.get(), text.data(), text.size());
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
  const SecretText wiped(std::move(text));
  auto key = MasterKey::parse(trimmed(wiped.reveal()));
  if (!key) throw refuse("is no master key: it must hold 32 bytes in base64, and nothing else");
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
