// One-time passwords by time: TOTP (RFC 6238) over HOTP (RFC 4226), as authenticator apps make them: HMAC-SHA-1, six
// digits, thirty seconds.
//
// Threading: any thread. Errors: std::runtime_error when the library cannot work at all.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/secret.hpp"

namespace safawinet {

inline constexpr std::size_t kTotpSecretBytes = 20;  // RFC 4226 section 4 recommends 160 bits
inline constexpr unsigned kTotpDigits = 6;
inline constexpr std::chrono::seconds kTotpStep{30};
// How many steps the clock of a phone may be away, to either side.
inline constexpr std::int64_t kTotpDriftSteps = 1;

// The number of the step that this moment is in.
std::int64_t totp_step_of(Time time);

// The code of a step; `step` is the moving factor of HOTP.
SecretText totp_code(ByteView secret, std::int64_t step, unsigned digits = kTotpDigits);

// Which steps' codes were taken: each works once. The last ones are remembered, and no clock decides which, so a clock
// that jumps brings no used code back.
//
// A code is refused when that of its step was taken before, or that of a later one (somebody may have seen it, and
// waited). Later ones count as long as they do not lie further ahead than the drift: those were taken while the clock
// was wrong, and would lock the user out until it is that late.
class UsedSteps {
 public:
  static constexpr std::size_t kRemembered = 16;

  UsedSteps() = default;
  // As text() wrote it. Throws std::runtime_error for what it did not write.
  static UsedSteps parse(std::string_view text);

  [[nodiscard]] bool refuses(std::int64_t step, Time now) const;
  void add(std::int64_t step);
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::int64_t> steps_;  // the newest last
};

// The step whose code this is: one within the drift that `used` does not refuse; none if there is none. Takes the same
// time wherever it is found.
std::optional<std::int64_t> find_totp_step(ByteView secret, std::string_view code, Time now, const UsedSteps& used);

// The secret as it is typed into an app that cannot read the picture: base32 (RFC 4648), without padding.
SecretText totp_secret_text(ByteView secret);
// What the picture says: otpauth://totp/Issuer:account?secret=…, the format that authenticator apps share.
SecretText totp_uri(ByteView secret, std::string_view issuer, std::string_view account);

}  // namespace safawinet
