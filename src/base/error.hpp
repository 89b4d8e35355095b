// What a caller may branch on. An Error is a value that travels up through Result<T>; what nobody above can repair is
// an exception (Unavailable for a dead dependency, anything else for a bug) and is caught in one place per request.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace safawinet {

// Every outcome that a client can be told. http/problem.cpp maps each to its status and problem type in one switch.
enum class ErrorCode {
  unreadable_request,      // 400: not HTTP, not JSON, not UTF-8
  unauthenticated,         // 401: no credential, or one that is not (or no longer) valid
  invalid_credentials,     // 401: a wrong e-mail address or password; never says which
  invalid_token,           // 422: a one-time token that is unknown, used, replaced or expired
  forbidden,               // 403: known, but not allowed
  email_not_verified,      // 403: the right password, but the address was never proved
  account_held,            // 403: the right password, but its mails bounce, and it waits for another address
  origin_not_allowed,      // 403: a page that may not use the refresh cookie
  frozen,                  // 403: not while the compromise mode is what it is
  invalid_code,            // 401: a wrong code of a second factor, or one that was used already
  second_factor_required,  // 403: the right password of an account with a second factor; `texts` has the ticket
  second_factor_missing,   // 403: the caller's role asks for a second factor, and the session has none
  step_up_required,        // 401: the caller must prove again who they are (RFC 9470)
  not_found,               // 404
  method_not_allowed,      // 405
  conflict,                // 409
  payload_too_large,       // 413
  unsupported_media_type,  // 415
  invalid_fields,          // 422: `fields` names each of them
  too_many_requests,       // 429: the caller's own limit
  overloaded,              // 503: our capacity is used up
  unavailable,             // 503: something that we depend on is down
};

// Text for the client and text for the log are different types, so that they cannot be swapped.
struct Detail {
  std::string text;
};
struct Cause {
  std::string text;
};

// One field that was refused. `pointer` is a JSON pointer (RFC 6901) into the request body, or "?name" for a query
// parameter.
struct FieldError {
  std::string pointer;
  std::string code;
  std::string detail;
};

struct Error {
  ErrorCode code;
  Detail detail{};       // shown to the client; empty: the standard sentence of the code
  Cause cause{};         // written to the log, never shown
  std::string target{};  // for the record of refusals: whom or what the act was aimed at ("user:<id>"); may be empty
  std::vector<FieldError> fields{};
  std::optional<std::chrono::seconds> retry_after{};
  std::chrono::seconds max_age{};  // of step_up_required: how long ago the proof may have been
  std::vector<std::pair<std::string_view, std::int64_t>> figures{};            // for programs; each name is a constant
  std::vector<std::pair<std::string_view, std::string>> texts{};               // the same
  std::vector<std::pair<std::string_view, std::vector<std::string>>> lists{};  // the same
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

// `return refuse(ErrorCode::not_found);` in a function that returns any Result.
[[nodiscard]] inline std::unexpected<Error> refuse(ErrorCode code, std::string detail = {}) {
  return std::unexpected(Error{.code = code, .detail = {std::move(detail)}});
}
[[nodiscard]] inline std::unexpected<Error> refuse(Error error) { return std::unexpected(std::move(error)); }

// A dependency (database, disk) cannot do its work at the moment. Nothing was changed, or what was changed is unknown
// to be durable; the request is answered 503 with Retry-After. `what()` is for the log.
class Unavailable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace safawinet
