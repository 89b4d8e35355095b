#include "mail/mail.hpp"

#include <array>

namespace safawinet {
namespace {

struct Line {
  MailKind kind;
  std::string_view name;
  MailPriority priority;
};

// clang-format off
constexpr std::array<Line, kMailKinds> kTable{{
    {MailKind::verify_email,            "verify-email",            MailPriority::waited_for},
    {MailKind::reset_password,          "reset-password",          MailPriority::waited_for},
    {MailKind::confirm_new_email,       "confirm-new-email",       MailPriority::waited_for},
    {MailKind::already_registered,      "already-registered",      MailPriority::waited_for},
    {MailKind::password_changed,        "password-changed",        MailPriority::security},
    {MailKind::email_changed,           "email-changed",           MailPriority::security},
    {MailKind::second_factor_changed,   "second-factor-changed",   MailPriority::security},
    {MailKind::codes_guessed,           "codes-guessed",           MailPriority::security},
    {MailKind::session_ended_for_reuse, "session-ended-for-reuse", MailPriority::security},
    {MailKind::new_device,              "new-device",              MailPriority::security},
    {MailKind::forced_logout,           "forced-logout",           MailPriority::security},
    {MailKind::account_held,            "account-held",            MailPriority::security},
    {MailKind::account_deleted,         "account-deleted",         MailPriority::security},
    {MailKind::invitation,              "invitation",              MailPriority::ordinary},
    {MailKind::test,                    "test",                    MailPriority::ordinary},
    {MailKind::announcement,            "announcement",            MailPriority::announcement},
}};
// clang-format on

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<std::size_t>(kTable[i].kind) != i) return false;
  }
  return true;
}
static_assert(is_in_order(), "the table has the order of the enumeration");

const Line& line_of(MailKind kind) { return kTable.at(static_cast<std::size_t>(kind)); }

}  // namespace

std::string_view name_of(MailKind kind) { return line_of(kind).name; }

std::optional<MailKind> parse_mail_kind(std::string_view name) {
  for (const auto& line : kTable) {
    if (line.name == name) return line.kind;
  }
  return std::nullopt;
}

std::vector<MailKind> all_mail_kinds() {
  std::vector<MailKind> kinds;
  kinds.reserve(kTable.size());
  for (const auto& line : kTable) kinds.push_back(line.kind);
  return kinds;
}

MailPriority priority_of(MailKind kind) { return line_of(kind).priority; }

bool is_security_mail(MailKind kind) { return priority_of(kind) <= MailPriority::security; }

}  // namespace safawinet
