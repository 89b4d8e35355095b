// AWS Signature Version 4, for requests with a header of their own ("AWS4-HMAC-SHA256", Amazon's "Signature Version 4
// signing process"). libcurl signs too, but wrongly where a query is not sorted or a path has characters to be encoded.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/secret.hpp"

namespace safawinet::aws {

struct Credentials {
  std::string access_key_id;
  SecretText secret_access_key;
  SecretText session_token;          // empty: the key is a lasting one
  std::optional<Time> expires_at{};  // none: never
};

// Nothing in it is encoded yet.
struct Request {
  std::string method;
  std::string host;        // with the port where it is not the scheme's own
  std::string path = "/";  // decoded
  std::vector<std::pair<std::string, std::string>> query{};
  std::vector<std::pair<std::string, std::string>> fields{};  // names in any case; without Host
  std::string body{};
};

struct Scope {
  std::string region;   // "eu-central-1"
  std::string service;  // "ses"
};

// The fields to send besides those of the request: X-Amz-Date, X-Amz-Security-Token where there is one, and
// Authorization. Threading: any thread.
std::vector<std::pair<std::string, std::string>> sign(const Request& request, const Scope& scope,
                                                      const Credentials& credentials, Time now);

// What the signature is over, for tests against Amazon's own.
std::string canonical_request(const Request& request);

// The path and query as they are sent.
std::string target_of(const Request& request);

}  // namespace safawinet::aws
