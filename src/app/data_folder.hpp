// The folder of the embedded default: the database, the master key, and the first administrator's password until it is
// changed.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/file.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "crypto/sealing.hpp"

namespace safawinet::app {

// Makes the folder (0700) when there is none. Errors: StartFailure.
class DataFolder {
 public:
  // With the embedded database the folder is held for this process: a second server on it is refused. For a command it
  // is held too, but must be there, with its database; for a new key no running server can stand in for it.
  enum class Use { alone, for_a_command, for_a_new_key, shared };

  explicit DataFolder(std::filesystem::path path, Use use = Use::alone);

  [[nodiscard]] std::filesystem::path database_file() const { return path_ / "safawinet.db"; }

  // The key in master.key; makes one when there is neither key nor database. Refuses a file that others may read, and a
  // database without its key: a new key would open nothing.
  [[nodiscard]] MasterKey master_key(Random& random) const;
  // `other-master.key`, which is there while the master key is being replaced; same demands. None: there is none.
  [[nodiscard]] std::optional<MasterKey> other_master_key() const;
  // Puts a new master key in the place of the present one, which from then on is the other. Whatever happens meanwhile,
  // one of the two files has each key that anything is sealed with. For a server that does not run.
  void renew_master_key(Random& random) const;

  // Writes the generated password of the first administrator (0600) and returns the file.
  [[nodiscard]] std::filesystem::path write_first_administrator(const std::string& email,
                                                                const SecretText& password) const;
  void delete_first_administrator() const;

 private:
  static MasterKey read_master_key(const std::filesystem::path& file);

  std::filesystem::path path_;
  Descriptor lock_;
};

}  // namespace safawinet::app
