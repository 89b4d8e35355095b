// Which passwords may be set: NIST SP 800-63B-4 section 3.1.1.2. Length, commonness and guessability; no composition
// rules.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.hpp"
#include "crypto/password.hpp"
#include "crypto/password_blocklist.hpp"

namespace safawinet {

inline constexpr std::size_t kPasswordMinimum = 15;  // code points, where the password is the only factor
inline constexpr std::size_t kPasswordMinimumWithSecondFactor = 8;  // and what no policy goes below
inline constexpr double kPasswordLeastBits = 35;                    // zxcvbn's estimate

// What an attacker knows about the account, and therefore tries first.
struct PasswordContext {
  std::string_view email;
  std::string_view name;  // empty if unknown
};

struct PasswordRules {
  std::size_t minimum_length = kPasswordMinimum;
  std::vector<std::string> service_names{};      // what people know the service by, besides "Safawinet"
  const PasswordBlocklist* blocklist = nullptr;  // outlives the policy; none: the built-in list alone
};

// Blocking: zxcvbn takes up to a few milliseconds; call it on the hashing pool. Threading: any number at once.
class PasswordPolicy {
 public:
  // std::invalid_argument unless kPasswordMinimumWithSecondFactor <= minimum_length <= kPasswordLimit.
  explicit PasswordPolicy(PasswordRules rules = {});
  explicit PasswordPolicy(std::size_t minimum_length)
      : PasswordPolicy(PasswordRules{.minimum_length = minimum_length}) {}

  // Every fault found, none if the password may be set.
  [[nodiscard]] std::vector<PasswordFault> check(const PasswordText& password, const PasswordContext& context) const;

  // PasswordText::from and check in one.
  [[nodiscard]] std::expected<PasswordText, std::vector<PasswordFault>> accept(std::string_view raw,
                                                                               const PasswordContext& context) const;

 private:
  [[nodiscard]] bool is_common(const SecretText& lowered) const;

  PasswordRules rules_;
};

}  // namespace safawinet
