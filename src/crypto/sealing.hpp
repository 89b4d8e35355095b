// Secrets at rest: what the database holds is sealed with keys derived from the master key, which never lives there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/encoding.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"

namespace safawinet {

// Overwrites secret bytes for good: the compiler may not drop it.
void wipe(std::span<std::uint8_t> bytes) noexcept;

// 32 secret bytes, wiped when the object ends. Moved, never copied.
//
// A purpose is a constant of ours such as "signing-key" or "totp-secret/<user id>": what was sealed for one purpose
// does not open for another, so a sealed value moved to another row or column is refused where the purpose names it.
// Threading: the const calls may be made from any thread.
class MasterKey {
 public:
  static constexpr std::size_t kBytes = 32;
  // How much longer than its plaintext a sealed value is: version, nonce, tag.
  static constexpr std::size_t kOverheadBytes = 1 + 24 + 16;

  // Base64 with padding (RFC 4648 section 4) of exactly 32 bytes; anything else is none.
  static std::optional<MasterKey> parse(std::string_view base64);
  // The text of a new key, for a first start.
  static SecretText generate_text(Random& random);

  MasterKey(MasterKey&& other) noexcept;
  MasterKey& operator=(MasterKey&& other) noexcept;
  MasterKey(const MasterKey&) = delete;
  MasterKey& operator=(const MasterKey&) = delete;
  ~MasterKey();

  // XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha) under a key derived for the purpose, with version and purpose as
  // associated data: version (1 byte) | nonce (24) | ciphertext and tag. The nonce comes from the kernel and from
  // nowhere else, since a repeated one would give the plaintext away; so two seals of the same plaintext differ.
  [[nodiscard]] Bytes seal(std::string_view purpose, ByteView plaintext) const;

  // None if the value was not sealed by this key for this purpose, or was changed. Does not tell which.
  [[nodiscard]] std::optional<Bytes> open(std::string_view purpose, ByteView sealed) const;

  // A key for another algorithm (the audit chain's MAC): always the same for the same master key and purpose, unrelated
  // to the keys that seal, and to those of other purposes.
  [[nodiscard]] std::array<std::uint8_t, kBytes> derive(std::string_view purpose) const;

 private:
  MasterKey() = default;

  std::array<std::uint8_t, kBytes> key_{};
};

}  // namespace safawinet
