// The keys of one moment: what signs, what verifies, what makes and checks refresh tokens.
//
// An immutable snapshot: built from parts that somebody else stored (private and MAC keys sealed with the MasterKey),
// shared by all threads as shared_ptr<const Keyring>, and replaced as a whole when keys rotate. A compromised key is
// simply not in the next snapshot; `without` makes that at once, from what this one knows.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crypto/access_token.hpp"
#include "crypto/digest.hpp"
#include "crypto/refresh_token.hpp"
#include "crypto/signing_key.hpp"

namespace safawinet {

struct FormerKey {
  VerifyingKey key;
  bool is_distrusted = false;  // what it seems to have made may be a thief's
};
struct FormerMacKey {
  std::uint32_t id = 0;
  MacKey key;
  bool is_distrusted = false;
};

class Keyring {
 public:
  struct Parts {
    std::optional<SigningKey> active;                        // signs, verifies, and stands first in the JWKS
    std::vector<VerifyingKey> verifying;                     // former keys: verify, and are in the JWKS
    std::vector<std::pair<std::uint32_t, MacKey>> mac_keys;  // by id
    std::optional<std::uint32_t> active_mac_key_id;          // makes new sessions' refresh tokens; among mac_keys
    std::optional<SigningKey> next{};                        // verifies, is in the JWKS, and will be active
    std::optional<std::uint32_t> next_mac_key_id{};          // among mac_keys, and will be active
    // Nothing of theirs is accepted any more. As evidence, it is still recognised.
    std::vector<FormerKey> former{};
    std::vector<FormerMacKey> former_mac_keys{};
  };

  // std::invalid_argument if an active or next MAC key is missing or an id occurs twice.
  explicit Keyring(Parts parts);

  // Without these keys, signing keys by thumbprint and MAC keys by number: as the ring is from the moment on at which
  // they are distrusted. The next key takes the place of an active one; where there is none, nothing can be issued.
  [[nodiscard]] Keyring without(std::span<const std::string> ids) const;
  [[nodiscard]] bool contains(std::string_view id) const;

  // Throws Unavailable when there is none: it was distrusted, and the one to follow it is not known yet.
  [[nodiscard]] const SigningKey& signing_key() const;
  // By thumbprint, the active key included; null if there is none. Valid as long as this snapshot.
  [[nodiscard]] const VerifyingKey* find_verifying_key(std::string_view id) const;

  // Null if there is none. Valid as long as this snapshot.
  [[nodiscard]] const FormerKey* find_former_key(std::string_view id) const;
  [[nodiscard]] const FormerMacKey* find_former_mac_key(std::uint32_t id) const;

  // Throws Unavailable as signing_key() does.
  [[nodiscard]] std::uint32_t active_mac_key_id() const;
  // Null if there is none. Valid as long as this snapshot.
  [[nodiscard]] const MacKey* find_mac_key(std::uint32_t id) const;

  // RFC 7517 section 5: {"keys":[…]}, public keys alone.
  [[nodiscard]] const std::string& jwks() const { return jwks_; }

  // The functions of access_token.hpp and refresh_token.hpp with these keys.
  [[nodiscard]] std::string issue_access_token(const AccessClaims& claims) const {
    return safawinet::issue_access_token(signing_key(), claims);
  }
  [[nodiscard]] std::expected<AccessClaims, TokenFault> verify_access_token(std::string_view token,
                                                                            const AccessExpectations& expected) const;
  // The token of this session and generation. The key is `key_id`'s, so that a successor can be derived with the key of
  // the presented token; std::out_of_range if it is not in the ring.
  [[nodiscard]] std::string format_refresh_token(const RefreshToken& token) const;
  [[nodiscard]] std::optional<RefreshToken> parse_refresh_token(std::string_view text) const;

 private:
  Parts parts_;
  std::string jwks_;
};

}  // namespace safawinet
