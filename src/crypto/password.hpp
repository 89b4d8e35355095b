// Passwords as text (NFC, counted in code points), and their hashes: argon2id (RFC 9106) with OWASP's cost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/secret.hpp"

namespace safawinet {

inline constexpr std::size_t kPasswordLimit = 256;  // code points

// Why a password is refused. `code` is one of too-short, too-long, too-common, too-easy-to-guess, not-unicode; `detail`
// is a sentence for the person. Neither repeats the password.
struct PasswordFault {
  std::string code;
  std::string detail;

  bool operator==(const PasswordFault&) const = default;
};

// A password as it is hashed: normalised to NFC (NIST SP 800-63B-4 section 3.1.1.2), so that it is the same from every
// keyboard, and whole: nothing is ever cut off. Wiped when it ends.
class PasswordText {
 public:
  // Refuses what is not UTF-8 (not-unicode) and what is longer than kPasswordLimit code points in NFC (too-long); the
  // shortest allowed length is the policy's affair, since old passwords must still verify.
  static std::expected<PasswordText, PasswordFault> from(std::string_view raw);

  [[nodiscard]] std::string_view reveal() const { return text_.reveal(); }
  // The bytes before NFC; none when they are the same.
  [[nodiscard]] std::optional<std::string_view> typed() const {
    return typed_ ? std::optional(typed_->reveal()) : std::nullopt;
  }
  [[nodiscard]] std::size_t length() const { return length_; }  // code points

 private:
  PasswordText(SecretText text, std::optional<SecretText> typed, std::size_t length)
      : text_(std::move(text)), typed_(std::move(typed)), length_(length) {}

  SecretText text_;
  std::optional<SecretText> typed_;
  std::size_t length_;
};

// One lane always: libsodium has no more.
struct PasswordCost {
  std::uint32_t memory_kib = 19456;
  std::uint32_t passes = 2;
};

struct PasswordVerification {
  bool matches = false;
  bool needs_rehash = false;  // it matches, but is not as we hash (scheme, cost, text): hash it anew
};

// Blocking: hash() and verify() take tens of milliseconds of one core and 19 MiB each, and belong on the hashing pool,
// never on an event loop. Threading: any number at once. Both throw Unavailable when there is no memory for it.
class PasswordHasher {
 public:
  // A lower cost is for tests. std::invalid_argument for one that verify() would refuse.
  explicit PasswordHasher(PasswordCost cost = {});

  // "$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>" with a fresh random salt, 97 characters at the default cost.
  [[nodiscard]] std::string hash(const PasswordText& password) const;

  // Of ours and of all schemes that may be imported (stored_hash.hpp). A stored hash that is malformed, of another
  // scheme or of absurd cost matches nothing, and is not computed at all: a row that somebody tampered with must not
  // cost minutes. Where NFC changes the password, a hash of the bytes as they were typed matches too.
  [[nodiscard]] PasswordVerification verify(std::string_view stored, const PasswordText& password) const;

  // A well-formed hash of our cost that no password matches. Verifying against it makes an unknown account cost what a
  // known one does.
  [[nodiscard]] const std::string& dummy_hash() const { return dummy_hash_; }

 private:
  PasswordCost cost_;
  std::string dummy_hash_;
};

}  // namespace safawinet
