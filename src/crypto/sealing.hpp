// Secrets at rest: what the database holds is sealed with keys derived from the master key, which never lives there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/encoding.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"

namespace safawinet {

// Overwrites secret bytes for good: the compiler may not drop it.
void wipe(std::span<std::uint8_t> bytes) noexcept;

class RootSecret;

// 32 secret bytes, wiped when the object ends. Moved, never copied.
//
// While a master key is being replaced there are two: one that seals, and another that still opens what it has sealed
// (`also_open_with`).
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

  // From here on open() tries these too.
  void also_open_with(std::vector<MasterKey> others) { others_ = std::move(others); }
  [[nodiscard]] bool has_others() const { return !others_.empty(); }
  [[nodiscard]] std::vector<std::string> fingerprints_of_others() const;
  // Whether this key opens it without the help of another one: then the others are not needed for it.
  [[nodiscard]] bool opens_alone(std::string_view purpose, ByteView sealed) const;

  // Eight hex digits to tell master keys apart by. Says nothing about the key.
  [[nodiscard]] std::string fingerprint() const;

 private:
  friend class RootSecret;
  MasterKey() = default;
  [[nodiscard]] std::optional<Bytes> open_alone(std::string_view purpose, ByteView sealed) const;

  std::array<std::uint8_t, kBytes> key_{};
  std::vector<MasterKey> others_;
};

// What keys of other algorithms are derived from (the MACs of the audit log, of cursors, of counts). It is made once,
// and kept sealed: so it stays the same when the master key is replaced. Threading: any thread.
class RootSecret {
 public:
  static RootSecret generate(Random& random);
  // Of a database from before there were root secrets, whose keys were derived from the master key; and for what those
  // who have the same master key and other databases must agree on.
  static RootSecret of(const MasterKey& master_key);
  // None if it is not `MasterKey::kBytes` long.
  static std::optional<RootSecret> from(ByteView bytes);

  RootSecret(RootSecret&& other) noexcept;
  RootSecret& operator=(RootSecret&& other) noexcept;
  RootSecret(const RootSecret&) = delete;
  RootSecret& operator=(const RootSecret&) = delete;
  ~RootSecret();

  // In the clear: to be sealed.
  [[nodiscard]] ByteView reveal() const { return secret_; }

  // Always the same for the same secret and purpose, unrelated to the keys of other purposes.
  [[nodiscard]] std::array<std::uint8_t, MasterKey::kBytes> derive(std::string_view purpose) const;

 private:
  RootSecret() = default;

  std::array<std::uint8_t, MasterKey::kBytes> secret_{};
};

}  // namespace safawinet
