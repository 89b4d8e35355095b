#include "sessions/bulk_logout_service.hpp"

#include <boost/asio/co_spawn.hpp>

#include <cstdlib>
#include <utility>

#include "access/standing.hpp"
#include "sessions/bulk_logout_confirmation.hpp"

namespace safawinet {
namespace {

constexpr std::string_view kReason = "bulk-logout";

Error refusal_of_confirmation(std::string code, std::string detail) {
  Error error{.code = ErrorCode::invalid_fields};
  error.fields.push_back({"/confirmation", std::move(code), std::move(detail)});
  return error;
}

// By more than a tenth of what the preview counted.
bool has_moved(std::int64_t counted, std::int64_t now) { return std::abs(now - counted) * 10 > counted; }

std::string target_of(BulkLogoutId id) { return "bulk-logout:" + id.text(); }

}  // namespace

Task<BulkLogoutPreview> BulkLogoutService::preview(BulkLogoutRequest request) {
  auto figures = co_await count(request);
  const auto confirmation = BulkLogoutConfirmation::make(parts_.clock.now(), figures.sessions, parts_.random);
  BulkLogoutPreview preview{.figures = std::move(figures),
                            .spared = {},
                            .confirmation = confirmation.format(request, parts_.confirmation_key),
                            .confirmation_expires_at = confirmation.expires_at()};
  if (preview.figures.matches_spared) preview.spared = request.spared();
  co_return preview;
}

Task<Result<BulkLogout>> BulkLogoutService::order(BulkLogoutOrder order) {
  const auto& request = order.request;
  const auto confirmation = BulkLogoutConfirmation::parse(order.confirmation, request, parts_.confirmation_key);
  if (!confirmation) {
    co_return refuse(refusal_of_confirmation(
        "invalid", "is not what a preview of these criteria gave to you: ask for one with \"dryRun\": true"));
  }
  const auto id = confirmation->order_id();
  auto earlier = co_await store_.find(parts_.database, id);
  if (earlier) co_return std::move(*earlier);

  const auto figures = co_await count(request);
  const auto now = parts_.clock.now();
  if (now >= confirmation->expires_at()) {
    co_return refuse(ErrorCode::conflict, "The confirmation has expired: ask for a preview again.");
  }
  if (has_moved(confirmation->sessions, figures.sessions)) {
    Error error{
        .code = ErrorCode::conflict,
        .detail = {"The number of sessions has moved by more than a tenth since the preview: look at a new one."},
        .figures = {
            {"previewedSessions", confirmation->sessions}, {"sessions", figures.sessions}, {"users", figures.users}}};
    co_return refuse(std::move(error));
  }
  const auto actor = request.acting.actor;
  const BulkLogout begun{.id = id,
                         .criteria = request.criteria,
                         .highest_role = request.acting.rank,
                         .reason = order.reason,
                         .actor = actor,
                         .spared = request.spared(),
                         .sessions_expected = figures.sessions,
                         .resume_after = {},
                         .leased_until = Time(),  // whatever the clock of the node that takes it
                         .created_at = now,
                         .finished_at = {}};
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto acting = co_await confirm(transaction, request.acting, Permission::sessions_end_bulk, now);
    if (!acting) co_return std::unexpected(acting.error());
    if (acting->rank < request.acting.rank) {
      co_return refuse(ErrorCode::forbidden, "You have a lower role by now: ask for a preview again.");
    }
    const bool is_new = co_await store_.insert(transaction, begun);
    if (!is_new) co_return false;  // confirmed twice at once
    AuditEntry entry{.action = "session.force-logout-bulk",
                     .outcome = AuditOutcome::done,
                     .actor = actor,
                     .target = target_of(id),
                     .reason = order.reason,
                     .origin = order.origin};
    co_await parts_.audit.record(transaction, std::move(entry));
    co_await store_.notify(transaction);
    co_return true;
  };
  const auto is_new = co_await parts_.database.transact(std::move(body));
  if (!is_new) co_return std::unexpected(is_new.error());
  if (*is_new) co_return begun;
  co_return co_await get(id);
}

Task<Result<BulkLogout>> BulkLogoutService::get(BulkLogoutId id) {
  auto found = co_await store_.find(parts_.database, id);
  if (!found) co_return refuse(ErrorCode::not_found);
  co_return std::move(*found);
}

Task<std::vector<BulkLogout>> BulkLogoutService::list(std::optional<BulkLogoutId> before, std::int64_t limit) {
  co_return co_await store_.list(parts_.database, before, limit);
}

Task<std::optional<BulkLogout>> BulkLogoutService::work() {
  const auto now = parts_.clock.now();
  auto order = co_await store_.lease_next(parts_.database, now, now + kBulkLogoutLease);
  if (!order) co_return std::nullopt;
  auto step = Step::more;
  while (step == Step::more) step = co_await end_batch(*order);
  if (step == Step::lost) co_return std::nullopt;
  co_await parts_.feed.read();
  const bool is_finished = co_await finish(*order);
  if (!is_finished) co_return std::nullopt;
  co_return order;
}

Task<BulkLogoutFigures> BulkLogoutService::count(const BulkLogoutRequest& request) {
  auto counting = store_.count(parts_.database, request, parts_.clock.now());
  co_return co_await boost::asio::co_spawn(parts_.slow_loop, std::move(counting), use_task);
}

Task<BulkLogoutService::Step> BulkLogoutService::end_batch(BulkLogout& order) {
  const auto batch = co_await store_.find_batch(parts_.database, order, parts_.clock.now());
  struct Progress {
    std::int64_t ended = 0;
    Time leased_until;
  };
  auto body = [&](sql::Transaction& transaction) -> Task<Result<Progress>> {
    const auto now = parts_.clock.now();
    Progress progress{.leased_until = now + kBulkLogoutLease};
    const bool is_held = co_await store_.hold(transaction, order, progress.leased_until);
    if (!is_held) co_return refuse(ErrorCode::conflict);
    const EndingReason reason{.reason = std::string(kReason), .actor = order.actor.text};
    co_await sessions_.set_reason(transaction, reason);
    progress.ended = co_await store_.end_sessions(transaction, order, batch.last, now);
    co_await sessions_.forget_reason(transaction);
    co_await store_.advance(transaction, order.id, batch.last, progress.ended);
    co_return progress;
  };
  const auto progress = co_await parts_.database.transact(std::move(body));
  if (!progress) co_return Step::lost;
  order.resume_after = batch.last;
  order.leased_until = progress->leased_until;
  order.sessions_ended += progress->ended;
  co_return batch.is_final ? Step::last : Step::more;
}

Task<bool> BulkLogoutService::finish(BulkLogout& order) {
  const auto now = parts_.clock.now();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const bool is_held = co_await store_.finish(transaction, order, now);
    if (!is_held) co_return false;
    AuditEntry entry{.action = "session.force-logout-bulk-finished",
                     .outcome = AuditOutcome::done,
                     .actor = Actor::system(),
                     .target = target_of(order.id),
                     .reason = "sessions ended: " + std::to_string(order.sessions_ended),
                     .origin = {}};
    co_await parts_.audit.record(transaction, std::move(entry));
    co_return true;
  };
  const auto is_held = co_await parts_.database.transact(std::move(body));
  order.is_done = is_held.value();
  if (order.is_done) order.finished_at = now;
  co_return order.is_done;
}

}  // namespace safawinet
