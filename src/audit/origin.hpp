// Where a request came from, and on whose behalf something is done.
#pragma once

#include <string>

#include "base/ids.hpp"

namespace safawinet {

struct Origin {
  std::string ip_address;  // of the client, behind trusted proxies
  std::string network;     // its /24 or /56
  std::string user_agent;
  std::string request_id;
};

// Who acts: "user:<id>", "api-key:<id>", "os:<name>" for somebody at the machine itself, "system" for what the server
// does by itself, "anonymous" for a caller that nobody knows.
struct Actor {
  std::string text;

  static Actor user(UserId id) { return {"user:" + id.text()}; }
  static Actor local(const std::string& account) { return {"os:" + account}; }
  static Actor system() { return {"system"}; }
  static Actor anonymous() { return {"anonymous"}; }
};

// What an act was aimed at, as the record names it.
inline std::string target_of(UserId id) { return "user:" + id.text(); }
inline std::string target_of(SessionId id) { return "session:" + id.text(); }

}  // namespace safawinet
