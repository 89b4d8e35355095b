#include "bounces/feedback.hpp"

#include <utility>

namespace safawinet {

FeedbackKind kind_of(FeedbackType type) {
  const bool is_complaint = type == FeedbackType::complaint || type == FeedbackType::not_spam;
  return is_complaint ? FeedbackKind::complaint : FeedbackKind::bounce;
}

std::string_view name_of(FeedbackKind kind) { return kind == FeedbackKind::bounce ? "bounce" : "complaint"; }

std::string_view name_of(FeedbackType type) {
  switch (type) {
    case FeedbackType::permanent:
      return "permanent";
    case FeedbackType::transient:
      return "transient";
    case FeedbackType::undetermined:
      return "undetermined";
    case FeedbackType::complaint:
      return "complaint";
    case FeedbackType::not_spam:
      return "not-spam";
  }
  std::unreachable();
}

std::string_view name_of(FeedbackSource source) {
  switch (source) {
    case FeedbackSource::ses:
      return "ses";
    case FeedbackSource::smtp:
      return "smtp";
    case FeedbackSource::operator_:
      return "operator";
  }
  std::unreachable();
}

bool is_about_mailbox(std::string_view bounce_subtype) {
  return bounce_subtype != "MessageTooLarge" && bounce_subtype != "ContentRejected" &&
         bounce_subtype != "AttachmentRejected";
}

}  // namespace safawinet
