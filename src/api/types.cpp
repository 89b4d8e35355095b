#include "api/types.hpp"

#include <utility>

#include <algorithm>

#include "base/address.hpp"

namespace safawinet {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_letter_or_digit(char c) { return is_letter(c) || (c >= '0' && c <= '9'); }

bool is_locale(std::string_view tag) {
  constexpr int kSubtagsLimit = 3;
  const auto first = tag.substr(0, tag.find('-'));
  if (first.size() < 2 || first.size() > 3 || !std::ranges::all_of(first, is_letter)) return false;
  tag.remove_prefix(first.size());
  for (int subtags = 0; !tag.empty(); ++subtags) {
    tag.remove_prefix(1);
    const auto subtag = tag.substr(0, tag.find('-'));
    if (subtags == kSubtagsLimit || subtag.size() < 2 || subtag.size() > 8) return false;
    if (!std::ranges::all_of(subtag, is_letter_or_digit)) return false;
    tag.remove_prefix(subtag.size());
  }
  return true;
}

}  // namespace

std::expected<api::Locale, FieldError> JsonType<api::Locale>::decode(const boost::json::value& value) {
  const auto text = text_of(value);
  if (!text) return std::unexpected(text.error());
  if (!is_locale(*text)) return bad_value("invalid", "must be a language tag such as en, de-CH or zh-Hant-TW");
  return api::Locale{std::string(*text)};
}

std::expected<api::EmailDomain, FieldError> JsonType<api::EmailDomain>::decode(const boost::json::value& value) {
  const auto text = text_of(value);
  if (!text) return std::unexpected(text.error());
  constexpr std::string_view kAnybody = "a@";
  const auto address = EmailAddress::parse(std::string(kAnybody) + std::string(*text));
  if (!address) return bad_value("invalid", "must be the domain of an e-mail address, such as example.com");
  return api::EmailDomain{address->key().substr(kAnybody.size())};
}

std::expected<api::Network, FieldError> JsonType<api::Network>::decode(const boost::json::value& value) {
  const auto text = text_of(value);
  if (!text) return std::unexpected(text.error());
  const auto network = IpNetwork::parse(*text);
  if (!network) {
    return bad_value("invalid", "must be a network such as 192.0.2.0/24 or 2001:db8::/32, or one address");
  }
  return api::Network{network->text()};
}

namespace api {

UserAnswer to_answer(const User& user) {
  return {.id = user.id,
          .email = user.email,
          .email_verified = user.email_verified_at.has_value(),
          .name = user.name,
          .locale = user.locale,
          .role = user.role,
          .created_at = user.created_at,
          .last_login_at = user.last_login_at};
}

AdminUserAnswer to_admin_answer(const User& user) {
  return {.id = user.id,
          .email = user.email,
          .email_verified = user.email_verified_at.has_value(),
          .email_status = user.email_status,
          .name = user.name,
          .locale = user.locale,
          .role = user.role,
          .is_active = user.is_active,
          .disabled_reason = user.disabled_reason,
          .disabled_at = user.disabled_at,
          .created_at = user.created_at,
          .last_login_at = user.last_login_at};
}

SessionItem to_item(const Session& session, std::optional<SessionId> current) {
  return {.id = session.id,
          .current = current == session.id,
          .device_name = session.device.name,
          .user_agent = session.device.user_agent,
          .ip_address = session.device.ip_address,
          .created_at = session.created_at,
          .last_used_at = session.last_used_at,
          .expires_at = session.expires_at};
}

BulkLogoutAnswer to_answer(const BulkLogout& order) {
  return {.id = order.id,
          .state = order.is_done ? "done" : "running",
          .criteria = order.criteria,
          .reason = order.reason,
          .actor = order.actor.text,
          .spared_session = order.spared,
          .sessions_expected = order.sessions_expected,
          .sessions_ended = order.sessions_ended,
          .started_at = order.created_at,
          .finished_at = order.finished_at};
}

}  // namespace api
}  // namespace safawinet
