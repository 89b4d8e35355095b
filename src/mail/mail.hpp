// One mail to one person, and the kinds of mail that there are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"

namespace safawinet {

enum class MailKind {
  verify_email,
  reset_password,
  confirm_new_email,
  already_registered,
  password_changed,
  email_changed,
  second_factor_changed,
  codes_guessed,
  session_ended_for_reuse,
  new_device,
  forced_logout,
  account_held,
  account_deleted,
  invitation,
  test,
  announcement,
};
inline constexpr std::size_t kMailKinds = static_cast<std::size_t>(MailKind::announcement) + 1;

// What is more urgent is sent first.
enum class MailPriority : std::uint8_t {
  waited_for,    // somebody sits in front of the screen
  security,      // tells an owner what happened to the account
  ordinary,      // may wait, and is held back while our reputation is in danger
  announcement,  // to many; the same
};

// "verify-email": in the database, the API and the command line.
std::string_view name_of(MailKind kind);
std::optional<MailKind> parse_mail_kind(std::string_view name);
std::vector<MailKind> all_mail_kinds();
MailPriority priority_of(MailKind kind);
// Sent also to those who have complained about other mail of ours, and whatever the reputation guard says.
bool is_security_mail(MailKind kind);

struct Mail {
  std::string to;  // a bare address
  MailKind kind = MailKind::test;
  std::optional<UserId> user{};  // whose account it is about
  std::string subject;           // one line of UTF-8
  std::string text;              // UTF-8, lines ended by \n
  std::string html{};            // the same for those who show it; empty: there is only the text
};

}  // namespace safawinet
