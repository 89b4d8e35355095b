// E-mail addresses as we accept them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace safawinet {

// A bare address: a dot-atom local part (RFC 5321 section 4.1.2) and a domain of letters, digits and hyphens, an
// international one as xn--; no quoted local parts, comments or address literals; at most 254 bytes (RFC 5321 section
// 4.5.3.1). Addresses are the same whatever their case.
//
// The local part may have letters and digits of other scripts (RFC 6531), all of one script, in the one form that they
// have when case and compatibility are folded (NFKC_Casefold): so none becomes, or looks like, somebody else's by
// another spelling.
class EmailAddress {
 public:
  static std::optional<EmailAddress> parse(std::string_view text);

  [[nodiscard]] const std::string& text() const { return text_; }  // as it was written
  // The one spelling by which limits count.
  [[nodiscard]] std::string key() const;

 private:
  explicit EmailAddress(std::string text) : text_(std::move(text)) {}

  std::string text_;
};

}  // namespace safawinet
