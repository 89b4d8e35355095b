// What is sent and received about leaked texts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "access/operator.hpp"
#include "api/types.hpp"
#include "base/json.hpp"

namespace safawinet::api {

// Not BoundedText: a leaked text may hold anything. It is as secret as what is in it.
struct FindInput {
  SecretText text;
};
BOOST_DESCRIBE_STRUCT(FindInput, (), (text))

struct FoundUser {
  UserId id;
  std::string email;
  Role role = Role::customer;
  bool is_active = true;
};
BOOST_DESCRIBE_STRUCT(FoundUser, (), (id, email, role, is_active))

struct FoundSession {
  SessionId id;
  UserId user_id;
  std::string state;  // "live", "ended", "expired"
  std::string device_name;
  std::string user_agent;
  std::string ip_address;
  Time created_at;
  Time last_used_at;
  Time expires_at;
  std::int64_t generation = 0;
  std::optional<Time> ended_at;
  std::optional<std::string> ended_reason;
  std::optional<std::string> ended_by;
};
BOOST_DESCRIBE_STRUCT(FoundSession, (),
                      (id, user_id, state, device_name, user_agent, ip_address, created_at, last_used_at, expires_at,
                       generation, ended_at, ended_reason, ended_by))

struct FoundApiKey {
  ApiKeyId id;
  std::string name;
  std::string key_start;
  std::string created_by;
  Time created_at;
  std::optional<Time> last_used_at;
  std::optional<std::string> last_used_from;
  std::optional<Time> revoked_at;
};
BOOST_DESCRIBE_STRUCT(FoundApiKey, (),
                      (id, name, key_start, created_by, created_at, last_used_at, last_used_from, revoked_at))

// A call of this API. What is not there is not in the JSON that the caller is to send.
struct RevokingCall {
  std::string what;  // "revoke-api-key", "end-session", "log-out-user", "log-out-network"
  std::string method;
  std::string path;
  boost::json::value body;  // null: none
  bool is_allowed = false;  // to whoever asks
};
BOOST_DESCRIBE_STRUCT(RevokingCall, (), (what, method, path, body, is_allowed))

struct FoundItem {
  std::string kind;
  std::string state;
  std::int64_t offset = 0;
  std::optional<std::string> key_id;
  std::optional<std::string> token_id;
  std::optional<Time> issued_at;
  std::optional<Time> expires_at;
  std::optional<std::int64_t> generation;
  std::optional<FoundUser> user;
  std::optional<FoundSession> session;
  std::optional<FoundApiKey> api_key;
  std::optional<std::string> network;
  std::vector<RevokingCall> revoke_with;
};
BOOST_DESCRIBE_STRUCT(FoundItem, (),
                      (kind, state, offset, key_id, token_id, issued_at, expires_at, generation, user, session, api_key,
                       network, revoke_with))

struct FoundSessions {
  std::int64_t count = 0;
  std::vector<FoundSession> newest;
};
BOOST_DESCRIBE_STRUCT(FoundSessions, (), (count, newest))

struct FoundBesideUser {
  FoundUser user;
  FoundSessions live_sessions;
  FoundSessions ended_sessions;
};
BOOST_DESCRIBE_STRUCT(FoundBesideUser, (), (user, live_sessions, ended_sessions))

struct FoundBesideNetwork {
  std::string network;
  FoundSessions live_sessions;
};
BOOST_DESCRIBE_STRUCT(FoundBesideNetwork, (), (network, live_sessions))

struct FindAnswer {
  std::vector<FoundItem> items;
  bool is_cut = false;
  std::vector<FoundBesideUser> users;
  std::vector<FoundBesideNetwork> networks;
};
BOOST_DESCRIBE_STRUCT(FindAnswer, (), (items, is_cut, users, networks))

}  // namespace safawinet::api
