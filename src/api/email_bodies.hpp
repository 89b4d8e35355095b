// The bodies of the routes about mail.
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "mail/mail.hpp"
#include "mail/mail_store.hpp"

namespace safawinet {

BOOST_DESCRIBE_ENUM(SuppressionScope, all, not_security)
BOOST_DESCRIBE_ENUM(MailKind, verify_email, reset_password, confirm_new_email, already_registered, password_changed,
                    email_changed, second_factor_changed, codes_guessed, session_ended_for_reuse, new_device,
                    forced_logout, account_held, account_deleted, invitation, test, announcement)

using MailId = Id<struct MailTag>;
using FeedbackId = Id<struct FeedbackTag>;

namespace api {

struct MailFiguresAnswer {
  std::int64_t sent = 0;
  std::int64_t delivered = 0;
  std::int64_t bounced = 0;
  std::int64_t bounced_transiently = 0;
  std::int64_t complained = 0;
  std::int64_t rejected = 0;
  std::int64_t refused = 0;
  std::int64_t given_up = 0;
  std::int64_t suppressed = 0;
  std::int64_t foreign = 0;
};
BOOST_DESCRIBE_STRUCT(MailFiguresAnswer, (),
                      (sent, delivered, bounced, bounced_transiently, complained, rejected, refused, given_up,
                       suppressed, foreign))

struct MailPointAnswer {
  Time at;
  MailFiguresAnswer figures;
};
BOOST_DESCRIBE_STRUCT(MailPointAnswer, (), (at, figures))

struct MailBacklogAnswer {
  std::int64_t waiting = 0;
  std::int64_t failing = 0;
  std::optional<Time> oldest_at;
};
BOOST_DESCRIBE_STRUCT(MailBacklogAnswer, (), (waiting, failing, oldest_at))

enum class GuardState { off, watching, holding };
BOOST_DESCRIBE_ENUM(GuardState, off, watching, holding)

struct MailGuardAnswer {
  GuardState state = GuardState::watching;
  std::string reason;
};
BOOST_DESCRIBE_STRUCT(MailGuardAnswer, (), (state, reason))

struct MailWarningAnswer {
  std::string name;
  std::string detail;
  std::int64_t count = 0;
  Time first_at;
  Time last_at;
};
BOOST_DESCRIBE_STRUCT(MailWarningAnswer, (), (name, detail, count, first_at, last_at))

struct MailStatisticsAnswer {
  Time since;
  MailFiguresAnswer totals;
  double bounce_rate = 0;
  double complaint_rate = 0;
  double bounce_rate_limit = 0;
  double complaint_rate_limit = 0;
  MailGuardAnswer guard;
  MailBacklogAnswer outbox;
  std::vector<MailWarningAnswer> warnings;
  std::vector<MailPointAnswer> points;
};
BOOST_DESCRIBE_STRUCT(MailStatisticsAnswer, (),
                      (since, totals, bounce_rate, complaint_rate, bounce_rate_limit, complaint_rate_limit, guard,
                       outbox, warnings, points))

struct BounceItem {
  FeedbackId id;
  std::string email;
  std::optional<UserId> user_id;
  std::optional<MailId> mail_id;
  std::string kind;
  std::string type;
  std::string subtype;
  std::string detail;
  std::string source;
  bool counted = false;
  Time at;
};
BOOST_DESCRIBE_STRUCT(BounceItem, (), (id, email, user_id, mail_id, kind, type, subtype, detail, source, counted, at))

struct BouncePage {
  std::vector<BounceItem> items;
  std::optional<std::string> next_cursor;
};
BOOST_DESCRIBE_STRUCT(BouncePage, (), (items, next_cursor))

enum class RecordedBounce { permanent, transient, complaint };
BOOST_DESCRIBE_ENUM(RecordedBounce, permanent, transient, complaint)

struct RecordBounceInput {
  EmailAddress email;
  RecordedBounce type = RecordedBounce::permanent;
  BoundedText<1, 500> reason;
};
BOOST_DESCRIBE_STRUCT(RecordBounceInput, (), (email, type, reason))

struct SuppressionItem {
  std::string email;
  SuppressionScope scope = SuppressionScope::all;
  std::string reason;
  std::string detail;
  std::string created_by;
  Time created_at;
};
BOOST_DESCRIBE_STRUCT(SuppressionItem, (), (email, scope, reason, detail, created_by, created_at))

struct SuppressionPage {
  std::vector<SuppressionItem> items;
  std::optional<std::string> next_cursor;
};
BOOST_DESCRIBE_STRUCT(SuppressionPage, (), (items, next_cursor))

struct SuppressInput {
  EmailAddress email;
  std::optional<SuppressionScope> scope;  // none: all
  BoundedText<1, 500> reason;
};
BOOST_DESCRIBE_STRUCT(SuppressInput, (), (email, scope, reason))

struct OutboxItem {
  MailId id;
  std::optional<std::string> email;  // none: it cannot be opened with the master key
  std::optional<UserId> user_id;
  std::string kind;
  std::int64_t attempts = 0;
  std::string last_error;
  Time created_at;
  Time next_attempt_at;
  bool being_sent = false;
};
BOOST_DESCRIBE_STRUCT(OutboxItem, (),
                      (id, email, user_id, kind, attempts, last_error, created_at, next_attempt_at, being_sent))

struct OutboxPage {
  std::vector<OutboxItem> items;
  std::optional<std::string> next_cursor;
};
BOOST_DESCRIBE_STRUCT(OutboxPage, (), (items, next_cursor))

// A mail of which it is known what became of it, or which still waits.
struct MailItem {
  MailId id;
  std::string email;
  std::optional<UserId> user_id;
  std::string kind;
  std::string state;  // "waiting", else how it ended
  std::int64_t attempts = 0;
  std::string detail;
  std::optional<std::string> feedback;
  std::optional<Time> feedback_at;
  Time created_at;
  std::optional<Time> ended_at;
};
BOOST_DESCRIBE_STRUCT(MailItem, (),
                      (id, email, user_id, kind, state, attempts, detail, feedback, feedback_at, created_at, ended_at))

struct MailPage {
  std::vector<MailItem> items;
  std::optional<std::string> next_cursor;
};
BOOST_DESCRIBE_STRUCT(MailPage, (), (items, next_cursor))

struct ReasonInput {
  std::optional<BoundedText<0, 500>> reason;
};
BOOST_DESCRIBE_STRUCT(ReasonInput, (), (reason))

struct SendTestInput {
  EmailAddress email;
  std::optional<MailKind> kind;  // none: test
  std::optional<Locale> locale;  // none: en
};
BOOST_DESCRIBE_STRUCT(SendTestInput, (), (email, kind, locale))

struct MailPreviewAnswer {
  MailKind kind = MailKind::test;
  std::string locale;
  std::string subject;
  std::string text;
  std::string html;
};
BOOST_DESCRIBE_STRUCT(MailPreviewAnswer, (), (kind, locale, subject, text, html))

}  // namespace api
}  // namespace safawinet
