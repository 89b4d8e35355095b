#include "api/email_api.hpp"

#include <algorithm>
#include <utility>

#include "base/encoding.hpp"

namespace safawinet::api {
namespace {

constexpr std::int64_t kHours = 24;
constexpr std::int64_t kLongestHours = 14 * 24;  // as SES shows them

MailFiguresAnswer to_answer(const MailFigures& figures) {
  return {.sent = figures.sent,
          .delivered = figures.delivered,
          .bounced = figures.bounced,
          .bounced_transiently = figures.bounced_transiently,
          .complained = figures.complained,
          .rejected = figures.rejected,
          .refused = figures.refused,
          .given_up = figures.given_up,
          .suppressed = figures.suppressed,
          .foreign = figures.foreign};
}

BounceItem to_item(const KeptFeedback& kept) {
  const auto& feedback = kept.feedback;
  return {.id = FeedbackId{kept.id},
          .email = feedback.email,
          .user_id = feedback.user,
          .mail_id = feedback.mail ? std::optional(MailId{*feedback.mail}) : std::nullopt,
          .kind = kept.kind,
          .type = kept.type,
          .subtype = feedback.subtype,
          .detail = feedback.detail,
          .source = kept.source,
          .counted = kept.is_counted,
          .at = feedback.at};
}

SuppressionItem to_item(const Suppression& suppression) {
  return {.email = suppression.email,
          .scope = suppression.scope,
          .reason = suppression.reason,
          .detail = suppression.detail,
          .created_by = suppression.created_by,
          .created_at = suppression.created_at};
}

OutboxItem to_item(const OutboxEntry& entry, Time now) {
  const auto& waiting = entry.waiting;
  return {.id = MailId{waiting.id},
          .email = entry.email.empty() ? std::nullopt : std::optional(entry.email),
          .user_id = waiting.user,
          .kind = waiting.kind,
          .attempts = waiting.attempts,
          .last_error = waiting.last_error,
          .created_at = waiting.created_at,
          .next_attempt_at = waiting.next_attempt_at,
          .being_sent = waiting.claimed_until && *waiting.claimed_until > now};
}

MailItem to_item(const EndedMail& mail) {
  return {.id = MailId{mail.id},
          .email = mail.email,
          .user_id = mail.user,
          .kind = mail.kind,
          .state = mail.outcome,
          .attempts = mail.attempts,
          .detail = mail.detail,
          .feedback = mail.feedback.empty() ? std::nullopt : std::optional(mail.feedback),
          .feedback_at = mail.feedback_at,
          .created_at = mail.created_at,
          .ended_at = mail.ended_at};
}

MailItem waiting_item(const OutboxEntry& entry) {
  const auto& waiting = entry.waiting;
  return {.id = MailId{waiting.id},
          .email = entry.email,
          .user_id = waiting.user,
          .kind = waiting.kind,
          .state = "waiting",
          .attempts = waiting.attempts,
          .detail = waiting.last_error,
          .feedback = {},
          .feedback_at = {},
          .created_at = waiting.created_at,
          .ended_at = {}};
}

MailItem to_item(const MailState& state) {
  return state.waiting ? waiting_item(*state.waiting) : to_item(*state.ended);
}

FeedbackType type_of(RecordedBounce recorded) {
  switch (recorded) {
    case RecordedBounce::permanent:
      return FeedbackType::permanent;
    case RecordedBounce::transient:
      return FeedbackType::transient;
    case RecordedBounce::complaint:
      return FeedbackType::complaint;
  }
  std::unreachable();
}

// ?reason=, empty if there is none.
Result<std::string> reason_of(const Call& call) {
  const auto text = call.query("reason");
  if (!text) return std::unexpected(text.error());
  auto reason = BoundedText<0, 500>::parse(text->value_or(""));
  if (!reason) {
    reason.error().pointer = "?reason";
    return refuse(Error{.code = ErrorCode::invalid_fields, .fields = {std::move(reason.error())}});
  }
  return std::move(reason->value);
}

}  // namespace

Task<Result<MailStatisticsAnswer>> EmailApi::statistics(Call& call) {
  const auto hours = call.number("hours", 1, kLongestHours);
  if (!hours) co_return std::unexpected(hours.error());
  MailStatisticsAnswer answer;
  answer.since = parts_.clock.now() - std::chrono::hours(hours->value_or(kHours));
  const auto points = co_await parts_.guard.points_since(answer.since);
  const auto sum = sum_of(points);
  answer.totals = to_answer(sum);
  answer.bounce_rate = sum.bounce_rate();
  answer.complaint_rate = sum.complaint_rate();
  answer.bounce_rate_limit = kBounceRateLimit;
  answer.complaint_rate_limit = kComplaintRateLimit;
  const auto reason = co_await parts_.guard.reason();
  answer.guard.state = !parts_.guard.is_enabled() ? GuardState::off
                       : reason                   ? GuardState::holding
                                                  : GuardState::watching;
  answer.guard.reason = reason.value_or("");
  const auto backlog = co_await parts_.desk.count_waiting();
  answer.outbox = {.waiting = backlog.waiting, .failing = backlog.failing, .oldest_at = backlog.oldest};
  const auto warnings = co_await parts_.bounces.list_warnings();
  for (const auto& warning : warnings) {
    answer.warnings.push_back({.name = warning.name,
                               .detail = warning.detail,
                               .count = warning.count,
                               .first_at = warning.first_at,
                               .last_at = warning.last_at});
  }
  for (const auto& point : points) answer.points.push_back({.at = point.at, .figures = to_answer(point.figures)});
  co_return answer;
}

Task<Result<BouncePage>> EmailApi::list_bounces(Call& call) {
  const auto page = page_of<FeedbackId>(call);
  if (!page) co_return std::unexpected(page.error());
  const auto email = call.query("email");
  if (!email) co_return std::unexpected(email.error());
  const auto kind = call.query("kind");
  if (!kind) co_return std::unexpected(kind.error());
  FeedbackFilter filter{.email = email->value_or("")};
  if (*kind && **kind != "bounce" && **kind != "complaint") {
    co_return bad_query("kind", "not-one-of", "must be bounce or complaint");
  }
  if (*kind) filter.kind = **kind == "bounce" ? FeedbackKind::bounce : FeedbackKind::complaint;
  const auto before = page->before ? std::optional(page->before->uuid) : std::nullopt;
  const auto list = co_await parts_.bounces.list(std::move(filter), before, page->limit + 1);
  BouncePage answer;
  for (const auto& kept : list) answer.items.push_back(to_item(kept));
  answer.next_cursor = cut_page(answer.items, page->limit);
  co_return answer;
}

Task<Result<BounceItem>> EmailApi::record_bounce(Call& call, RecordBounceInput input) {
  const auto recorded = co_await parts_.bounces.record(*call.acting, input.email.text(), type_of(input.type),
                                                       std::move(input.reason.value), call.origin());
  if (!recorded) co_return std::unexpected(recorded.error());
  co_return to_item(*recorded);
}

Task<Result<SuppressionPage>> EmailApi::list_suppressions(Call& call) {
  const auto limit = call.number("limit", 1, kPageLimit);
  if (!limit) co_return std::unexpected(limit.error());
  const auto query = call.query("query");
  if (!query) co_return std::unexpected(query.error());
  const auto cursor = call.query("cursor");
  if (!cursor) co_return std::unexpected(cursor.error());
  std::optional<std::string> after;
  if (*cursor) {
    const auto bytes = from_base64url(**cursor);
    if (!bytes) co_return bad_query("cursor", "invalid", "must be a cursor that the previous page gave");
    after.emplace(bytes->begin(), bytes->end());
  }
  const auto size = static_cast<std::size_t>(limit->value_or(PageRequest<MailId>().limit));
  auto list = co_await parts_.desk.list_suppressions(query->value_or(""), std::move(after),
                                                     static_cast<std::int64_t>(size) + 1);
  SuppressionPage answer;
  if (list.size() > size) {
    list.resize(size);
    answer.next_cursor = to_base64url(as_bytes(list.back().email));
  }
  for (const auto& suppression : list) answer.items.push_back(to_item(suppression));
  co_return answer;
}

Task<Result<SuppressionItem>> EmailApi::suppress(Call& call, SuppressInput input) {
  const auto scope = input.scope.value_or(SuppressionScope::all);
  const auto holds = co_await parts_.desk.suppress(*call.acting, input.email.text(), scope,
                                                   std::move(input.reason.value), call.origin());
  if (!holds) co_return std::unexpected(holds.error());
  co_return to_item(*holds);
}

Task<Result<NoContent>> EmailApi::lift_suppression(Call& call) {
  const auto email = call.query("email");
  if (!email) co_return std::unexpected(email.error());
  if (!*email || (*email)->empty()) co_return bad_query("email", "required", "must name the address");
  auto reason = reason_of(call);
  if (!reason) co_return std::unexpected(reason.error());
  const auto lifted = co_await parts_.desk.lift(*call.acting, **email, std::move(*reason), call.origin());
  if (!lifted) co_return std::unexpected(lifted.error());
  co_return NoContent{};
}

Task<Result<OutboxPage>> EmailApi::list_outbox(Call& call) {
  const auto page = page_of<MailId>(call);
  if (!page) co_return std::unexpected(page.error());
  const auto failing = call.query("failing");
  if (!failing) co_return std::unexpected(failing.error());
  if (*failing && **failing != "true" && **failing != "false") {
    co_return bad_query("failing", "not-one-of", "must be true or false");
  }
  const OutboxFilter filter{.is_failing_only = *failing == "true"};
  const auto after = page->before ? std::optional(page->before->uuid) : std::nullopt;
  const auto entries = co_await parts_.desk.list_waiting(filter, after, page->limit + 1);
  OutboxPage answer;
  const auto now = parts_.clock.now();
  for (const auto& entry : entries) answer.items.push_back(to_item(entry, now));
  answer.next_cursor = cut_page(answer.items, page->limit);
  co_return answer;
}

Task<Result<NoContent>> EmailApi::retry(Call& call, ReasonInput input) {
  const auto id = call.id<MailId>(0);
  if (!id) co_return std::unexpected(id.error());
  const auto retried = co_await parts_.desk.retry(*call.acting, id->uuid, text_or_empty(input.reason), call.origin());
  if (!retried) co_return std::unexpected(retried.error());
  co_return NoContent{};
}

Task<Result<NoContent>> EmailApi::drop(Call& call) {
  const auto id = call.id<MailId>(0);
  if (!id) co_return std::unexpected(id.error());
  auto reason = reason_of(call);
  if (!reason) co_return std::unexpected(reason.error());
  const auto dropped = co_await parts_.desk.drop(*call.acting, id->uuid, std::move(*reason), call.origin());
  if (!dropped) co_return std::unexpected(dropped.error());
  co_return NoContent{};
}

Task<Result<MailItem>> EmailApi::get_mail(Call& call) {
  const auto id = call.id<MailId>(0);
  if (!id) co_return std::unexpected(id.error());
  const auto state = co_await parts_.desk.find(id->uuid);
  if (!state) co_return std::unexpected(state.error());
  co_return to_item(*state);
}

Task<Result<MailPage>> EmailApi::history_of_user(Call& call) {
  const auto id = call.id<UserId>(0);
  if (!id) co_return std::unexpected(id.error());
  const auto page = page_of<MailId>(call);
  if (!page) co_return std::unexpected(page.error());
  const auto user = co_await parts_.accounts.get(*id);
  if (!user) co_return std::unexpected(user.error());
  const auto before = page->before ? std::optional(page->before->uuid) : std::nullopt;
  const auto mails = co_await parts_.desk.history_of(*id, before, page->limit + 1);
  MailPage answer;
  for (const auto& mail : mails) answer.items.push_back(to_item(mail));
  answer.next_cursor = cut_page(answer.items, page->limit);
  co_return answer;
}

Task<Result<MailPreviewAnswer>> EmailApi::preview(Call& call) {
  const auto kind_name = call.query("kind");
  if (!kind_name) co_return std::unexpected(kind_name.error());
  const auto kind = parse_mail_kind(kind_name->value_or(""));
  if (!kind) {
    std::string names;
    for (const auto known : all_mail_kinds()) names += (names.empty() ? "" : ", ") + std::string(name_of(known));
    co_return bad_query("kind", "not-one-of", "must be one of " + names);
  }
  const auto locale = call.query("locale");
  if (!locale) co_return std::unexpected(locale.error());
  const Addressee to{.email = "ada@example.com", .locale = locale->value_or("en")};
  auto mail = parts_.letters.sample(*kind, to, parts_.clock.now());
  MailPreviewAnswer answer{.kind = *kind,
                           .locale = to.locale,
                           .subject = std::move(mail.subject),
                           .text = std::move(mail.text),
                           .html = std::move(mail.html)};
  co_return answer;
}

Task<Result<MailItem>> EmailApi::send_test(Call& call, SendTestInput input) {
  const auto limited = co_await parts_.accounts.limit_mail(input.email, call.visitor());
  if (!limited) co_return std::unexpected(limited.error());
  Addressee to{.email = input.email.text(), .locale = input.locale ? input.locale->tag : "en"};
  const auto kind = input.kind.value_or(MailKind::test);
  const auto id = co_await parts_.desk.send_sample(*call.acting, kind, std::move(to), call.origin());
  if (!id) co_return std::unexpected(id.error());
  const auto state = co_await parts_.desk.find(*id);
  if (!state) co_return std::unexpected(state.error());
  co_return to_item(*state);
}

}  // namespace safawinet::api
