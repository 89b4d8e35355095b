// An account.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "mail/addressee.hpp"
#include "sessions/session.hpp"

namespace safawinet {

struct User {
  UserId id;
  std::string email;
  std::string name;
  std::string locale;
  Role role = Role::customer;
  std::string email_status;
  bool is_active = true;
  std::optional<Time> email_verified_at;
  std::optional<Time> last_login_at;
  Time created_at;
  std::optional<std::string> disabled_reason{};  // none: active, or SQL by hand gave none
  std::optional<Time> disabled_at{};             // as the reason
};

// Why an account is held until its owner has proved another address: mails to the one that it has bounce.
inline constexpr std::string_view kHeldForBounces = "bounces";
inline bool is_held_for_bounces(const User& user) { return !user.is_active && user.disabled_reason == kHeldForBounces; }

// A registration that never proved its address, to whoever does; also one that is held because mails to it bounce.
inline bool gives_way(const User& user) {
  return !user.email_verified_at && (user.is_active || is_held_for_bounces(user)) && user.role == Role::customer;
}

inline Addressee addressee_of(const User& user) {
  return {.email = user.email, .locale = user.locale, .user = user.id};
}

// What a login or a change of credentials compares: the hash, and the version that is raised whenever it changes, or
// the second factor does.
struct Credentials {
  std::string password_hash;
  std::int64_t version = 0;
  bool has_second_factor = false;
};

}  // namespace safawinet
