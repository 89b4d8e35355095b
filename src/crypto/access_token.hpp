// Access tokens: JWTs (RFC 7519) in compact serialisation (RFC 7515) of the profile RFC 9068, with our claims sid,
// role, ep, tv.
//
// Threading: both functions may be called from any thread. They do no I/O; with Ed25519 issuing takes about 45
// microseconds and verifying about 120.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "crypto/signing_key.hpp"

namespace safawinet {

// No longer token is issued, and none is looked at.
inline constexpr std::size_t kAccessTokenLimitBytes = 4096;

struct AccessClaims {
  std::string issuer;                // iss
  std::string audience;              // aud, one
  std::string client_id;             // client_id
  std::string token_id;              // jti
  Time issued_at;                    // iat; the token holds whole seconds, rounded down, of each time
  Time expires_at;                   // exp; the token is dead at this second
  UserId subject;                    // sub
  SessionId session;                 // sid
  std::string role;                  // role
  std::vector<std::string> methods;  // amr (RFC 8176); the token has acr beside it, which follows from them
  Time authenticated_at;             // auth_time
  std::int64_t epoch = 0;            // ep: the session's epoch
  std::int64_t token_version = 0;    // tv: the user's token version

  bool operator==(const AccessClaims&) const = default;
};

// The authentication context class (acr) of these methods: whether there were two factors ("mfa" is among them) or one.
std::string_view authentication_class(const std::vector<std::string>& methods);

// Texts must be valid UTF-8 without NUL. Throws std::length_error if the token would be longer than
// kAccessTokenLimitBytes.
std::string issue_access_token(const SigningKey& key, const AccessClaims& claims);

// Why a token was refused. To the client all are one (`invalid_token`, RFC 6750 section 3.1); `reason` is a constant
// for the log.
struct TokenFault {
  std::string_view reason;
};

// The usable key with this id, or null. The pointer must stay valid until verify_access_token returns.
using VerifyingKeyLookup = std::function<const VerifyingKey*(std::string_view id)>;

struct AccessExpectations {
  std::string_view issuer;
  std::string_view audience;
  Time now;  // compared without allowance: refused from `exp` on
};

// Accepts exactly what issue_access_token makes. Three parts of strict base64url; a header of alg, typ (at+jwt, in any
// case) and kid and nothing else, so neither `none` nor `crit`, `jwk` or `jku` has a way in; the algorithm is the
// key's, never the token's choice (RFC 8725 section 3.1); the payload is read only behind a valid signature, without
// duplicate names; claims beyond ours are ignored (RFC 7519 section 4), so that the next version may add some during a
// rolling upgrade. Says nothing about revocation: that is the caller's next question.
std::expected<AccessClaims, TokenFault> verify_access_token(std::string_view token, const VerifyingKeyLookup& find_key,
                                                            const AccessExpectations& expected);

}  // namespace safawinet
