// What is sent and received: every body of the API, and how our own types look in JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "accounts/account_service.hpp"
#include "accounts/email_address.hpp"
#include "accounts/user.hpp"
#include "base/json.hpp"
#include "sessions/bulk_logout.hpp"
#include "sessions/session.hpp"

namespace safawinet {

template <>
struct JsonType<EmailAddress> {
  static std::expected<EmailAddress, FieldError> decode(const boost::json::value& value) {
    const auto text = text_of(value);
    if (!text) return std::unexpected(text.error());
    auto address = EmailAddress::parse(*text);
    if (!address) return bad_value("invalid", "must be an e-mail address such as ada@example.com");
    return std::move(*address);
  }
  static boost::json::object schema() { return {{"type", "string"}, {"format", "email"}, {"maxLength", 254}}; }
};

template <>
struct JsonType<Role> {
  static std::expected<Role, FieldError> decode(const boost::json::value& value) {
    const auto text = text_of(value);
    if (!text) return std::unexpected(text.error());
    const auto role = parse_role(*text);
    if (!role) return bad_value("not-one-of", "must be one of customer, support, admin, superadmin");
    return *role;
  }
  static void encode(std::string& out, const Role& role) { append_json_text(out, name_of(role)); }
  static boost::json::object schema() {
    return {{"type", "string"}, {"enum", {"customer", "support", "admin", "superadmin"}}};
  }
};

namespace api {

// Of a member that may be missing.
template <std::size_t Least, std::size_t Most>
std::string text_or_empty(std::optional<BoundedText<Least, Most>>& text) {
  return text ? std::move(text->value) : std::string();
}

// A language tag (RFC 5646) of the simple forms "en", "de-CH", "zh-Hant-TW".
struct Locale {
  std::string tag;
};

// A domain of e-mail addresses, in lower case.
struct EmailDomain {
  std::string text;
};

// A CIDR block in its canonical spelling.
struct Network {
  std::string text;
};

struct NoContent {};  // 204
struct Accepted {};   // 202 {}

struct RegisterInput {
  EmailAddress email;
  SecretText password;
  std::optional<BoundedText<0, 100>> name;
  std::optional<SecretText> invitation;
};
BOOST_DESCRIBE_STRUCT(RegisterInput, (), (email, password, name, invitation))

struct TokenInput {
  SecretText token;
};
BOOST_DESCRIBE_STRUCT(TokenInput, (), (token))

struct EmailInput {
  EmailAddress email;
};
BOOST_DESCRIBE_STRUCT(EmailInput, (), (email))

struct ResetPasswordInput {
  SecretText token;
  SecretText new_password;
};
BOOST_DESCRIBE_STRUCT(ResetPasswordInput, (), (token, new_password))

// Where the refresh token goes: into the body, or into a cookie that no script can read.
enum class Delivery { body, cookie };
BOOST_DESCRIBE_ENUM(Delivery, body, cookie)

struct LoginInput {
  EmailAddress email;
  SecretText password;
  std::optional<BoundedText<0, 100>> device_name;
  std::optional<Delivery> delivery;  // none: body
};
BOOST_DESCRIBE_STRUCT(LoginInput, (), (email, password, device_name, delivery))

struct NewAddressInput {
  EmailAddress email;
  SecretText password;
  EmailAddress new_email;
  std::optional<SecretText> code;
};
BOOST_DESCRIBE_STRUCT(NewAddressInput, (), (email, password, new_email, code))

// Without the token in the body, it is the one of the cookie that is meant.
struct RefreshInput {
  std::optional<SecretText> refresh_token;
};
BOOST_DESCRIBE_STRUCT(RefreshInput, (), (refresh_token))

struct LogoutInput {
  std::optional<SecretText> refresh_token;
};
BOOST_DESCRIBE_STRUCT(LogoutInput, (), (refresh_token))

struct ForceLogoutInput {
  std::optional<UserId> user_id;
  std::optional<EmailAddress> email;
  std::optional<BoundedText<0, 500>> reason;
  std::optional<bool> include_own_session;
};
BOOST_DESCRIBE_STRUCT(ForceLogoutInput, (), (user_id, email, reason, include_own_session))

struct ForceLogoutAllInput {
  std::optional<BoundedText<0, 500>> reason;
  std::optional<bool> include_own_session;
};
BOOST_DESCRIBE_STRUCT(ForceLogoutAllInput, (), (reason, include_own_session))

struct LogoutCriteriaInput {
  std::optional<Time> last_login_before;
  std::optional<Time> last_login_after;
  std::optional<bool> never_logged_in;
  std::optional<Time> user_created_before;
  std::optional<Time> user_created_after;
  std::optional<Role> role;
  std::optional<EmailDomain> email_domain;
  std::optional<Network> ip_network;
  std::optional<BoundedText<1, 200>> user_agent;
  std::optional<std::vector<UserId>> user_ids;
  std::optional<std::vector<EmailAddress>> emails;
  std::optional<Time> session_created_before;
  std::optional<Time> session_created_after;
  std::optional<Time> session_used_before;
  std::optional<Time> session_used_after;
};
BOOST_DESCRIBE_STRUCT(LogoutCriteriaInput, (),
                      (last_login_before, last_login_after, never_logged_in, user_created_before, user_created_after,
                       role, email_domain, ip_network, user_agent, user_ids, emails, session_created_before,
                       session_created_after, session_used_before, session_used_after))

struct BulkLogoutInput {
  LogoutCriteriaInput criteria;
  std::optional<bool> dry_run;
  std::optional<std::string> confirmation;
  std::optional<BoundedText<0, 500>> reason;
  std::optional<bool> include_own_session;
};
BOOST_DESCRIBE_STRUCT(BulkLogoutInput, (), (criteria, dry_run, confirmation, reason, include_own_session))

struct ProfileInput {
  std::optional<BoundedText<0, 100>> name;
  std::optional<Locale> locale;
};
BOOST_DESCRIBE_STRUCT(ProfileInput, (), (name, locale))

struct ChangePasswordInput {
  SecretText current_password;
  SecretText new_password;
};
BOOST_DESCRIBE_STRUCT(ChangePasswordInput, (), (current_password, new_password))

struct ChangeEmailInput {
  SecretText password;
  EmailAddress new_email;
};
BOOST_DESCRIBE_STRUCT(ChangeEmailInput, (), (password, new_email))

struct PasswordInput {
  SecretText password;
};
BOOST_DESCRIBE_STRUCT(PasswordInput, (), (password))

struct UserAnswer {
  UserId id;
  std::string email;
  bool email_verified = false;
  std::string name;
  std::string locale;
  Role role = Role::customer;
  Time created_at;
  std::optional<Time> last_login_at;
};
BOOST_DESCRIBE_STRUCT(UserAnswer, (), (id, email, email_verified, name, locale, role, created_at, last_login_at))

// For staff.
struct AdminUserAnswer {
  UserId id;
  std::string email;
  bool email_verified = false;
  std::string email_status;
  std::string name;
  std::string locale;
  Role role = Role::customer;
  bool is_active = true;
  std::optional<std::string> disabled_reason;
  std::optional<Time> disabled_at;
  Time created_at;
  std::optional<Time> last_login_at;
};
BOOST_DESCRIBE_STRUCT(AdminUserAnswer, (),
                      (id, email, email_verified, email_status, name, locale, role, is_active, disabled_reason,
                       disabled_at, created_at, last_login_at))

// One user, with what stands in the way of a login: the wrong passwords that count (kGuessingLimits), and a second
// factor.
struct UserDetails : AdminUserAnswer {
  std::int64_t wrong_passwords = 0;
  std::int64_t wrong_codes = 0;
  std::optional<Time> locked_until;
  bool has_second_factor = false;
  std::int64_t backup_codes_left = 0;
};
BOOST_DESCRIBE_STRUCT(UserDetails, (AdminUserAnswer),
                      (wrong_passwords, wrong_codes, locked_until, has_second_factor, backup_codes_left))

struct LoginAnswer {
  SecretText access_token;
  Omissible<SecretText> refresh_token;  // not there when the cookie has it
  std::string token_type;
  std::int64_t expires_in = 0;
  UserAnswer user;
};
BOOST_DESCRIBE_STRUCT(LoginAnswer, (), (access_token, refresh_token, token_type, expires_in, user))

struct RefreshAnswer {
  SecretText access_token;
  Omissible<SecretText> refresh_token;  // not there when the cookie has it
  std::string token_type;
  std::int64_t expires_in = 0;
};
BOOST_DESCRIBE_STRUCT(RefreshAnswer, (), (access_token, refresh_token, token_type, expires_in))

// --- second factors

struct SecondFactorInput {
  SecretText ticket;
  SecretText code;
  std::optional<Delivery> delivery;  // none: body
};
BOOST_DESCRIBE_STRUCT(SecondFactorInput, (), (ticket, code, delivery))

struct StepUpInput {
  std::optional<SecretText> password;
  std::optional<SecretText> code;
};
BOOST_DESCRIBE_STRUCT(StepUpInput, (), (password, code))

struct StepUpAnswer {
  SecretText access_token;
  std::string token_type;
  std::int64_t expires_in = 0;
};
BOOST_DESCRIBE_STRUCT(StepUpAnswer, (), (access_token, token_type, expires_in))

struct CodeInput {
  SecretText code;
};
BOOST_DESCRIBE_STRUCT(CodeInput, (), (code))

struct PasswordAndCodeInput {
  SecretText password;
  SecretText code;
};
BOOST_DESCRIBE_STRUCT(PasswordAndCodeInput, (), (password, code))

struct TotpState {
  Time enrolled_at;
  std::optional<Time> last_used_at;
};
BOOST_DESCRIBE_STRUCT(TotpState, (), (enrolled_at, last_used_at))

struct FactorsAnswer {
  std::optional<TotpState> totp;  // none: there is no second factor
  std::int64_t backup_codes_left = 0;
};
BOOST_DESCRIBE_STRUCT(FactorsAnswer, (), (totp, backup_codes_left))

struct TotpOfferAnswer {
  SecretText secret;
  SecretText otpauth_uri;
  SecretText qr_svg;
  SecretText qr_png;  // base64
};
BOOST_DESCRIBE_STRUCT(TotpOfferAnswer, (), (secret, otpauth_uri, qr_svg, qr_png))

struct BackupCodesAnswer {
  std::vector<SecretText> backup_codes;
};
BOOST_DESCRIBE_STRUCT(BackupCodesAnswer, (), (backup_codes))

struct SessionItem {
  SessionId id;
  bool current = false;
  std::string device_name;
  std::string user_agent;
  std::string ip_address;
  Time created_at;
  Time last_used_at;
  Time expires_at;
};
BOOST_DESCRIBE_STRUCT(SessionItem, (),
                      (id, current, device_name, user_agent, ip_address, created_at, last_used_at, expires_at))

struct SessionPage {
  std::vector<SessionItem> items;
  std::optional<std::string> next_cursor;
};
BOOST_DESCRIBE_STRUCT(SessionPage, (), (items, next_cursor))

struct UserPage {
  std::vector<AdminUserAnswer> items;
  std::optional<std::string> next_cursor;
};
BOOST_DESCRIBE_STRUCT(UserPage, (), (items, next_cursor))

struct SessionsEndedAnswer {
  std::int64_t sessions_ended = 0;
};
BOOST_DESCRIBE_STRUCT(SessionsEndedAnswer, (), (sessions_ended))

// Which record of the revocation feed the answer stands for: a node that has read as far refuses the tokens.
struct RevocationAnswer {
  std::string scope;  // "user" or "global"
  std::int64_t sequence = 0;
  std::optional<std::int64_t> epoch;
};
BOOST_DESCRIBE_STRUCT(RevocationAnswer, (), (scope, sequence, epoch))

struct ForcedLogoutAnswer {
  std::int64_t sessions_ended = 0;
  std::optional<SessionId> spared_session;
  RevocationAnswer revocation;
};
BOOST_DESCRIBE_STRUCT(ForcedLogoutAnswer, (), (sessions_ended, spared_session, revocation))

struct MatchedUserItem {
  UserId id;
  std::string email;
  std::int64_t sessions = 0;
  std::optional<Time> last_login_at;
};
BOOST_DESCRIBE_STRUCT(MatchedUserItem, (), (id, email, sessions, last_login_at))

// What matches the criteria and is left alone.
struct BulkLogoutExemptions {
  std::optional<SessionId> own_session;
  std::int64_t users_above_role = 0;
  std::int64_t sessions_above_role = 0;
};
BOOST_DESCRIBE_STRUCT(BulkLogoutExemptions, (), (own_session, users_above_role, sessions_above_role))

struct BulkLogoutPreviewAnswer {
  LogoutCriteria criteria;
  std::int64_t users = 0;
  std::int64_t sessions = 0;
  std::vector<MatchedUserItem> sample;
  BulkLogoutExemptions exemptions;
  std::string confirmation;
  Time confirmation_expires_at;
};
BOOST_DESCRIBE_STRUCT(BulkLogoutPreviewAnswer, (),
                      (criteria, users, sessions, sample, exemptions, confirmation, confirmation_expires_at))

struct BulkLogoutAnswer {
  BulkLogoutId id;
  std::string state;  // "running" or "done"
  LogoutCriteria criteria;
  std::string reason;
  std::string actor;
  std::optional<SessionId> spared_session;
  std::int64_t sessions_expected = 0;
  std::int64_t sessions_ended = 0;
  Time started_at;
  std::optional<Time> finished_at;
};
BOOST_DESCRIBE_STRUCT(BulkLogoutAnswer, (),
                      (id, state, criteria, reason, actor, spared_session, sessions_expected, sessions_ended,
                       started_at, finished_at))

struct BulkLogoutPage {
  std::vector<BulkLogoutAnswer> items;
  std::optional<std::string> next_cursor;
};
BOOST_DESCRIBE_STRUCT(BulkLogoutPage, (), (items, next_cursor))

struct DependencyState {
  std::string status;
  std::optional<double> latency_ms;
};
BOOST_DESCRIBE_STRUCT(DependencyState, (), (status, latency_ms))

struct Dependencies {
  DependencyState database;
  DependencyState cache;
  DependencyState mail;
};
BOOST_DESCRIBE_STRUCT(Dependencies, (), (database, cache, mail))

struct HealthAnswer {
  std::string status;
  std::string mode;  // the compromise mode
  Dependencies dependencies;
};
BOOST_DESCRIBE_STRUCT(HealthAnswer, (), (status, mode, dependencies))

struct StatusAnswer {
  std::string status;
};
BOOST_DESCRIBE_STRUCT(StatusAnswer, (), (status))

UserAnswer to_answer(const User& user);
AdminUserAnswer to_admin_answer(const User& user);
SessionItem to_item(const Session& session, std::optional<SessionId> current);

BulkLogoutAnswer to_answer(const BulkLogout& order);

}  // namespace api

template <>
struct JsonType<api::EmailDomain> {
  static std::expected<api::EmailDomain, FieldError> decode(const boost::json::value& value);
  static boost::json::object schema() { return {{"type", "string"}, {"maxLength", 252}}; }
};

template <>
struct JsonType<api::Network> {
  static std::expected<api::Network, FieldError> decode(const boost::json::value& value);
  static boost::json::object schema() { return {{"type", "string"}, {"maxLength", 49}}; }
};

template <>
struct JsonType<api::Locale> {
  static std::expected<api::Locale, FieldError> decode(const boost::json::value& value);
  static boost::json::object schema() {
    return {{"type", "string"}, {"pattern", "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$"}};
  }
};

}  // namespace safawinet
