#include "crypto/password_blocklist.hpp"

#include <sodium.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "base/file.hpp"
#include "crypto/password.hpp"
#include "crypto/password_forms.hpp"
#include "crypto/sodium.hpp"

namespace safawinet {
namespace {

// Of a password of the least length, four characters are looked at without decoration (password_policy.cpp).
constexpr std::size_t kLeastLength = 4;

}  // namespace

PasswordBlocklist::PasswordBlocklist() {
  static_assert(crypto_shorthash_KEYBYTES == std::tuple_size_v<decltype(key_)>);
  prepare_sodium();
  randombytes_buf(key_.data(), key_.size());
}

std::expected<PasswordBlocklist, std::string> PasswordBlocklist::read(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) {
    return std::unexpected(error ? "cannot be read: " + error.message() : std::string("is no file"));
  }
  if (std::filesystem::file_size(file, error) > kBlocklistLimitBytes) {
    return std::unexpected("is larger than " + std::to_string(kBlocklistLimitBytes >> 20) + " MiB");
  }
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (!in) return std::unexpected("cannot be read: " + last_error());
  PasswordBlocklist list;
  for (std::string line; std::getline(in, line);) list.add(line);
  if (in.bad()) return std::unexpected("cannot be read: " + last_error());
  std::ranges::sort(list.hashes_);
  const auto repeated = std::ranges::unique(list.hashes_);
  list.hashes_.erase(repeated.begin(), repeated.end());
  list.hashes_.shrink_to_fit();
  if (list.hashes_.empty()) return std::unexpected("holds no password");
  return list;
}

void PasswordBlocklist::add(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  const auto text = PasswordText::from(line);
  if (!text || text->length() < kLeastLength) {
    if (!line.empty()) ++passed_over_;
    return;
  }
  hashes_.push_back(hash_of(lower_case(text->reveal())));
}

bool PasswordBlocklist::contains(std::string_view lowered) const {
  return std::ranges::binary_search(hashes_, hash_of(lowered));
}

std::uint64_t PasswordBlocklist::hash_of(std::string_view text) const {
  std::array<std::uint8_t, crypto_shorthash_BYTES> bytes{};
  crypto_shorthash(bytes.data(), reinterpret_cast<const std::uint8_t*>(text.data()), text.size(), key_.data());
  std::uint64_t hash = 0;
  static_assert(sizeof hash == sizeof bytes);
  std::memcpy(&hash, bytes.data(), sizeof hash);
  return hash;
}

}  // namespace safawinet
