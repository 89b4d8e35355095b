// Passwords that the operator refuses: a file with one on each line.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace safawinet {

inline constexpr std::uint64_t kBlocklistLimitBytes = std::uint64_t{256} << 20;

// Keeps eight bytes for each: a keyed hash, under a key of this process. That a password is refused whose hash is the
// same by chance, is as likely as one in a million million, with ten million lines. Threading: immutable.
class PasswordBlocklist {
 public:
  // Reads the whole file. Lines may end with CR LF; what can be no password (shorter than four characters, longer than
  // 256, not UTF-8) is passed over. Error: why it cannot be used, as a sentence without its subject: "cannot be read:
  // …", "is larger than 256 MiB", "holds no password".
  static std::expected<PasswordBlocklist, std::string> read(const std::filesystem::path& file);

  // `lowered`: in NFC and lower case. The case of the list does not matter.
  [[nodiscard]] bool contains(std::string_view lowered) const;

  [[nodiscard]] std::size_t size() const { return hashes_.size(); }
  [[nodiscard]] std::size_t passed_over() const { return passed_over_; }  // lines

 private:
  PasswordBlocklist();

  void add(std::string_view line);
  [[nodiscard]] std::uint64_t hash_of(std::string_view text) const;

  std::array<std::uint8_t, 16> key_{};
  std::vector<std::uint64_t> hashes_;  // sorted
  std::size_t passed_over_ = 0;
};

}  // namespace safawinet
