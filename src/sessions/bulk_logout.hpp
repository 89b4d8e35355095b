// The vocabulary of forced logout by criteria.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "access/operator.hpp"
#include "audit/origin.hpp"
#include "base/json.hpp"
#include "sessions/session.hpp"

namespace safawinet {

using BulkLogoutId = Id<struct BulkLogoutTag>;

// Whose sessions are meant. What is given must all be true; what is not given is not asked. "Before" is earlier than
// the moment, "after" is at it or later, so that two neighbouring ranges neither overlap nor leave a gap.
//
// A login is what sets "last login"; refreshing is none. So who stays signed in for weeks has an old one although they
// are active every day: whoever means the idle asks when the session was last used.
struct LogoutCriteria {
  std::optional<Time> last_login_before{};
  std::optional<Time> last_login_after{};
  bool never_logged_in = false;  // also (or, alone: only) users without a last login, who are in no range
  std::optional<Time> user_created_before{};
  std::optional<Time> user_created_after{};
  std::optional<std::string> role{};
  std::optional<std::string> email_domain{};  // lower case; its subdomains are others
  std::optional<std::string> ip_network{};    // CIDR, of the session's last refresh
  std::optional<std::string> user_agent{};    // a part of it, in any case
  // Of these users: they are in one list or the other.
  std::optional<std::vector<UserId>> user_ids{};
  std::optional<std::vector<std::string>> emails{};
  std::optional<Time> session_created_before{};
  std::optional<Time> session_created_after{};
  std::optional<Time> session_used_before{};
  std::optional<Time> session_used_after{};

  bool operator==(const LogoutCriteria&) const = default;
};
BOOST_DESCRIBE_STRUCT(LogoutCriteria, (),
                      (last_login_before, last_login_after, never_logged_in, user_created_before, user_created_after,
                       role, email_domain, ip_network, user_agent, user_ids, emails, session_created_before,
                       session_created_after, session_used_before, session_used_after))

// What an operator asks for.
struct BulkLogoutRequest {
  LogoutCriteria criteria;
  Operator acting;                    // nobody signs out those above themselves
  bool includes_own_session = false;  // otherwise the session that asks is spared

  [[nodiscard]] std::optional<SessionId> spared() const { return includes_own_session ? std::nullopt : acting.session; }
};

struct MatchedUser {
  UserId id;
  std::string email;
  std::int64_t sessions = 0;
  std::optional<Time> last_login_at;
};

// What a request would end at this moment, and what it would have to leave.
struct BulkLogoutFigures {
  std::int64_t users = 0;
  std::int64_t sessions = 0;
  std::int64_t users_above = 0;  // match, and have a higher role than the caller
  std::int64_t sessions_above = 0;
  bool matches_spared = false;  // the caller's own session would have been among them
  std::vector<MatchedUser> sample;
};

struct BulkLogoutPreview {
  BulkLogoutFigures figures;
  std::optional<SessionId> spared;  // none when it does not match, or is not to be spared
  std::string confirmation;
  Time confirmation_expires_at;
};

// An order that was given: a row that whichever node is alive goes on with.
struct BulkLogout {
  BulkLogoutId id;
  LogoutCriteria criteria;
  Role highest_role = Role::customer;  // that may be signed out
  std::string reason;
  Actor actor;
  bool is_done = false;
  std::optional<SessionId> spared;
  std::int64_t sessions_expected = 0;
  std::int64_t sessions_ended = 0;
  SessionId resume_after;  // sessions up to this one have been looked at
  Time leased_until;       // by the node that works on it
  Time created_at;         // sessions that began later are not meant
  std::optional<Time> finished_at;
};

}  // namespace safawinet
