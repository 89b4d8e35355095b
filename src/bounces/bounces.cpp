#include "bounces/bounces.hpp"

#include <algorithm>
#include <utility>

#include "access/standing.hpp"
#include "aws/sns.hpp"
#include "base/ascii.hpp"

namespace safawinet {
namespace {

// An event that names a mail that we do not know yet is about one that we are just writing down, if it is as young.
constexpr std::chrono::minutes kNotYetWrittenDown{2};
constexpr std::chrono::days kWarningsShown{30};
constexpr std::chrono::days kCountsKept{60};
constexpr std::int64_t kDeletedAtOnce = 5000;

FeedbackType bounce_type_of(std::string_view type) {
  if (type == "Permanent") return FeedbackType::permanent;
  if (type == "Transient") return FeedbackType::transient;
  return FeedbackType::undetermined;
}

Feedback feedback_of(const SesEvent& event, const SesRecipient& recipient, const SentMail& sent) {
  Feedback feedback{.feedback_id = event.feedback_id,
                    .email = sent.email,
                    .mail = sent.id,
                    .user = sent.user,
                    .subtype = event.subtype,
                    .detail = recipient.detail,
                    .source = FeedbackSource::ses,
                    .at = event.at};
  if (event.kind == SesEventKind::bounce) {
    feedback.type = bounce_type_of(event.type);
    feedback.is_about_address = feedback.type == FeedbackType::permanent || is_about_mailbox(event.subtype);
    return feedback;
  }
  feedback.type = event.type == "not-spam" ? FeedbackType::not_spam : FeedbackType::complaint;
  feedback.is_about_address = event.recipients.size() == 1;
  if (feedback.subtype.empty()) feedback.subtype = event.type;
  return feedback;
}

std::optional<std::string_view> counted_as(FeedbackType type) {
  switch (type) {
    case FeedbackType::permanent:
      return "bounced";
    case FeedbackType::transient:
    case FeedbackType::undetermined:
      return "bounced-transiently";
    case FeedbackType::complaint:
      return "complained";
    case FeedbackType::not_spam:
      return std::nullopt;
  }
  std::unreachable();
}

}  // namespace

Task<Result<Taken>> Bounces::take(SesEvent event, std::string message_id) {
  const auto now = parts_.clock.now();
  bool has_held = false;
  auto body = [&](sql::Transaction& transaction) -> Task<Result<Taken>> {
    has_held = false;
    const bool is_new = co_await store_.take_message(transaction, message_id, now);
    if (!is_new) co_return Taken::again;
    if (event.kind == SesEventKind::other) co_return Taken::ignored;
    const auto sent = co_await store_.find_sent(transaction, event.mail, event.provider_id);
    if (!sent) {
      bool may_come = event.sent_at + kNotYetWrittenDown > now;
      if (event.mail) may_come = co_await store_.is_waiting(transaction, *event.mail);
      if (may_come) {
        co_return refuse(Error{.code = ErrorCode::unavailable, .cause = {"an event is faster than its mail"}});
      }
      co_await count(transaction, "foreign");
      co_return Taken::foreign;
    }
    co_return co_await take_event(transaction, event, *sent, has_held);
  };
  auto taken = co_await parts_.database.transact(std::move(body));
  if (has_held) co_await parts_.sessions.made_known();
  if (taken && *taken == Taken::acted && event.kind == SesEventKind::reject) {
    parts_.log.event(LogLevel::error, "mail-rejected", {{"cause", event.detail}});
  }
  co_return taken;
}

Task<Taken> Bounces::take_event(sql::Transaction& transaction, const SesEvent& event, const SentMail& sent,
                                bool& has_held) {
  if (event.kind == SesEventKind::reject) {
    co_await store_.set_feedback(transaction, sent.id, "rejected", event.at);
    co_await store_.warn(transaction, "mail-rejected", event.detail, parts_.clock.now());
    co_await count(transaction, "rejected");
    co_return Taken::acted;
  }
  const auto named = std::ranges::find_if(event.recipients, [&](const SesRecipient& recipient) {
    return equals_ignoring_case(recipient.email, sent.email);
  });
  if (named == event.recipients.end()) {
    co_await count(transaction, "foreign");
    co_return Taken::foreign;
  }
  if (event.kind == SesEventKind::delivery) {
    co_await store_.forget_bounces(transaction, sent.email, event.at);  // the user first, as everywhere
    co_await store_.set_feedback(transaction, sent.id, "delivered", event.at);
    co_await count(transaction, "delivered");
    co_return Taken::acted;
  }
  auto feedback = feedback_of(event, *named, sent);
  const auto system = Actor::system();
  const auto kept = co_await act_on(transaction, std::move(feedback), system, has_held);
  co_return kept ? Taken::acted : Taken::again;
}

Task<void> Bounces::take_unsubscription(std::string topic, std::string message_id) {
  const auto now = parts_.clock.now();
  bool is_new = false;
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    is_new = co_await store_.take_message(transaction, message_id, now);
    if (is_new) co_await store_.warn(transaction, "sns-unsubscribed", topic, now);
    co_return true;
  };
  co_await parts_.database.transact(std::move(body));
  if (is_new) parts_.log.event(LogLevel::error, "sns-unsubscribed", {{"topic", topic}});
}

Task<void> Bounces::take_refusal(RefusedRecipient refused) {
  Feedback feedback{.feedback_id = "smtp:" + refused.mail.text(),
                    .email = refused.email,
                    .mail = refused.mail,
                    .user = refused.user,
                    .type = refused.is_permanent ? FeedbackType::permanent : FeedbackType::transient,
                    .detail = refused.detail,
                    .source = FeedbackSource::smtp,
                    .at = parts_.clock.now()};
  const auto system = Actor::system();
  bool has_held = false;
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    has_held = false;
    const auto kept = co_await act_on(transaction, feedback, system, has_held);
    co_return kept.has_value();
  };
  co_await parts_.database.transact(std::move(body));
  if (has_held) co_await parts_.sessions.made_known();
}

Task<Result<KeptFeedback>> Bounces::record(Operator acting, std::string email, FeedbackType type, std::string reason,
                                           Origin origin) {
  const auto now = parts_.clock.now();
  const auto id = Uuid::version7(now, parts_.random);
  bool has_held = false;
  auto body = [&](sql::Transaction& transaction) -> Task<Result<KeptFeedback>> {
    has_held = false;
    const auto current = co_await confirm(transaction, acting, Permission::mail_write, now);
    if (!current) co_return std::unexpected(current.error());
    const auto standing = co_await store_.find_standing(transaction, email);
    const auto role = standing ? parse_role(standing->role) : std::nullopt;
    if (role && !current->may_contain(*role)) co_return refuse(above_rank(standing->user));
    Feedback feedback{.feedback_id = "operator:" + id.text(),
                      .email = email,
                      .user = standing ? std::optional(standing->user) : std::nullopt,
                      .type = type,
                      .detail = reason,
                      .source = FeedbackSource::operator_,
                      .at = now};
    auto kept = co_await act_on(transaction, std::move(feedback), acting.actor, has_held);
    if (has_held) {
      // It disables somebody: not by the permission for mail alone.
      const auto may_disable = co_await confirm(transaction, acting, Permission::users_write, now);
      if (!may_disable) co_return std::unexpected(may_disable.error());
    }
    AuditEntry entry{.action = "mail.bounce-recorded",
                     .outcome = AuditOutcome::done,
                     .actor = acting.actor,
                     .target = standing ? target_of(standing->user) : "email:" + email,
                     .reason = std::string(name_of(type)) + (reason.empty() ? "" : ": " + reason),
                     .origin = origin};
    co_await parts_.audit.record(transaction, std::move(entry));
    co_return *std::move(kept);  // its id is new
  };
  auto recorded = co_await parts_.database.transact(std::move(body));
  if (recorded && has_held) co_await parts_.sessions.made_known();
  co_return recorded;
}

Task<std::optional<KeptFeedback>> Bounces::act_on(sql::Transaction& transaction, Feedback feedback, const Actor& actor,
                                                  bool& has_held) {
  const auto standing = co_await lock(transaction, feedback.email);
  const auto now = parts_.clock.now();
  KeptFeedback kept{.id = Uuid::version7(now, parts_.random),
                    .feedback = feedback,
                    .kind = std::string(name_of(kind_of(feedback.type))),
                    .type = std::string(name_of(feedback.type)),
                    .source = std::string(name_of(feedback.source)),
                    .is_counted = feedback.is_about_address,
                    .created_at = now};
  if (feedback.is_about_address && feedback.type != FeedbackType::permanent &&
      kind_of(feedback.type) == FeedbackKind::bounce) {
    kept.is_counted = !(co_await store_.has_delivery_after(transaction, feedback.email, feedback.at));
  }
  feedback.is_about_address = kept.is_counted;
  const bool is_new = co_await store_.insert(transaction, kept);
  if (!is_new) co_return std::nullopt;
  // The rates are of what came back of what we sent; an operator's word, and that a complaint was none, are in no rate.
  const auto counted = counted_as(feedback.type);
  if (counted && feedback.source != FeedbackSource::operator_) co_await count(transaction, *counted);
  if (feedback.mail) {
    const bool is_bounce = kind_of(feedback.type) == FeedbackKind::bounce;
    const std::string_view became = is_bounce                                 ? "bounced"
                                    : feedback.type == FeedbackType::not_spam ? "not-spam"
                                                                              : "complained";
    co_await store_.set_feedback(transaction, *feedback.mail, became, feedback.at);
  }
  if (!feedback.is_about_address) co_return kept;
  if (kind_of(feedback.type) == FeedbackKind::bounce) {
    co_await act_on_bounce(transaction, feedback, actor, standing, has_held);
  } else {
    co_await act_on_complaint(transaction, feedback, actor, standing);
  }
  co_return kept;
}

Task<void> Bounces::act_on_bounce(sql::Transaction& transaction, const Feedback& feedback, const Actor& actor,
                                  const std::optional<MailStanding>& standing, bool& has_held) {
  if (feedback.type == FeedbackType::permanent) {
    if (standing) co_await store_.set_email_status(transaction, standing->user, "bounced");
    co_await suppress(transaction, feedback, SuppressionScope::all, "bounce", actor);
    co_return;
  }
  if (!standing) co_return;
  const auto bounces = co_await store_.add_bounce(transaction, standing->user);
  if (rules_.threshold == 0 || bounces < rules_.threshold) co_return;
  co_await suppress(transaction, feedback, SuppressionScope::all, "bounce", actor);
  if (!rules_.holds_accounts || !standing->is_active) co_return;
  has_held = co_await hold(transaction, *standing, actor);
  if (has_held) co_return;
  co_await store_.warn(transaction, "last-superadmin-bounces", standing->email, parts_.clock.now());
}

Task<void> Bounces::act_on_complaint(sql::Transaction& transaction, const Feedback& feedback, const Actor& actor,
                                     const std::optional<MailStanding>& standing) {
  if (feedback.type == FeedbackType::not_spam) {
    co_await mails_.lift_complaint(transaction, feedback.email);
    if (standing && standing->email_status == "complained") {
      co_await store_.set_email_status(transaction, standing->user, "ok");
    }
    co_return;
  }
  co_await suppress(transaction, feedback, SuppressionScope::not_security, "complaint", actor);
  if (standing && standing->email_status == "ok") {
    co_await store_.set_email_status(transaction, standing->user, "complained");
  }
}

Task<void> Bounces::suppress(sql::Transaction& transaction, const Feedback& feedback, SuppressionScope scope,
                             std::string_view reason, const Actor& actor) {
  const Suppression suppression{.email = feedback.email,
                                .scope = scope,
                                .reason = std::string(reason),
                                .detail = feedback.detail,
                                .created_by = actor.text,
                                .created_at = parts_.clock.now()};
  co_await mails_.suppress(transaction, suppression);
}

Task<std::optional<MailStanding>> Bounces::lock(sql::Transaction& transaction, const std::string& email) {
  const auto locked = co_await store_.lock_standing_below_superadmin(transaction, email);
  if (locked) co_return locked;
  const auto as_seen = co_await store_.find_standing(transaction, email);
  if (!as_seen) co_return std::nullopt;
  if (as_seen->role == name_of(Role::superadmin)) {
    co_await users_.lock_in_order_with_superadmins(transaction, as_seen->user, as_seen->user);
  } else {
    co_await users_.lock(transaction, as_seen->user);
  }
  co_return co_await store_.find_standing(transaction, email);
}

Task<bool> Bounces::hold(sql::Transaction& transaction, const MailStanding& standing, const Actor& actor) {
  if (standing.role == name_of(Role::superadmin)) {
    const bool has_other = co_await users_.lock_other_superadmins(transaction, standing.user);
    if (!has_other) co_return false;
  }
  const auto now = parts_.clock.now();
  co_await parts_.sessions.end_all_of(transaction, standing.user, std::nullopt, std::string(kHeldForBounces), actor);
  co_await users_.disable(transaction, standing.user, kHeldForBounces, now);
  AuditEntry entry{.action = "user.held",
                   .outcome = AuditOutcome::done,
                   .actor = actor,
                   .target = target_of(standing.user),
                   .reason = std::string(kHeldForBounces),
                   .origin = {}};
  co_await parts_.audit.record(transaction, std::move(entry));
  co_return true;
}

Task<void> Bounces::count(sql::Transaction& transaction, std::string_view name) {
  co_await mails_.count(transaction, name, parts_.clock.now(), random_byte(parts_.random));
}

Task<std::vector<KeptFeedback>> Bounces::list(FeedbackFilter filter, std::optional<Uuid> before, std::int64_t limit) {
  co_return co_await store_.list(parts_.database, filter, before, limit);
}

Task<std::vector<MailWarning>> Bounces::list_warnings() {
  co_return co_await store_.list_warnings(parts_.database, parts_.clock.now() - kWarningsShown);
}

Task<bool> Bounces::sweep(std::chrono::days history) {
  const auto now = parts_.clock.now();
  // A day more than messages are taken for: none is forgotten while it could come again.
  const Time oldest_message = now - aws::kSnsMessageIdsKept - std::chrono::days(1);
  const bool has_messages = co_await store_.delete_messages_before(parts_.database, oldest_message, kDeletedAtOnce);
  const bool has_feedback = co_await store_.delete_before(parts_.database, now - history, kDeletedAtOnce);
  const bool has_mails = co_await mails_.delete_ended_before(parts_.database, now - history, kDeletedAtOnce);
  co_await mails_.delete_counts_before(parts_.database, now - kCountsKept);
  co_return has_messages || has_feedback || has_mails;
}

}  // namespace safawinet
