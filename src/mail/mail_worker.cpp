#include "mail/mail_worker.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/ascii.hpp"
#include "base/pause.hpp"

namespace safawinet {
namespace {

constexpr std::int64_t kClaimedAtOnce = 5;
// How long mails belong to the lane that claimed them; what cannot be sent before is left to the next one.
constexpr std::chrono::seconds kLease{60};
constexpr std::chrono::seconds kFirstRetry{5};
constexpr std::chrono::seconds kLongestRetry{3600};
constexpr std::chrono::hours kGivenUpAfter{24};
constexpr std::int64_t kTriesAtLeast = 5;  // it may have waited for other reasons before
constexpr std::chrono::hours kTriedAgainAfter{24};
constexpr std::chrono::milliseconds kPauseBeforeRecording{500};
// A lane that has to wait for the overall rate waits with the mail in its hands, this long at the most.
constexpr std::chrono::seconds kLongestTurn{2};
constexpr std::size_t kDetailLimit = 500;
constexpr std::size_t kProviderIdLimit = 200;  // those of SES have some 60 characters

std::string domain_of(std::string_view email) { return to_lower(email.substr(email.rfind('@') + 1)); }

bool is_suppressed(const Suppression& suppression, MailKind kind) {
  return suppression.scope == SuppressionScope::all || !is_security_mail(kind);
}

// Of a reply what names nobody: "550 5.1.1". All of what is no reply.
std::string without_names(const std::string& failure) {
  const auto is_code = [](char c) { return (c >= '0' && c <= '9') || c == '.'; };
  if (failure.size() < 4 || !std::ranges::all_of(failure.substr(0, 3), is_code)) return failure;
  const auto end = std::ranges::find_if_not(failure, [&](char c) { return is_code(c) || c == ' ' || c == '-'; });
  std::string code(failure.begin(), end);
  while (code.ends_with(' ') || code.ends_with('-')) code.pop_back();
  return code;
}

}  // namespace

Task<Delivery> MailWorker::deliver_due() {
  Delivery delivery;
  if (is_closing()) co_return delivery;
  const auto last = parts_.hold.is_on() ? MailPriority::security : MailPriority::announcement;
  const auto now = parts_.clock.now();
  const auto priority = co_await store_.find_due_priority(parts_.database, now, static_cast<std::int64_t>(last));
  if (!priority) co_return delivery;
  const Time until = now + kLease;
  auto mails = co_await store_.claim(parts_.database, *priority, now, until, kClaimedAtOnce);
  std::ranges::sort(mails, {}, &WaitingMail::id);
  for (auto& mail : mails) {
    if (is_closing()) {
      co_await store_.give_back(parts_.database, mail, now);
    } else {
      co_await deliver(std::move(mail), until, delivery);
    }
  }
  co_return delivery;
}

Task<void> MailWorker::deliver(WaitingMail waiting, Time claimed_until, Delivery& delivery) {
  const auto mail = open_mail(parts_.master_key, waiting.id, waiting.sealed);
  if (!mail) {
    const Handover unreadable{.kind = Handover::Kind::later, .detail = "cannot be opened with this master key"};
    const Mail nobody{.to = {}, .subject = {}, .text = {}};
    co_await try_again(waiting, nobody, unreadable, delivery);
    co_return;
  }
  const auto suppression = co_await store_.find_suppression(parts_.database, mail->to);
  if (suppression && is_suppressed(*suppression, mail->kind) && !(co_await may_try_again(*suppression, *mail))) {
    const Handover unsent{.kind = Handover::Kind::message_refused, .detail = "suppressed: " + suppression->reason};
    co_await end(waiting, *mail, MailOutcome::suppressed, unsent);
    ++delivery.ended;
    co_return;
  }
  const auto turn = co_await wait_for_turn(*mail);
  const auto now = parts_.clock.now();
  if (turn || now + kLongestSend > claimed_until) {
    const Time next = now + turn.value_or(std::chrono::seconds(0));
    co_await store_.give_back(parts_.database, waiting, next);
    ++delivery.given_back;
    co_return;
  }
  const auto handover = co_await hand_over(waiting, *mail);
  delivery.is_servers_trouble = handover.is_servers_trouble;
  switch (handover.kind) {
    case Handover::Kind::taken:
      co_await end(waiting, *mail, MailOutcome::sent, handover);
      ++delivery.sent;
      break;
    case Handover::Kind::later:
      co_await try_again(waiting, *mail, handover, delivery);
      break;
    case Handover::Kind::recipient_refused:
    case Handover::Kind::message_refused:
      co_await end(waiting, *mail, MailOutcome::refused, handover);
      ++delivery.ended;
      break;
  }
}

// What others said is cut to what every database takes: a mail that went out and is not recorded goes out again.
Task<Handover> MailWorker::hand_over(const WaitingMail& waiting, const Mail& mail) {
  Handover handover;
  try {
    auto send = [&] { return transport_->send(waiting.id, mail, waiting.created_at); };
    handover = co_await parts_.pool.run(std::move(send));
  } catch (const std::exception& failure) {
    handover = {.kind = Handover::Kind::later, .detail = failure.what(), .is_servers_trouble = true};
  }
  handover.detail = printable(handover.detail, kDetailLimit);
  handover.provider_id = printable(handover.provider_id, kProviderIdLimit);
  co_return handover;
}

Task<std::optional<std::chrono::seconds>> MailWorker::wait_for_turn(const Mail& mail) {
  // The overall rate first: a turn of it that goes unused is over in a second, one of a domain in a minute.
  const RateLimit of_all{.name = "mail-all", .count = parts_.rates.per_second, .window = std::chrono::seconds(1)};
  const auto patience = parts_.clock.monotonic() + kLongestTurn;
  while (of_all.count != 0) {
    const auto wait = co_await parts_.limits.take(of_all, "all");
    if (!wait) break;
    if (parts_.clock.monotonic() >= patience) co_return wait;
    constexpr std::chrono::milliseconds kBetweenTries{20};
    co_await pause_for(kBetweenTries);
  }
  const RateLimit of_domain{
      .name = "mail-domain", .count = parts_.rates.per_domain_and_minute, .window = kLongestMailWindow};
  if (of_domain.count == 0) co_return std::nullopt;
  co_return co_await parts_.limits.take(of_domain, domain_of(mail.to));
}

// A server was wrong, a mailbox is there again: whoever waits for a link to get in may find out, once a day. What an
// operator or a complaint has suppressed is not tried.
Task<bool> MailWorker::may_try_again(const Suppression& suppression, const Mail& mail) {
  if (suppression.reason != "bounce" || priority_of(mail.kind) != MailPriority::waited_for) co_return false;
  const bool was_tried =
      co_await store_.has_tried_since(parts_.database, mail.to, parts_.clock.now() - kTriedAgainAfter);
  co_return !was_tried;
}

Task<void> MailWorker::end(const WaitingMail& waiting, const Mail& mail, MailOutcome outcome,
                           const Handover& handover) {
  for (;;) {
    std::exception_ptr failure;
    try {
      co_await record_end(waiting, mail, outcome, handover);
      co_return;
    } catch (const Unavailable&) {
      failure = std::current_exception();
    }
    const bool is_over = !waiting.claimed_until || parts_.clock.now() + kPauseBeforeRecording > *waiting.claimed_until;
    if (is_over) std::rethrow_exception(failure);
    co_await pause_for(kPauseBeforeRecording);
  }
}

// The feedback first: should we die in between, it is found to be there already, and nothing is lost.
Task<void> MailWorker::record_end(const WaitingMail& waiting, const Mail& mail, MailOutcome outcome,
                                  const Handover& handover) {
  if (handover.kind == Handover::Kind::recipient_refused && parts_.on_refused) {
    RefusedRecipient refused{.mail = waiting.id,
                             .user = waiting.user,
                             .email = mail.to,
                             .is_permanent = handover.is_about_mailbox,
                             .detail = handover.detail};
    co_await parts_.on_refused(std::move(refused));
  }
  const auto now = parts_.clock.now();
  const EndedMail ended{.id = waiting.id,
                        .user = waiting.user,
                        .email = mail.to,
                        .kind = waiting.kind,
                        .outcome = std::string(name_of(outcome)),
                        .attempts = waiting.attempts + 1,
                        .detail = handover.detail,
                        .provider_id = handover.provider_id,
                        .created_at = waiting.created_at,
                        .ended_at = now,
                        .feedback = {},
                        .feedback_at = {}};
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const bool was_there = co_await store_.take_out(transaction, waiting.id);
    if (!was_there) co_return true;
    co_await store_.insert_ended(transaction, ended);
    co_await store_.count(transaction, ended.outcome, now, random_byte(parts_.random));
    co_return true;
  };
  co_await parts_.database.transact(std::move(body));
}

Task<void> MailWorker::try_again(const WaitingMail& waiting, const Mail& mail, const Handover& handover,
                                 Delivery& delivery) {
  const auto now = parts_.clock.now();
  const auto& detail = handover.detail;
  delivery.last_failure = without_names(detail);
  if (now - waiting.created_at >= kGivenUpAfter && waiting.attempts + 1 >= kTriesAtLeast) {
    if (handover.is_about_mailbox && !mail.to.empty() && parts_.on_refused) {
      RefusedRecipient refused{
          .mail = waiting.id, .user = waiting.user, .email = mail.to, .is_permanent = false, .detail = detail};
      co_await parts_.on_refused(std::move(refused));
    }
    const Handover given_up{.kind = Handover::Kind::later, .detail = detail};
    co_await end(waiting, mail, MailOutcome::given_up, given_up);
    ++delivery.ended;
    co_return;
  }
  const auto next = next_attempt(waiting.attempts);
  co_await store_.postpone(parts_.database, waiting, next, detail);
  ++delivery.failed;
}

// Twice as long each time, up to a tenth sooner or later, so that those that failed together come apart.
Time MailWorker::next_attempt(std::int64_t attempts) const {
  const auto doubled = kFirstRetry * (std::int64_t{1} << std::min<std::int64_t>(attempts, 10));
  const std::chrono::milliseconds delay = std::min(doubled, kLongestRetry);
  const auto jitter = delay / 10 * (std::int64_t{random_byte(parts_.random)} - 128) / 128;
  return parts_.clock.now() + delay + jitter;
}

}  // namespace safawinet
