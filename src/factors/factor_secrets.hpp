// What a user's second factor stands on, and how it is kept.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/random.hpp"
#include "crypto/digest.hpp"
#include "crypto/sealing.hpp"
#include "factors/totp.hpp"

namespace safawinet {

// The secret that the user's app has, and the key of the backup codes that go with it. Wiped when it ends. Moved, never
// copied.
class FactorSecrets {
 public:
  static FactorSecrets make(Random& random);
  // Base64 of what seal() wrote for this user. Throws std::runtime_error for anything else, and under another master
  // key.
  static FactorSecrets open(const MasterKey& master_key, UserId user, std::string_view sealed);

  FactorSecrets(FactorSecrets&& other) noexcept;
  FactorSecrets& operator=(FactorSecrets&&) = delete;
  FactorSecrets(const FactorSecrets&) = delete;
  FactorSecrets& operator=(const FactorSecrets&) = delete;
  ~FactorSecrets();

  // For the purpose "totp-secret/<user id>": another user's row opens nothing.
  [[nodiscard]] std::string seal(const MasterKey& master_key, UserId user) const;

  [[nodiscard]] ByteView totp() const { return ByteView(bytes_).first(kTotpSecretBytes); }
  [[nodiscard]] MacKey backup_codes() const { return MacKey(ByteView(bytes_).subspan(kTotpSecretBytes)); }

 private:
  FactorSecrets() = default;

  std::array<std::uint8_t, kTotpSecretBytes + MacKey::kBytes> bytes_{};
};

}  // namespace safawinet
