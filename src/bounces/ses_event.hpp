// What Amazon SES tells of a mail, in either of the two shapes that it has for it: events ("eventType", published by a
// configuration set) and notifications ("notificationType", of an identity).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"

namespace safawinet {

enum class SesEventKind {
  bounce,
  complaint,
  delivery,
  reject,
  other,  // opens, clicks, delays, …: of no consequence
};

struct SesRecipient {
  std::string email;   // bare, as SES spells it
  std::string detail;  // what the receiving server said; empty: nothing
};

struct SesEvent {
  SesEventKind kind = SesEventKind::other;
  std::string name;          // as SES calls it
  std::string provider_id;   // of the mail
  std::optional<Uuid> mail;  // that our tag names; only in events
  Time sent_at;              // when SES took the mail
  Time at;                   // when it happened
  std::string feedback_id;   // of bounces and complaints
  std::string type;          // of a bounce: "Permanent", …; of a complaint what it says: "abuse", "not-spam", …
  std::string subtype;
  std::string detail;  // of a rejection: why
  std::vector<SesRecipient> recipients;
};

// Unknown members are ignored. What is no event at all is `other`: SNS and SES send texts, too. Errors:
// unreadable_request, for an event that lacks what it is about.
Result<SesEvent> parse_ses_event(std::string_view message);

// "Ada <ada@example.com>" -> "ada@example.com".
std::string bare_address(std::string_view text);

}  // namespace safawinet
