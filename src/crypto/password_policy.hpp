// Which passwords may be set: NIST SP 800-63B-4 section 3.1.1.2. Length, commonness and guessability; no composition
// rules.
#pragma once

#include <cstddef>
#include <expected>
#include <string_view>
#include <vector>

#include "crypto/password.hpp"

namespace safawinet {

inline constexpr std::size_t kPasswordMinimum = 15;  // code points, where the password is the only factor
inline constexpr std::size_t kPasswordMinimumWithSecondFactor = 8;  // and what no policy goes below
inline constexpr double kPasswordLeastBits = 35;                    // zxcvbn's estimate

// What an attacker knows about the account, and therefore tries first.
struct PasswordContext {
  std::string_view email;
  std::string_view name;  // empty if unknown
};

// Blocking: zxcvbn takes up to a few milliseconds; call it on the hashing pool. Threading: any number at once.
class PasswordPolicy {
 public:
  // std::invalid_argument unless kPasswordMinimumWithSecondFactor <= minimum_length <= kPasswordLimit.
  explicit PasswordPolicy(std::size_t minimum_length = kPasswordMinimum);

  // Every fault found, none if the password may be set.
  [[nodiscard]] std::vector<PasswordFault> check(const PasswordText& password, const PasswordContext& context) const;

  // PasswordText::from and check in one.
  [[nodiscard]] std::expected<PasswordText, std::vector<PasswordFault>> accept(std::string_view raw,
                                                                               const PasswordContext& context) const;

 private:
  std::size_t minimum_length_;
};

}  // namespace safawinet
