// The SQL of finding whom a leaked text names, and nothing else. It only reads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/task.hpp"
#include "evidence/finding.hpp"
#include "sql/database.hpp"

namespace safawinet {

// Threading: any event loop.
class EvidenceStore {
 public:
  Task<std::optional<NamedUser>> find_user(sql::Database& database, UserId id);
  Task<std::optional<NamedUser>> find_user(sql::Database& database, std::string email);
  // Live, or what is left of it.
  Task<std::optional<NamedSession>> find_session(sql::Database& database, SessionId id, Time now);
  Task<NamedSessions> live_sessions(sql::Database& database, UserId user, Time now);
  Task<NamedSessions> ended_sessions(sql::Database& database, UserId user);

  // Of each of the networks; in one walk through all live sessions, some thousands at a time.
  Task<std::vector<NamedSessions>> live_sessions(sql::Database& database, std::vector<IpNetwork> networks, Time now);

  // What the record has of a request: the texts of its actors and targets ("user:<id>", "session:<id>").
  Task<std::vector<std::string>> find_request(sql::Database& database, std::string request_id);
};

}  // namespace safawinet
