// Errors as RFC 9457 problem details.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "http/message.hpp"

namespace safawinet::http {

// What a problem type says, whoever meets it.
struct ProblemType {
  unsigned status;
  std::string_view name;  // of `type`: "urn:safawinet:problem:<name>"; stable
  std::string_view title;
};

const ProblemType& problem_type(ErrorCode code);

// The whole answer: application/problem+json with type, title, status, detail, requestId, every refused field, and
// every figure, text and list. Retry-After where the error says so, and always with 429 and 503; WWW-Authenticate (RFC
// 6750) with 401. The cause is not in it.
Response to_response(const Error& error, std::string_view request_id);

// For what never became a request; `status` is that of the refusal.
Response refusal_response(unsigned status, std::string_view detail, std::string_view request_id);

}  // namespace safawinet::http
