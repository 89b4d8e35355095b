// The vocabulary of sessions.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/operator.hpp"
#include "access/role.hpp"
#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/secret.hpp"

namespace safawinet {

// The signed-in device as it presented itself.
struct Device {
  std::string name;  // chosen by the client, or made from the user agent
  std::string user_agent;
  std::string ip_address;
};

// How somebody proved who they are, in the words of the claim `amr` (RFC 8176) with a space between them. A backup code
// has no word in the registry; "backup-code" is ours.
namespace sign_in_methods {
inline constexpr std::string_view kPassword = "pwd";
inline constexpr std::string_view kPasswordAndTotp = "pwd otp mfa";
inline constexpr std::string_view kPasswordAndBackupCode = "pwd backup-code mfa";
}  // namespace sign_in_methods
// Whether a second factor is among them.
bool has_second_factor(std::string_view methods);

// A session that lives.
struct Session {
  SessionId id;
  UserId user;
  Device device;
  Time created_at;
  Time last_used_at;  // of its refresh token
  Time expires_at;    // slides with use
};

// What a client gets at login and at each refresh.
struct IssuedTokens {
  SecretText access_token;
  SecretText refresh_token;
  std::chrono::seconds expires_in{};       // of the access token
  std::chrono::seconds session_ends_in{};  // unless it is used again: how long the refresh token is good for
};

// Whom an access token speaks for, after everything was checked.
struct Caller {
  UserId user;
  SessionId session;
  Role role = Role::customer;
  Time authenticated_at;
  bool has_second_factor = false;  // the session was proved with one

  [[nodiscard]] bool is_at_least(Role required) const { return role >= required; }
  // Within kStepUpLifetime. What lies ahead was written by a clock that was wrong, and is not.
  [[nodiscard]] bool has_authenticated_lately(Time now) const;
};

// "Firefox on Linux" from a User-Agent field; "Unknown device" when it says nothing that we know.
std::string describe_device(std::string_view user_agent);

}  // namespace safawinet
