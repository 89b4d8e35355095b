#include "sessions/session_service.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/encoding.hpp"

namespace safawinet {
namespace {

constexpr std::int64_t kSweepBatch = 500;               // rows: a batch holds the writer for some milliseconds
constexpr std::chrono::seconds kSweepAfterExpiry{120};  // behind the minute in which the trigger still revokes
constexpr std::chrono::hours kRevocationsKept{3};       // longer than any access token may live (one hour)
constexpr std::chrono::hours kEvidenceKept{90 * 24};

std::string random_token_id(Random& random) {
  std::array<std::uint8_t, 16> bytes{};
  random.fill(std::as_writable_bytes(std::span(bytes)));
  return to_base64url(bytes);
}

}  // namespace

// What the second look at a refresh token says, when the rotation found nothing to rotate.
struct SessionService::Judgement {
  enum class Kind { refused, same_successor, reuse } kind = Kind::refused;
  SessionStanding standing{};
};

Task<Result<IssuedTokens>> SessionService::start(UserId user, std::int64_t credential_version, Device device) {
  const auto now = parts_.clock.now();
  const auto id = SessionId{Uuid::version7(now, parts_.random)};
  const Deadlines deadlines{.expires_at = now + std::min(rules_.idle, rules_.absolute),
                            .ends_at = now + rules_.absolute};
  auto body = [&](sql::Transaction& transaction) -> Task<Result<SessionStanding>> {
    const auto standing = co_await store_.insert(transaction, id, user, credential_version, device, now, deadlines);
    if (!standing) co_return refuse(ErrorCode::invalid_credentials);
    co_return *standing;
  };
  const auto standing = co_await parts_.database.transact(std::move(body));
  if (!standing) co_return std::unexpected(standing.error());
  co_return issue(*standing, parts_.keyring.get()->active_mac_key_id(), now);
}

Task<Result<IssuedTokens>> SessionService::refresh(const SecretText& token, Origin origin) {
  const auto presented = parts_.keyring.get()->parse_refresh_token(token.reveal());
  if (!presented) co_return refuse(ErrorCode::unauthenticated);
  const auto now = parts_.clock.now();
  const auto rotated =
      co_await store_.rotate(parts_.database, presented->session, static_cast<std::int64_t>(presented->generation), now,
                             now + rules_.idle, origin.ip_address);
  if (rotated) co_return issue(*rotated, presented->key_id, now);

  auto body = [&](sql::Transaction& transaction) -> Task<Result<Judgement>> {
    co_return co_await judge(transaction, *presented, now, origin);
  };
  const auto judgement = co_await parts_.database.transact(std::move(body));
  switch (judgement->kind) {
    case Judgement::Kind::same_successor:
      co_return issue(judgement->standing, presented->key_id, now);
    case Judgement::Kind::reuse:
      co_await made_known();
      break;
    case Judgement::Kind::refused:
      break;
  }
  co_return refuse(ErrorCode::unauthenticated);
}

Task<std::vector<Session>> SessionService::list(UserId user, std::optional<SessionId> before, std::int64_t limit) {
  return store_.list(parts_.database, user, parts_.clock.now(), before, limit);
}

Task<void> SessionService::end_by_token(const SecretText& token) {
  const auto presented = parts_.keyring.get()->parse_refresh_token(token.reveal());
  if (!presented) co_return;
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto owner = co_await store_.find_owner(transaction, presented->session);
    if (!owner) co_return false;
    const EndingReason reason{.reason = "logout", .actor = Actor::user(*owner).text};
    co_await store_.set_reason(transaction, reason);
    co_await store_.delete_one(transaction, presented->session, *owner);
    co_await store_.forget_reason(transaction);
    co_return true;
  };
  co_await parts_.database.transact(std::move(body));
  co_await made_known();
}

Task<Status> SessionService::end_one(UserId user, SessionId session, std::string reason) {
  auto body = [&](sql::Transaction& transaction) -> Task<Result<std::int64_t>> {
    const EndingReason ending{.reason = reason, .actor = Actor::user(user).text};
    co_await store_.set_reason(transaction, ending);
    const auto ended = co_await store_.delete_one(transaction, session, user);
    co_await store_.forget_reason(transaction);
    if (ended == 0) co_return refuse(ErrorCode::not_found);
    co_return ended;
  };
  const auto ended = co_await parts_.database.transact(std::move(body));
  if (!ended) co_return std::unexpected(ended.error());
  co_await made_known();
  co_return Status{};
}

Task<std::int64_t> SessionService::end_others(UserId user, SessionId current) {
  auto body = [&](sql::Transaction& transaction) -> Task<Result<std::int64_t>> {
    co_return co_await end_all_of(transaction, user, current, "ended-by-user", Actor::user(user));
  };
  const auto ended = co_await parts_.database.transact(std::move(body));
  co_await made_known();
  co_return ended.value();
}

Task<SessionsEnded> SessionService::force_logout(ForcedLogout command) {
  auto body = [&](sql::Transaction& transaction) -> Task<Result<SessionsEnded>> {
    SessionsEnded ended{.sessions = 0, .spared = {}, .revocation_sequence = 0, .epoch = {}};
    std::optional<UserId> spared_owner;
    if (command.spared) spared_owner = co_await store_.find_owner(transaction, *command.spared);
    if (spared_owner && (!command.user || *command.user == *spared_owner)) ended.spared = command.spared;
    const EndingReason reason{.reason = command.user ? "forced-logout" : "global-logout",
                              .actor = command.actor.text,
                              .spared = ended.spared};
    co_await store_.set_reason(transaction, reason);
    if (command.user) {
      ended.sessions = co_await store_.delete_all_of(transaction, *command.user, ended.spared);
    } else {
      const auto raised = co_await store_.raise_epoch(transaction, ended.spared, parts_.clock.now());
      ended.sessions = raised.sessions;
      ended.epoch = raised.epoch;
    }
    co_await store_.forget_reason(transaction);
    ended.revocation_sequence = co_await store_.newest_revocation(transaction);
    AuditEntry entry{.action = command.user ? "session.force-logout" : "session.force-logout-all",
                     .outcome = AuditOutcome::done,
                     .actor = command.actor,
                     .target = command.user ? "user:" + command.user->text() : "everybody",
                     .reason = command.reason,
                     .origin = command.origin};
    co_await parts_.audit.record(transaction, std::move(entry));
    co_return ended;
  };
  const auto ended = co_await parts_.database.transact(std::move(body));
  co_await made_known();
  co_return ended.value();
}

Task<std::int64_t> SessionService::end_all_of(sql::Transaction& transaction, UserId user,
                                              std::optional<SessionId> except, std::string reason, Actor actor) {
  const EndingReason ending{.reason = std::move(reason), .actor = std::move(actor.text)};
  co_await store_.set_reason(transaction, ending);
  const auto ended = co_await store_.delete_all_of(transaction, user, except);
  co_await store_.forget_reason(transaction);
  co_return ended;
}

Task<bool> SessionService::sweep() {
  const auto now = parts_.clock.now();
  const Time expired_before = now - kSweepAfterExpiry;
  const auto older = co_await store_.find_of_older_epochs(parts_.database, kSweepBatch);
  const auto expired = co_await store_.find_expired(parts_.database, expired_before, kSweepBatch);
  if (!older.empty() || !expired.empty()) {
    auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
      co_await store_.sweep_older_epochs(transaction, older);
      co_await store_.sweep_expired(transaction, expired, expired_before);
      co_return true;
    };
    co_await parts_.database.transact(std::move(body));
  }
  const auto purged = co_await store_.purge_revocations(parts_.database, now - kRevocationsKept);
  co_await store_.purge_evidence(parts_.database, now - kEvidenceKept);
  if (purged > 0) co_await parts_.feed.reload();
  const auto full = static_cast<std::size_t>(kSweepBatch);
  co_return older.size() == full || expired.size() == full;
}

Task<SessionService::Judgement> SessionService::judge(sql::Transaction& transaction, const RefreshToken& token,
                                                      Time now, const Origin& origin) {
  const auto state = co_await store_.find(transaction, token.session);
  if (!state) co_return Judgement{};
  const auto& standing = state->standing;
  const bool is_alive = now < standing.expires_at && standing.epoch == state->current_epoch && state->is_user_active;
  const auto generation = static_cast<std::int64_t>(token.generation);
  // The current generation of a living session would have been rotated; a later one was never given out by this
  // database.
  if (!is_alive || generation >= standing.generation) co_return Judgement{};
  const bool is_predecessor = generation + 1 == standing.generation;
  // Without grace there is none, whatever the clocks of two nodes (or a clock that was set back) make of it.
  const bool has_grace = rules_.refresh_grace > std::chrono::seconds(0);
  if (is_predecessor && has_grace && now < state->rotated_at + rules_.refresh_grace) {
    Judgement same{.kind = Judgement::Kind::same_successor, .standing = standing};
    co_return same;
  }
  co_await end_for_reuse(transaction, *state, now, origin);
  Judgement reuse{.kind = Judgement::Kind::reuse};
  co_return reuse;
}

Task<void> SessionService::end_for_reuse(sql::Transaction& transaction, const SessionState& state, Time now,
                                         const Origin& origin) {
  const auto& standing = state.standing;
  const EndingReason reason{.reason = "reuse", .actor = "system"};
  co_await store_.set_reason(transaction, reason);
  co_await store_.delete_one(transaction, standing.id, standing.user);
  co_await store_.forget_reason(transaction);
  AuditEntry entry{.action = "session.refresh-token-reused",
                   .outcome = AuditOutcome::refused,
                   .actor = Actor::anonymous(),
                   .target = "session:" + standing.id.text(),
                   .reason = "an old refresh token of user:" + standing.user.text() + " was presented",
                   .origin = origin};
  co_await parts_.audit.record(transaction, std::move(entry));
  auto letter = parts_.letters.session_ended_for_reuse(state.email, state.device_name, now);
  co_await parts_.outbox.enqueue(transaction, std::move(letter));
}

IssuedTokens SessionService::issue(const SessionStanding& standing, std::uint32_t mac_key_id, Time now) const {
  const auto keyring = parts_.keyring.get();
  // Whole seconds, as the token has them; never past the session's end.
  const auto issued_at = std::chrono::floor<std::chrono::seconds>(now);
  const auto session_ends = std::chrono::floor<std::chrono::seconds>(standing.expires_at);
  const auto expires_at = std::min<Time>(issued_at + rules_.access_lifetime, session_ends);
  const AccessClaims claims{.issuer = rules_.issuer,
                            .audience = rules_.audience,
                            .client_id = "safawinet",
                            .token_id = random_token_id(parts_.random),
                            .issued_at = issued_at,
                            .expires_at = expires_at,
                            .subject = standing.user,
                            .session = standing.id,
                            .role = standing.role,
                            .methods = {"pwd"},
                            .authenticated_at = standing.created_at,
                            .epoch = standing.epoch,
                            .token_version = standing.token_version};
  const RefreshToken refresh{
      .key_id = mac_key_id, .session = standing.id, .generation = static_cast<std::uint64_t>(standing.generation)};
  return {.access_token = SecretText(keyring->issue_access_token(claims)),
          .refresh_token = SecretText(keyring->format_refresh_token(refresh)),
          .expires_in = std::chrono::duration_cast<std::chrono::seconds>(expires_at - issued_at)};
}

}  // namespace safawinet
