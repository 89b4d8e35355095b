#include "bounces/mail_desk.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "access/standing.hpp"

namespace safawinet {
namespace {

Error ended_or_being_sent() {
  return {.code = ErrorCode::conflict, .detail = {"It is being sent at this moment, or waits no more."}};
}

}  // namespace

OutboxEntry MailDesk::opened(WaitingMail waiting) const {
  auto mail = open_mail(parts_.master_key, waiting.id, waiting.sealed);
  return {.waiting = std::move(waiting), .email = mail ? std::move(mail->to) : std::string()};
}

Task<std::vector<OutboxEntry>> MailDesk::list_waiting(OutboxFilter filter, std::optional<Uuid> after,
                                                      std::int64_t limit) {
  auto waiting = co_await store_.list_waiting(parts_.database, after, limit, filter);
  std::vector<OutboxEntry> entries;
  entries.reserve(waiting.size());
  for (auto& mail : waiting) entries.push_back(opened(std::move(mail)));
  co_return entries;
}

Task<MailStore::Backlog> MailDesk::count_waiting() { co_return co_await store_.count_waiting(parts_.database); }

Task<Result<MailState>> MailDesk::find(Uuid id) {
  MailState state;
  auto waiting = co_await store_.find_waiting(parts_.database, id);
  if (waiting) {
    state.waiting = opened(std::move(*waiting));
    co_return state;
  }
  state.ended = co_await store_.find_ended(parts_.database, id);
  if (!state.ended) co_return refuse(ErrorCode::not_found);
  co_return state;
}

Task<std::vector<MailState>> MailDesk::history_of(UserId user, std::optional<Uuid> before, std::int64_t limit) {
  // In this order none is missed that ends in between; it is there twice then.
  auto waiting = co_await store_.list_waiting_of(parts_.database, user, before, limit);
  auto ended = co_await store_.list_ended_of(parts_.database, user, before, limit);
  std::vector<MailState> mails;
  for (auto& mail : ended) mails.push_back({.waiting = {}, .ended = std::move(mail)});
  for (auto& mail : waiting) {
    if (std::ranges::find(mails, mail.id, &MailState::id) != mails.end()) continue;
    mails.push_back({.waiting = opened(std::move(mail)), .ended = {}});
  }
  std::ranges::sort(mails, std::ranges::greater(), &MailState::id);
  if (mails.size() > static_cast<std::size_t>(limit)) mails.resize(static_cast<std::size_t>(limit));
  co_return mails;
}

Task<Status> MailDesk::retry(Operator acting, Uuid id, std::string reason, Origin origin) {
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const std::string anybody;
    const auto may = co_await check(transaction, acting, anybody, now);
    if (!may) co_return std::unexpected(may.error());
    const bool is_due = co_await store_.make_due(transaction, id, now);
    if (!is_due) co_return refuse(ended_or_being_sent());
    co_await record(transaction, "mail.retried", acting, "mail:" + id.text(), reason, origin);
    co_return true;
  };
  const auto waiting = co_await store_.find_waiting(parts_.database, id);
  if (!waiting) co_return refuse(ErrorCode::not_found);
  const auto retried = co_await parts_.database.transact(std::move(body));
  if (!retried) co_return std::unexpected(retried.error());
  co_return Status{};
}

Task<Status> MailDesk::drop(Operator acting, Uuid id, std::string reason, Origin origin) {
  const auto now = parts_.clock.now();
  const auto waiting = co_await store_.find_waiting(parts_.database, id);
  if (!waiting) co_return refuse(ErrorCode::not_found);
  const auto entry = opened(*waiting);
  const EndedMail ended{.id = id,
                        .user = entry.waiting.user,
                        .email = entry.email,
                        .kind = entry.waiting.kind,
                        .outcome = std::string(name_of(MailOutcome::dropped)),
                        .attempts = entry.waiting.attempts,
                        .detail = reason,
                        .provider_id = {},
                        .created_at = entry.waiting.created_at,
                        .ended_at = now,
                        .feedback = {},
                        .feedback_at = {}};
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto may = co_await check(transaction, acting, entry.email, now, entry.waiting.user);
    if (!may) co_return std::unexpected(may.error());
    const bool was_there = co_await store_.take_out_unclaimed(transaction, id, now);
    if (!was_there) co_return refuse(ended_or_being_sent());
    co_await store_.insert_ended(transaction, ended);
    co_await record(transaction, "mail.dropped", acting, "mail:" + id.text(), reason, origin);
    co_return true;
  };
  const auto dropped = co_await parts_.database.transact(std::move(body));
  if (!dropped) co_return std::unexpected(dropped.error());
  co_return Status{};
}

Task<std::vector<Suppression>> MailDesk::list_suppressions(std::string part, std::optional<std::string> after,
                                                           std::int64_t limit) {
  co_return co_await store_.list_suppressions(parts_.database, part, std::move(after), limit);
}

Task<Result<Suppression>> MailDesk::suppress(Operator acting, std::string email, SuppressionScope scope,
                                             std::string reason, Origin origin) {
  const auto now = parts_.clock.now();
  const Suppression suppression{.email = email,
                                .scope = scope,
                                .reason = "operator",
                                .detail = reason,
                                .created_by = acting.actor.text,
                                .created_at = now};
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto may = co_await check(transaction, acting, email, now);
    if (!may) co_return std::unexpected(may.error());
    co_await store_.suppress(transaction, suppression);
    co_await record(transaction, "mail.suppressed", acting, "email:" + email, reason, origin);
    co_return true;
  };
  const auto suppressed = co_await parts_.database.transact(std::move(body));
  if (!suppressed) co_return std::unexpected(suppressed.error());
  auto holds = co_await store_.find_suppression(parts_.database, email);
  co_return holds.value_or(suppression);
}

Task<Status> MailDesk::lift(Operator acting, std::string email, std::string reason, Origin origin) {
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto may = co_await check(transaction, acting, email, now);
    if (!may) co_return std::unexpected(may.error());
    const bool is_there = co_await store_.is_suppressed(transaction, email);
    if (!is_there) co_return refuse(ErrorCode::not_found);
    co_await store_.set_mail_good(transaction, email);  // the user first, as everywhere
    co_await store_.lift_suppression(transaction, email);
    co_await record(transaction, "mail.suppression-lifted", acting, "email:" + email, reason, origin);
    co_return true;
  };
  const auto lifted = co_await parts_.database.transact(std::move(body));
  if (!lifted) co_return std::unexpected(lifted.error());
  co_return Status{};
}

Task<Result<Uuid>> MailDesk::send_sample(Operator acting, MailKind kind, Addressee to, Origin origin) {
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<Uuid>> {
    const auto may = co_await check(transaction, acting, to.email, now);
    if (!may) co_return std::unexpected(may.error());
    auto letter = parts_.letters.sample(kind, to, now);
    const auto id = co_await parts_.outbox.enqueue(transaction, std::move(letter));
    co_await record(transaction, "mail.test-sent", acting, "email:" + to.email, std::string(name_of(kind)), origin);
    co_return id;
  };
  co_return co_await parts_.database.transact(std::move(body));
}

Task<Status> MailDesk::check(sql::Transaction& transaction, const Operator& acting, const std::string& email, Time now,
                             std::optional<UserId> about) {
  const auto current = co_await confirm(transaction, acting, Permission::mail_write, now);
  if (!current) co_return std::unexpected(current.error());
  auto owner = co_await store_.find_owner(transaction, email);
  if (owner && !current->may_contain(parse_role(owner->role).value_or(Role::superadmin))) {
    co_return refuse(above_rank(owner->user));
  }
  if (!about) co_return Status{};
  owner = co_await store_.find_owner(transaction, *about);
  if (owner && !current->may_contain(parse_role(owner->role).value_or(Role::superadmin))) {
    co_return refuse(above_rank(owner->user));
  }
  co_return Status{};
}

Task<void> MailDesk::record(sql::Transaction& transaction, std::string_view action, const Operator& acting,
                            std::string target, std::string reason, const Origin& origin) {
  AuditEntry entry{.action = action,
                   .outcome = AuditOutcome::done,
                   .actor = acting.actor,
                   .target = std::move(target),
                   .reason = std::move(reason),
                   .origin = origin};
  co_await parts_.audit.record(transaction, std::move(entry));
}

}  // namespace safawinet
