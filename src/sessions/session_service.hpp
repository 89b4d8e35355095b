// Sessions: how they begin, go on and end.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/compromise_mode.hpp"
#include "access/operator.hpp"
#include "audit/audit_log.hpp"
#include "audit/origin.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/published.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "crypto/keyring.hpp"
#include "mail/letters.hpp"
#include "mail/outbox.hpp"
#include "sessions/revocation_feed.hpp"
#include "sessions/session.hpp"
#include "sessions/session_store.hpp"
#include "sql/database.hpp"

namespace safawinet {

// As the settings have it; a compromise mode makes the grace and the access tokens shorter.
struct SessionRules {
  std::chrono::seconds refresh_grace{30};  // how long a predecessor still gets its successor; 0: never
  std::chrono::seconds idle{14 * 86400};   // life of a session that is not used
  std::chrono::seconds absolute{30 * 86400};
  std::chrono::seconds access_lifetime{600};
  std::string issuer;
  std::string audience;
};

// Whose sessions an operator ends.
struct ForcedLogout {
  std::optional<UserId> user;       // none: everybody's
  std::optional<SessionId> spared;  // the caller's own, unless asked otherwise
  std::string reason;
  Operator acting;
  Origin origin;
};

struct SessionsEnded {
  std::int64_t sessions = 0;
  std::optional<SessionId> spared;       // lives on; none if there was none to spare
  std::int64_t revocation_sequence = 0;  // every node that has read this far refuses their access tokens
  std::optional<std::int64_t> epoch;     // of a global logout
};

// Ending a session deletes its row; triggers keep the evidence and write the revocation. What ends sessions returns
// after this node's own index has it: the access tokens are dead here before the caller hears so. Threading: any event
// loop. Errors: Unavailable when the database is.
class SessionService {
 public:
  struct Parts {
    sql::Database& database;
    RevocationFeed& feed;
    const Published<Keyring>& keyring;
    const ModeInForce& mode;
    AuditLog& audit;
    Outbox& outbox;
    const Letters& letters;
    const Clock& clock;
    Random& random;
  };
  SessionService(Parts parts, SessionRules rules) : parts_(parts), rules_(std::move(rules)) {}

  // The end of a login. Refuses (invalid_credentials) if the account is no longer active, verified, and of the
  // credentials that were checked, or has a second factor: a login cannot slip past a deactivation, a password change
  // or a deletion that runs beside it.
  // `also`: what else is written in its transaction.
  using InLogin = std::function<Task<void>(sql::Transaction&)>;
  Task<Result<IssuedTokens>> start(UserId user, std::int64_t credential_version, Device device, Origin origin,
                                   InLogin also = {});
  // The same for a transaction of another feature, which has checked more; the tokens are issued after it.
  Task<Result<SessionStanding>> start_in(sql::Transaction& transaction, UserId user, const SignInProof& proof,
                                         Device device, const Origin& origin);
  [[nodiscard]] IssuedTokens issue(const SessionStanding& standing) const;
  // For a transaction of another feature: its user has just proved who they are again. Refuses (unauthenticated) when
  // it lives no more.
  Task<Result<SessionStanding>> prove_again(sql::Transaction& transaction, SessionId session, UserId user,
                                            std::string_view methods);
  // The second factor of its user is gone: its tokens say so from the next refresh on.
  Task<void> forget_second_factor(sql::Transaction& transaction, SessionId session) {
    return store_.forget_second_factor(transaction, session);
  }

  // Gives the successor. The same token again, inside the grace window and before the successor was used, gives the
  // same successor, byte for byte (a retry after a lost answer). Later it is theft: the session ends and its user is
  // told, once. Refuses (unauthenticated) everything else, without saying why.
  Task<Result<IssuedTokens>> refresh(const SecretText& token, Origin origin);

  // The session that this refresh token would refresh at this moment; none if it would be refused. Changes nothing, and
  // takes no old token for theft. Throws Unavailable, also when the lease has run out.
  Task<std::optional<SessionStanding>> find_by_token(const SecretText& token);

  Task<std::vector<Session>> list(UserId user, std::optional<SessionId> before, std::int64_t limit);

  // What ends sessions for their user leaves an audit row in the same transaction.
  // Ends the session that a refresh token names; a token that names none is fine: it is ended already.
  Task<void> end_by_token(const SecretText& token, Origin origin);
  // Refuses (not_found) when the user has no such session.
  Task<Status> end_one(UserId user, SessionId session, std::string reason, Origin origin);
  Task<std::int64_t> end_others(UserId user, SessionId current, Origin origin);
  // Idempotent. The audit row is in the same transaction. Refuses (forbidden) an operator who may no longer do it, and
  // one whose rank is below that of the user; (not_found) an unknown user.
  Task<Result<SessionsEnded>> force_logout(ForcedLogout command);

  // For a transaction of another feature that must end sessions with what it does. Await `made_known` after it.
  Task<std::int64_t> end_all_of(sql::Transaction& transaction, UserId user, std::optional<SessionId> except,
                                std::string reason, Actor actor);
  // False when the user has no such session.
  Task<bool> end_one_of(sql::Transaction& transaction, UserId user, SessionId session, std::string reason, Actor actor);
  // The same of everybody's, whatever their number: the new epoch. Await `made_known`, then `count_ended_by`.
  Task<std::int64_t> end_everybodys(sql::Transaction& transaction, std::string reason, Actor actor);
  // How many sessions the global logout at `now` that began this epoch has ended. Takes as long as there are sessions.
  Task<std::int64_t> count_ended_by(std::int64_t epoch, Time now);
  // What was committed is in force on this node.
  Task<void> made_known() { return parts_.feed.read_together(); }

  // One round of housekeeping: rows of older epochs, expired sessions, old revocations and evidence. True if there is
  // more. Every node may do it; of those that do at the same moment, one does. One round at a time.
  Task<bool> sweep();

 private:
  // What a refresh token deserves that could not be rotated.
  enum class Verdict { refused, same_successor, reuse, try_again };
  // A walk over all sessions, a page at a time.
  struct SweepRound {
    SessionId after{};       // the sessions up to here are done
    std::int64_t epoch = 0;  // sessions below it are removed
    bool is_over = false;
  };

  [[nodiscard]] Verdict judge(const std::optional<SessionState>& state, std::int64_t generation, Time now) const;
  [[nodiscard]] std::chrono::seconds refresh_grace() const { return parts_.mode.refresh_grace(rules_.refresh_grace); }
  // Whose target is a session or its user.
  Task<void> record(sql::Transaction& transaction, std::string_view action, UserId user, std::string target,
                    std::string reason, const Origin& origin);
  Task<void> end_for_reuse(const SessionState& state, Time now, const Origin& origin);
  Task<bool> sweep_sessions(Time now);
  Task<bool> purge(Time now);
  IssuedTokens issue(const SessionStanding& standing, std::uint32_t mac_key_id, Time now) const;

  Parts parts_;
  SessionRules rules_;
  SessionStore store_;
  std::optional<SweepRound> sweeping_;
  std::int64_t swept_epoch_ = 0;  // no session below it was left by the last walk
  MonotonicTime next_walk_{};
  MonotonicTime next_reload_{};
};

}  // namespace safawinet
