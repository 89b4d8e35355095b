// The keys of the service, one by one: which there are, and what each is for at the moment.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace safawinet {

enum class KeyPurpose {
  signing,      // access tokens
  refresh_mac,  // refresh tokens
};

// next -> active -> verifying -> retired, or compromised from any of them.
enum class KeyState {
  next,         // known to everybody, and used after the active one
  active,       // makes tokens
  verifying,    // makes none any more; those that it made are good
  retired,      // what it made has expired
  compromised,  // whatever it made is refused
};

// "signing", "refresh-mac"; "next", "active", …: as they are stored and shown.
std::string_view name_of(KeyPurpose purpose);
std::string_view name_of(KeyState state);
std::optional<KeyPurpose> parse_key_purpose(std::string_view name);
std::optional<KeyState> parse_key_state(std::string_view name);

struct KeyEntry {
  std::string id;  // of a signing key its thumbprint (RFC 7638), the `kid` of tokens; of a MAC key its number
  KeyPurpose purpose = KeyPurpose::signing;
  std::string algorithm;  // "EdDSA", "ES256", "RS256"; "HS256"
  KeyState state = KeyState::next;
  Time created_at{};
  Time since{};                 // in this state
  std::optional<Time> until{};  // next: when it is to be active, if that is set; verifying: when it has done its work

  bool operator==(const KeyEntry&) const = default;
};

}  // namespace safawinet
