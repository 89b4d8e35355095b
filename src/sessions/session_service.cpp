#include "sessions/session_service.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <utility>

#include "access/standing.hpp"
#include "base/pause.hpp"

namespace safawinet {
namespace {

// How long a refresh waits for whoever holds its session's row: two seconds in all, a little longer each time.
constexpr std::chrono::milliseconds kFirstPause{1};
constexpr std::chrono::milliseconds kLongestPause{1'024};

constexpr std::chrono::minutes kWalkInterval{10};       // expired sessions are refused wherever they are
constexpr std::chrono::seconds kSweepAfterExpiry{120};  // behind the minute in which the trigger still revokes
constexpr std::chrono::seconds kCountingTime{10};       // for a global logout to count what it ended
constexpr std::chrono::minutes kReloadInterval{10};
constexpr std::chrono::hours kEvidenceKept{90 * 24};

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    if (end > 0) words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

}  // namespace

Task<Result<IssuedTokens>> SessionService::start(UserId user, std::int64_t credential_version, Device device,
                                                 Origin origin, InLogin also) {
  const SignInProof proof{.credential_version = credential_version};
  auto body = [&](sql::Transaction& transaction) -> Task<Result<SessionStanding>> {
    auto standing = co_await start_in(transaction, user, proof, device, origin);
    if (standing && also) co_await also(transaction);
    co_return standing;
  };
  const auto standing = co_await parts_.database.transact(std::move(body));
  if (!standing) co_return std::unexpected(standing.error());
  co_return issue(*standing);
}

Task<Result<SessionStanding>> SessionService::start_in(sql::Transaction& transaction, UserId user,
                                                       const SignInProof& proof, Device device, const Origin& origin) {
  const auto now = parts_.clock.now();
  const auto id = SessionId{Uuid::version7(now, parts_.random)};
  const Deadlines deadlines{.expires_at = now + std::min(rules_.idle, rules_.absolute),
                            .ends_at = now + rules_.absolute};
  auto standing = co_await store_.insert(transaction, id, user, proof, device, now, deadlines);
  if (!standing) co_return refuse(ErrorCode::invalid_credentials);
  const auto how = has_second_factor(proof.methods) ? std::string(proof.methods) : std::string();
  co_await record(transaction, "user.logged-in", user, target_of(id), how, origin);
  co_return std::move(*standing);
}

Task<Result<SessionStanding>> SessionService::prove_again(sql::Transaction& transaction, SessionId session, UserId user,
                                                          std::string_view methods) {
  auto standing = co_await store_.set_proved(transaction, session, user, methods, parts_.clock.now());
  if (!standing) co_return refuse(ErrorCode::unauthenticated);
  co_return std::move(*standing);
}

IssuedTokens SessionService::issue(const SessionStanding& standing) const {
  return issue(standing, parts_.keyring.get()->active_mac_key_id(), parts_.clock.now());
}

Task<Result<IssuedTokens>> SessionService::refresh(const SecretText& token, Origin origin) {
  const auto presented = parts_.keyring.get()->parse_refresh_token(token.reveal());
  if (!presented) co_return refuse(ErrorCode::unauthenticated);
  const auto now = parts_.clock.now();
  const Rotation rotation{.id = presented->session,
                          .generation = static_cast<std::int64_t>(presented->generation),
                          .now = now,
                          .expires_at = now + rules_.idle,
                          .ip_address = origin.ip_address};
  for (auto wait = kFirstPause; wait <= kLongestPause; wait *= 2) {
    std::optional<SessionStanding> rotated;
    try {
      rotated = co_await store_.rotate(parts_.database, rotation);
    } catch (const Unavailable&) {
      // It may have been done: the row tells, and the grace makes it safe to ask again. Without grace it would look
      // like theft.
      if (refresh_grace() == std::chrono::seconds(0)) throw;
    }
    if (rotated) co_return issue(*rotated, presented->key_id, now);
    const auto state = co_await store_.find(parts_.database, presented->session);
    const auto verdict = judge(state, rotation.generation, now);
    if (verdict == Verdict::same_successor) co_return issue(state->standing, presented->key_id, now);
    if (verdict == Verdict::reuse) co_await end_for_reuse(*state, now, origin);
    if (verdict != Verdict::try_again) co_return refuse(ErrorCode::unauthenticated);
    co_await pause_for(wait);
  }
  throw Unavailable("somebody's transaction holds the session " + presented->session.text());
}

Task<std::optional<SessionStanding>> SessionService::find_by_token(const SecretText& token) {
  const auto presented = parts_.keyring.get()->parse_refresh_token(token.reveal());
  if (!presented) co_return std::nullopt;
  const auto state = co_await store_.find(parts_.database, presented->session);
  if (!parts_.feed.is_lease_held()) throw Unavailable("the revocation lease has run out");
  const auto verdict = judge(state, static_cast<std::int64_t>(presented->generation), parts_.clock.now());
  const bool is_good = verdict == Verdict::same_successor || verdict == Verdict::try_again;
  if (!is_good) co_return std::nullopt;
  co_return state->standing;
}

Task<std::vector<Session>> SessionService::list(UserId user, std::optional<SessionId> before, std::int64_t limit) {
  return store_.list(parts_.database, user, parts_.clock.now(), before, limit);
}

Task<void> SessionService::end_by_token(const SecretText& token, Origin origin) {
  const auto presented = parts_.keyring.get()->parse_refresh_token(token.reveal());
  if (!presented) co_return;
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto owner = co_await store_.find_owner(transaction, presented->session);
    if (!owner) co_return false;
    const bool has_ended = co_await end_one_of(transaction, *owner, presented->session, "logout", Actor::user(*owner));
    if (!has_ended) co_return false;
    co_await record(transaction, "session.ended", *owner, target_of(presented->session), "logout", origin);
    co_return true;
  };
  co_await parts_.database.transact(std::move(body));
  co_await made_known();
}

Task<Status> SessionService::end_one(UserId user, SessionId session, std::string reason, Origin origin) {
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const bool has_ended = co_await end_one_of(transaction, user, session, reason, Actor::user(user));
    if (!has_ended) co_return refuse(ErrorCode::not_found);
    co_await record(transaction, "session.ended", user, target_of(session), reason, origin);
    co_return true;
  };
  const auto ended = co_await parts_.database.transact(std::move(body));
  if (!ended) co_return std::unexpected(ended.error());
  co_await made_known();
  co_return Status{};
}

Task<std::int64_t> SessionService::end_others(UserId user, SessionId current, Origin origin) {
  auto body = [&](sql::Transaction& transaction) -> Task<Result<std::int64_t>> {
    const auto ended = co_await end_all_of(transaction, user, current, "ended-by-user", Actor::user(user));
    if (ended == 0) co_return ended;
    co_await record(transaction, "session.ended-others", user, target_of(user),
                    "sessions ended: " + std::to_string(ended), origin);
    co_return ended;
  };
  const auto ended = co_await parts_.database.transact(std::move(body));
  co_await made_known();
  co_return ended.value();
}

Task<Result<SessionsEnded>> SessionService::force_logout(ForcedLogout command) {
  const auto now = parts_.clock.now();
  const auto permission = command.user ? Permission::sessions_end : Permission::sessions_end_all;
  auto body = [&](sql::Transaction& transaction) -> Task<Result<SessionsEnded>> {
    const auto acting = co_await confirm(transaction, command.acting, permission, now);
    if (!acting) co_return std::unexpected(acting.error());
    std::optional<SessionAccount> account;
    if (command.user) {
      account = co_await store_.find_account(transaction, *command.user);
      if (!account) co_return refuse(ErrorCode::not_found);
      if (!acting->may_contain(account->role)) co_return refuse(above_rank(*command.user));
    }
    SessionsEnded ended{.sessions = 0, .spared = {}, .revocation_sequence = 0, .epoch = {}};
    // Before the look at the session to be spared: another global logout may be about to end it.
    if (!command.user) co_await store_.lock_epoch(transaction);
    std::optional<UserId> spared_owner;
    if (command.spared) spared_owner = co_await store_.find_owner(transaction, *command.spared);
    if (spared_owner && (!command.user || *command.user == *spared_owner)) ended.spared = command.spared;
    const EndingReason reason{.reason = command.user ? "forced-logout" : "global-logout",
                              .actor = command.acting.actor.text,
                              .spared = ended.spared};
    co_await store_.set_reason(transaction, reason);
    if (command.user) {
      ended.sessions = co_await store_.delete_all_of(transaction, *command.user, ended.spared);
    } else {
      ended.epoch = co_await store_.raise_epoch(transaction);
    }
    co_await store_.forget_reason(transaction);
    if (account && ended.sessions > 0) {
      auto letter = parts_.letters.forced_logout(account->owner, now);
      co_await parts_.outbox.enqueue(transaction, std::move(letter));
    }
    ended.revocation_sequence = co_await store_.newest_revocation(transaction);
    AuditEntry entry{.action = command.user ? "session.force-logout" : "session.force-logout-all",
                     .outcome = AuditOutcome::done,
                     .actor = command.acting.actor,
                     .target = command.user ? target_of(*command.user) : "everybody",
                     .reason = command.reason,
                     .origin = command.origin};
    co_await parts_.audit.record(transaction, std::move(entry));
    co_return ended;
  };
  auto ended = co_await parts_.database.transact(std::move(body));
  if (!ended) co_return std::unexpected(ended.error());
  co_await made_known();
  // In force by now: counting takes as long as there are sessions.
  if (ended->epoch) ended->sessions = co_await count_ended_by(*ended->epoch, now);
  co_return *ended;
}

Task<std::int64_t> SessionService::count_ended_by(std::int64_t epoch, Time now) {
  SessionStore::Count page;
  std::int64_t sessions = 0;
  while (!page.is_last) {
    auto body = [&](sql::Transaction& transaction) -> Task<Result<SessionStore::Count>> {
      co_return co_await store_.count_ended_by(transaction, epoch, page.last, now);
    };
    const auto counted = co_await parts_.database.transact(std::move(body));
    page = counted.value();
    sessions += page.sessions;
  }
  co_return sessions;
}

Task<std::int64_t> SessionService::end_all_of(sql::Transaction& transaction, UserId user,
                                              std::optional<SessionId> except, std::string reason, Actor actor) {
  const EndingReason ending{.reason = std::move(reason), .actor = std::move(actor.text)};
  co_await store_.set_reason(transaction, ending);
  const auto ended = co_await store_.delete_all_of(transaction, user, except);
  co_await store_.forget_reason(transaction);
  co_return ended;
}

Task<std::int64_t> SessionService::end_everybodys(sql::Transaction& transaction, std::string reason, Actor actor) {
  co_await store_.lock_epoch(transaction);
  const EndingReason ending{.reason = std::move(reason), .actor = std::move(actor.text)};
  co_await store_.set_reason(transaction, ending);
  const auto epoch = co_await store_.raise_epoch(transaction);
  co_await store_.forget_reason(transaction);
  co_return epoch;
}

Task<bool> SessionService::end_one_of(sql::Transaction& transaction, UserId user, SessionId session, std::string reason,
                                      Actor actor) {
  const EndingReason ending{.reason = std::move(reason), .actor = std::move(actor.text)};
  co_await store_.set_reason(transaction, ending);
  const auto ended = co_await store_.delete_one(transaction, session, user);
  co_await store_.forget_reason(transaction);
  co_return ended > 0;
}

Task<bool> SessionService::sweep() {
  const auto now = parts_.clock.now();
  if (co_await sweep_sessions(now)) co_return true;
  const bool has_more = co_await purge(now);
  if (parts_.clock.monotonic() >= next_reload_) {
    co_await parts_.feed.reload();
    next_reload_ = parts_.clock.monotonic() + kReloadInterval;
  }
  co_return has_more;
}

// The next page of a walk over all sessions. A walk begins when a global logout has left rows behind, and every ten
// minutes for what has expired. True if there are more pages.
Task<bool> SessionService::sweep_sessions(Time now) {
  const Time expired_before = now - kSweepAfterExpiry;
  const bool is_walk_due = parts_.clock.monotonic() >= next_walk_;
  auto body = [&](sql::Transaction& transaction) -> Task<Result<std::optional<SweepRound>>> {
    auto round = sweeping_;
    if (!co_await store_.try_to_keep_house(transaction)) co_return round;
    if (!round) {
      const auto epoch = co_await store_.epoch_to_sweep(transaction, now - kCountingTime);
      if (epoch <= swept_epoch_ && !is_walk_due) co_return std::nullopt;
      const SweepRound first{.after = {}, .epoch = epoch, .is_over = false};
      round = first;
    }
    const auto page = co_await store_.look_at_page(transaction, round->after, round->epoch, expired_before);
    if (page.has_older_epochs) co_await store_.sweep_older_epochs(transaction, page, round->epoch);
    if (page.has_expired) co_await store_.sweep_expired(transaction, page, expired_before);
    round->after = page.last;
    round->is_over = page.is_last;
    co_return round;
  };
  const auto round = co_await parts_.database.transact(std::move(body));
  sweeping_ = round.value();
  if (!sweeping_) co_return false;
  if (!sweeping_->is_over) co_return true;
  swept_epoch_ = std::max(swept_epoch_, sweeping_->epoch);
  next_walk_ = parts_.clock.monotonic() + kWalkInterval;
  sweeping_.reset();
  co_return false;
}

Task<bool> SessionService::purge(Time now) {
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    if (!co_await store_.try_to_keep_house(transaction)) co_return false;
    co_await store_.mark_revocations(transaction);
    const auto revocations = co_await store_.purge_revocations(transaction, now - kRevocationsKept);
    const auto evidence = co_await store_.purge_evidence(transaction, now - kEvidenceKept);
    co_return revocations >= SessionStore::kPurgedAtOnce || evidence >= SessionStore::kPurgedAtOnce;
  };
  const auto has_more = co_await parts_.database.transact(std::move(body));
  co_return has_more.value();
}

SessionService::Verdict SessionService::judge(const std::optional<SessionState>& state, std::int64_t generation,
                                              Time now) const {
  if (!state) return Verdict::refused;
  const auto& standing = state->standing;
  const bool is_alive = now < standing.expires_at && standing.epoch == state->current_epoch && state->is_user_active;
  // A later generation was never given out by this database.
  if (!is_alive || generation > standing.generation) return Verdict::refused;
  // Alive, and not rotated: somebody was just changing the row. Another refresh, or a global logout that spares the
  // session, is done in a moment; whoever ends it may take longer.
  if (generation == standing.generation) return Verdict::try_again;
  const bool is_predecessor = generation + 1 == standing.generation;
  // Without grace there is none, whatever the clocks of two nodes (or a clock that was set back) make of it.
  const auto grace = refresh_grace();
  if (is_predecessor && grace > std::chrono::seconds(0) && now < state->rotated_at + grace)
    return Verdict::same_successor;
  return Verdict::reuse;
}

Task<void> SessionService::record(sql::Transaction& transaction, std::string_view action, UserId user,
                                  std::string target, std::string reason, const Origin& origin) {
  AuditEntry entry{.action = action,
                   .outcome = AuditOutcome::done,
                   .actor = Actor::user(user),
                   .target = std::move(target),
                   .reason = std::move(reason),
                   .origin = origin};
  co_await parts_.audit.record(transaction, std::move(entry));
}

// Whoever deletes the row tells the user; others have been too late.
Task<void> SessionService::end_for_reuse(const SessionState& state, Time now, const Origin& origin) {
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto& standing = state.standing;
    const EndingReason reason{.reason = "reuse", .actor = "system"};
    co_await store_.set_reason(transaction, reason);
    const auto ended = co_await store_.delete_one(transaction, standing.id, standing.user);
    co_await store_.forget_reason(transaction);
    if (ended == 0) co_return false;
    AuditEntry entry{.action = "session.refresh-token-reused",
                     .outcome = AuditOutcome::refused,
                     .actor = Actor::anonymous(),
                     .target = target_of(standing.user),
                     .reason = "an old refresh token of session:" + standing.id.text() + " was presented",
                     .origin = origin};
    co_await parts_.audit.record(transaction, std::move(entry));
    auto letter = parts_.letters.session_ended_for_reuse(state.owner, state.device_name, now);
    co_await parts_.outbox.enqueue(transaction, std::move(letter));
    co_return true;
  };
  co_await parts_.database.transact(std::move(body));
  co_await made_known();
}

IssuedTokens SessionService::issue(const SessionStanding& standing, std::uint32_t mac_key_id, Time now) const {
  const auto keyring = parts_.keyring.get();
  // Whole seconds, as the token has them; never past the session's end.
  const auto issued_at = std::chrono::floor<std::chrono::seconds>(now);
  const auto session_ends = std::chrono::floor<std::chrono::seconds>(standing.expires_at);
  const auto expires_at = std::min<Time>(issued_at + parts_.mode.access_lifetime(rules_.access_lifetime), session_ends);
  const AccessClaims claims{.issuer = rules_.issuer,
                            .audience = rules_.audience,
                            .client_id = "safawinet",
                            .token_id = random_text<16>(parts_.random),
                            .issued_at = issued_at,
                            .expires_at = expires_at,
                            .subject = standing.user,
                            .session = standing.id,
                            .role = standing.role,
                            .methods = words_of(standing.methods),
                            .authenticated_at = standing.authenticated_at,
                            .epoch = standing.epoch,
                            .token_version = standing.token_version};
  const RefreshToken refresh{
      .key_id = mac_key_id, .session = standing.id, .generation = static_cast<std::uint64_t>(standing.generation)};
  return {.access_token = SecretText(keyring->issue_access_token(claims)),
          .refresh_token = SecretText(keyring->format_refresh_token(refresh)),
          .expires_in = std::chrono::duration_cast<std::chrono::seconds>(expires_at - issued_at),
          .session_ends_in = std::chrono::duration_cast<std::chrono::seconds>(session_ends - issued_at)};
}

}  // namespace safawinet
