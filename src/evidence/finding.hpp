// The vocabulary of finding whom a leaked text names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/operator.hpp"
#include "access/role.hpp"
#include "audit/origin.hpp"
#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/secret.hpp"
#include "sessions/session.hpp"

namespace safawinet {

struct FindingRequest {
  SecretText text;
  Operator acting;
  Origin origin;
};

struct NamedUser {
  UserId id;
  std::string email;
  Role role = Role::customer;
  bool is_active = true;
  std::int64_t token_version = 0;
};

// A session, or what is left of one.
struct NamedSession {
  SessionId id;
  UserId user;
  std::string_view state;  // "live", "ended", "expired"
  std::int64_t generation = 0;
  Device device;
  Time created_at;
  Time last_used_at;
  Time expires_at;
  std::optional<Time> ended_at{};  // these three: of those that ended, as far as it is known
  std::string ended_reason{};
  std::string ended_by{};

  [[nodiscard]] bool is_live() const { return state == "live"; }
};

struct NamedApiKey {
  ApiKeyId id;
  std::string name;
  std::string key_start;
  std::string created_by;
  std::optional<Role> owner_role;  // none: made at the machine itself
  Time created_at;
  std::optional<Time> expires_at{};
  std::optional<Time> last_used_at{};
  std::string last_used_from{};
  std::optional<Time> revoked_at{};
};

// What one piece of the text is. State:
//   tokens and keys  "valid"; "used" (a refresh token that has been exchanged); "expired"; "revoked" (its session or
//                    key has ended, its user is disabled, or their role has changed); "distrusted" (made with a key
//                    that was distrusted: here, or by whoever has it); "not-ours" (nobody here made it)
//   session ids      as the session; user ids, e-mail addresses: "known"; addresses: "in-use", "unused"; what names
//                    nothing: "unknown"
struct Finding {
  std::string_view kind;  // "access-token", "refresh-token", "api-key", "session-id", "user-id", "api-key-id", "email",
                          // "ip-address", "ip-network", "request-id", "id" (of nothing that there is)
  std::string_view state;
  std::size_t offset = 0;  // bytes of the text before it
  std::string key_id{};    // of a token: the key that signed it
  std::string token_id{};  // of an access token
  std::optional<Time> issued_at{};
  std::optional<Time> expires_at{};
  std::optional<std::int64_t> generation{};  // of a refresh token; the session has the current one
  std::optional<NamedSession> session{};
  std::optional<NamedUser> user{};
  std::optional<NamedApiKey> api_key{};
  std::string network{};  // the client network of an address, or of the session; empty: none
};

struct NamedSessions {
  std::int64_t count = 0;
  std::vector<NamedSession> newest;  // kNamedSessionsLimit at the most
};
inline constexpr std::size_t kNamedSessionsLimit = 10;

// What was minted beside: everything of a user, everything from a network.
struct BesideUser {
  NamedUser user;
  NamedSessions live;
  NamedSessions ended;  // as long as the evidence is kept
};
struct BesideNetwork {
  std::string network;
  NamedSessions live;
};

struct Findings {
  std::vector<Finding> items;
  bool is_cut = false;  // the text has more than kArtefactsLimit
  std::vector<BesideUser> users;
  std::vector<BesideNetwork> networks;
};

}  // namespace safawinet
