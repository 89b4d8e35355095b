#include "bounces/ses_event.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <utility>

#include "base/json.hpp"
#include "mail/ses_transport.hpp"

namespace safawinet {
namespace {

constexpr std::size_t kRecipientLimit = 100;
constexpr std::size_t kTextLimit = 500;  // bytes of what others say

std::unexpected<Error> unreadable(std::string_view what) {
  return refuse(ErrorCode::unreadable_request, "This is no event of SES: " + std::string(what) + ".");
}

const boost::json::object* object_at(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_object() ? &value->get_object() : nullptr;
}

std::string short_text_in(const boost::json::object& object, std::string_view name) {
  auto text = text_in(object, name);
  std::size_t size = std::min(text.size(), kTextLimit);
  while (size < text.size() && size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
  text.resize(size);
  return text;
}

std::vector<SesRecipient> recipients_at(const boost::json::object& object, std::string_view name) {
  std::vector<SesRecipient> recipients;
  const auto* list = object.if_contains(name);
  if (list == nullptr || !list->is_array()) return recipients;
  for (const auto& item : list->get_array()) {
    if (recipients.size() >= kRecipientLimit) break;
    if (item.is_string()) {
      recipients.push_back({.email = bare_address(item.get_string()), .detail = {}});
    } else if (item.is_object()) {
      const auto& recipient = item.get_object();
      recipients.push_back({.email = bare_address(short_text_in(recipient, "emailAddress")),
                            .detail = short_text_in(recipient, "diagnosticCode")});
    }
  }
  return recipients;
}

// The first value of a tag: SES gives each as a list.
std::string tag_at(const boost::json::object& mail, std::string_view name) {
  const auto* tags = object_at(mail, "tags");
  const auto* values = tags == nullptr ? nullptr : tags->if_contains(name);
  if (values == nullptr || !values->is_array() || values->get_array().empty()) return {};
  const auto& first = values->get_array().front();
  return first.is_string() ? std::string(first.get_string()) : std::string();
}

SesEventKind kind_of(std::string_view name) {
  if (name == "Bounce") return SesEventKind::bounce;
  if (name == "Complaint") return SesEventKind::complaint;
  if (name == "Delivery") return SesEventKind::delivery;
  if (name == "Reject") return SesEventKind::reject;
  return SesEventKind::other;
}

// What SES tells besides the mail stands under a name of the kind.
std::string_view member_of(SesEventKind kind) {
  switch (kind) {
    case SesEventKind::bounce:
      return "bounce";
    case SesEventKind::complaint:
      return "complaint";
    case SesEventKind::delivery:
      return "delivery";
    case SesEventKind::reject:
      return "reject";
    case SesEventKind::other:
      return {};
  }
  std::unreachable();
}

}  // namespace

std::string bare_address(std::string_view text) {
  const auto open = text.rfind('<');
  if (open != std::string_view::npos) {
    const auto close = text.find('>', open);
    text = text.substr(open + 1, (close == std::string_view::npos ? text.size() : close) - open - 1);
  }
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return std::string(text);
}

Result<SesEvent> parse_ses_event(std::string_view message) {
  const auto json = parse_json(message);
  SesEvent event;
  if (!json || !json->is_object()) return event;
  const auto& object = json->get_object();
  event.name = short_text_in(object, "eventType");
  if (event.name.empty()) event.name = short_text_in(object, "notificationType");
  event.kind = kind_of(event.name);
  const auto* mail = object_at(object, "mail");
  if (event.kind == SesEventKind::other) return event;
  if (mail == nullptr) return unreadable("it has no \"mail\"");
  event.provider_id = short_text_in(*mail, "messageId");
  event.mail = Uuid::parse(tag_at(*mail, kMailTag));
  const auto sent_at = parse_rfc3339(short_text_in(*mail, "timestamp"));
  if (!sent_at) return unreadable("\"/mail/timestamp\" is no time");
  event.sent_at = *sent_at;
  event.at = *sent_at;
  const auto* told = object_at(object, member_of(event.kind));
  if (told == nullptr) return unreadable("it does not say what has happened");
  if (event.kind == SesEventKind::reject) {
    event.detail = short_text_in(*told, "reason");
    return event;
  }
  const auto at = parse_rfc3339(short_text_in(*told, "timestamp"));
  if (!at) return unreadable("its \"timestamp\" is no time");
  event.at = *at;
  if (event.kind == SesEventKind::delivery) {
    event.recipients = recipients_at(*told, "recipients");
    return event;
  }
  event.feedback_id = short_text_in(*told, "feedbackId");
  if (event.feedback_id.empty()) return unreadable("it has no \"feedbackId\"");
  const bool is_bounce = event.kind == SesEventKind::bounce;
  event.type = short_text_in(*told, is_bounce ? "bounceType" : "complaintFeedbackType");
  event.subtype = short_text_in(*told, is_bounce ? "bounceSubType" : "complaintSubType");
  event.recipients = recipients_at(*told, is_bounce ? "bouncedRecipients" : "complainedRecipients");
  return event;
}

}  // namespace safawinet
