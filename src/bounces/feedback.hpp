// What came back of mail, and what it does to an address and its account.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/ids.hpp"

namespace safawinet {

enum class FeedbackKind { bounce, complaint };

enum class FeedbackType {
  permanent,     // the address is no good
  transient,     // it may be tomorrow
  undetermined,  // nobody knows
  complaint,     // the recipient has called it spam
  not_spam,      // the recipient has called it no spam after all
};

enum class FeedbackSource { ses, smtp, operator_ };

struct Feedback {
  std::string feedback_id;  // the same when it is told again
  std::string email;
  std::optional<Uuid> mail{};    // that it is about; none: an operator says so
  std::optional<UserId> user{};  // whose account that mail was about
  FeedbackType type = FeedbackType::undetermined;
  std::string subtype{};
  std::string detail{};
  FeedbackSource source = FeedbackSource::ses;
  bool is_about_address = true;  // false: the message was at fault, or nobody knows who complained
  Time at;                       // when it happened
};

// As it is kept.
struct KeptFeedback {
  Uuid id;
  Feedback feedback;
  std::string kind;  // as in the database, as are the next two
  std::string type;
  std::string source;
  bool is_counted = false;
  Time created_at;
};

FeedbackKind kind_of(FeedbackType type);
std::string_view name_of(FeedbackKind kind);
std::string_view name_of(FeedbackType type);
std::string_view name_of(FeedbackSource source);

// Whether a bounce that is not permanent says something about the mailbox, and not about the message (too large, its
// content, an attachment): by the subtypes of SES.
bool is_about_mailbox(std::string_view bounce_subtype);

}  // namespace safawinet
