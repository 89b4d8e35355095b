#include "evidence/evidence_store.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <utility>

#include "base/json.hpp"

namespace safawinet {
namespace {

using sql::Statement;

#define USER_COLUMNS "id, email, role, is_active, token_version"
#define SESSION_COLUMNS \
  "s.id, s.user_id, s.generation, s.created_at, s.rotated_at, s.expires_at, s.device_name, s.user_agent, s.ip_address"

constexpr Statement kUser{"SELECT " USER_COLUMNS " FROM users WHERE id = $1"};
constexpr Statement kUserByEmail{"SELECT " USER_COLUMNS " FROM users WHERE email = $1"};

constexpr Statement kSession{"SELECT " SESSION_COLUMNS
                             ", s.epoch, e.epoch FROM refresh_sessions s CROSS JOIN session_epoch e WHERE s.id = $1"};
constexpr Statement kEndedSession{"SELECT " SESSION_COLUMNS
                                  ", s.ended_at, s.reason, s.actor FROM ended_sessions s WHERE s.id = $1 "
                                  "ORDER BY s.ended_at DESC LIMIT 1"};
constexpr Statement kLiveOfUser{"SELECT " SESSION_COLUMNS
                                ", count(*) OVER () FROM refresh_sessions s WHERE s.user_id = $1 AND s.expires_at > $2 "
                                "AND s.epoch = (SELECT epoch FROM session_epoch) ORDER BY s.id DESC LIMIT 10"};
constexpr Statement kEndedOfUser{"SELECT " SESSION_COLUMNS
                                 ", s.ended_at, s.reason, s.actor, count(*) OVER () FROM ended_sessions s "
                                 "WHERE s.user_id = $1 ORDER BY s.ended_at DESC, s.id DESC LIMIT 10"};
static_assert(kNamedSessionsLimit == 10);

constexpr std::size_t kSessionsAtOnce = 5'000;
// Whether they live is told, not asked for: whatever the planner believes of it, it then goes along the ids.
constexpr Statement kNextSessions{
    "SELECT s.id, s.ip_address, s.expires_at > $2 AND s.epoch = (SELECT epoch FROM session_epoch) "
    "FROM refresh_sessions s WHERE s.id > $1 ORDER BY s.id LIMIT 5000"};
constexpr Statement kSessionsOfList{
    "SELECT " SESSION_COLUMNS " FROM refresh_sessions s WHERE s.id IN (SELECT value FROM json_each($1))",
    "SELECT " SESSION_COLUMNS
    " FROM refresh_sessions s WHERE s.id IN (SELECT json_array_elements_text($1::text::json)::uuid)"};

constexpr Statement kRequest{"SELECT actor, target FROM audit_log WHERE request_id = $1 ORDER BY seq LIMIT 20"};

#undef USER_COLUMNS
#undef SESSION_COLUMNS
constexpr std::size_t kSessionColumns = 9;

std::optional<NamedUser> read_user(const sql::Rows& rows) {
  if (rows.empty()) return std::nullopt;
  const auto& row = rows.front();
  return NamedUser{.id = row.get<UserId>(0),
                   .email = row.get<std::string>(1),
                   .role = parse_role(row.get<std::string>(2)).value(),
                   .is_active = row.get<bool>(3),
                   .token_version = row.get<std::int64_t>(4)};
}

NamedSession read_session(const sql::Row& row, std::string_view state) {
  return {.id = row.get<SessionId>(0),
          .user = row.get<UserId>(1),
          .state = state,
          .generation = row.get<std::int64_t>(2),
          .device = {.name = row.get<std::string>(6),
                     .user_agent = row.get<std::string>(7),
                     .ip_address = row.get<std::string>(8)},
          .created_at = row.get<Time>(3),
          .last_used_at = row.get<Time>(4),
          .expires_at = row.get<Time>(5)};
}

NamedSession read_ended_session(const sql::Row& row) {
  auto session = read_session(row, "ended");
  session.ended_at = row.get<Time>(kSessionColumns);
  session.ended_reason = row.get<std::string>(kSessionColumns + 1);
  session.ended_by = row.get<std::string>(kSessionColumns + 2);
  return session;
}

}  // namespace

Task<std::optional<NamedUser>> EvidenceStore::find_user(sql::Database& database, UserId id) {
  const auto rows = co_await database.read(kUser, id);
  co_return read_user(rows);
}

Task<std::optional<NamedUser>> EvidenceStore::find_user(sql::Database& database, std::string email) {
  const auto rows = co_await database.read(kUserByEmail, email);
  co_return read_user(rows);
}

Task<std::optional<NamedSession>> EvidenceStore::find_session(sql::Database& database, SessionId id, Time now) {
  const auto rows = co_await database.read(kSession, id);
  if (!rows.empty()) {
    const auto& row = rows.front();
    auto session = read_session(row, "live");
    const bool is_of_current_epoch =
        row.get<std::int64_t>(kSessionColumns) == row.get<std::int64_t>(kSessionColumns + 1);
    if (session.expires_at <= now) session.state = "expired";
    if (!is_of_current_epoch) {  // its row waits to be swept
      session.state = "ended";
      session.ended_reason = "global-logout";
    }
    co_return session;
  }
  const auto ended = co_await database.read(kEndedSession, id);
  if (ended.empty()) co_return std::nullopt;
  co_return read_ended_session(ended.front());
}

Task<NamedSessions> EvidenceStore::live_sessions(sql::Database& database, UserId user, Time now) {
  const auto rows = co_await database.read(kLiveOfUser, user, now);
  NamedSessions sessions;
  for (const auto& row : rows) {
    sessions.count = row.get<std::int64_t>(kSessionColumns);
    sessions.newest.push_back(read_session(row, "live"));
  }
  co_return sessions;
}

Task<NamedSessions> EvidenceStore::ended_sessions(sql::Database& database, UserId user) {
  const auto rows = co_await database.read(kEndedOfUser, user);
  NamedSessions sessions;
  for (const auto& row : rows) {
    sessions.count = row.get<std::int64_t>(kSessionColumns + 3);
    sessions.newest.push_back(read_ended_session(row));
  }
  co_return sessions;
}

Task<std::vector<NamedSessions>> EvidenceStore::live_sessions(sql::Database& database, std::vector<IpNetwork> networks,
                                                              Time now) {
  struct Seen {
    std::int64_t count = 0;
    std::deque<SessionId> newest;  // ids are in the order of time
  };
  const auto executor = co_await boost::asio::this_coro::executor;
  std::vector<Seen> seen(networks.size());
  SessionId after;
  for (bool is_last = networks.empty(); !is_last;) {
    const auto rows = co_await database.read(kNextSessions, after, now);
    is_last = rows.size() < kSessionsAtOnce;
    for (const auto& row : rows) {
      after = row.get<SessionId>(0);
      if (!row.get<bool>(2)) continue;
      const auto address = IpAddress::parse(row.get<std::string>(1));
      if (!address) continue;
      for (std::size_t i = 0; i < networks.size(); ++i) {
        if (!networks[i].contains(*address)) continue;
        ++seen[i].count;
        seen[i].newest.push_front(after);
        if (seen[i].newest.size() > kNamedSessionsLimit) seen[i].newest.pop_back();
      }
    }
    co_await boost::asio::post(executor, use_task);  // whatever else this loop has to do
  }
  std::vector<std::string> ids;
  for (const auto& one : seen) {
    for (const auto id : one.newest) ids.push_back(id.text());
  }
  const auto list = to_json(ids);
  const auto rows = co_await database.read(kSessionsOfList, list);
  std::unordered_map<SessionId, NamedSession> sessions;
  for (const auto& row : rows) {
    auto session = read_session(row, "live");
    const auto id = session.id;
    sessions.emplace(id, std::move(session));
  }
  std::vector<NamedSessions> found;
  for (const auto& one : seen) {
    auto& of_network = found.emplace_back();
    of_network.count = one.count;
    for (const auto id : one.newest) {
      const auto session = sessions.find(id);  // not there: it has just ended
      if (session != sessions.end()) of_network.newest.push_back(session->second);
    }
  }
  co_return found;
}

Task<std::vector<std::string>> EvidenceStore::find_request(sql::Database& database, std::string request_id) {
  const auto rows = co_await database.read(kRequest, request_id);
  std::vector<std::string> names;
  for (const auto& row : rows) {
    names.push_back(row.get<std::string>(0));
    names.push_back(row.get<std::string>(1));
  }
  co_return names;
}

}  // namespace safawinet
