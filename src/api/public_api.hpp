// What everybody may read: health, keys and metadata for resource servers, and the documentation of the API.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "access/compromise_mode.hpp"
#include "api/call.hpp"
#include "api/types.hpp"
#include "base/published.hpp"
#include "cache/rate_limiter.hpp"
#include "crypto/keyring.hpp"
#include "observe/metrics.hpp"
#include "sessions/revocation_feed.hpp"
#include "sql/database.hpp"

namespace safawinet::api {

// Written by whoever knows, read by health. Threading: any thread.
struct ProcessState {
  std::atomic<bool> is_draining{false};
  std::atomic<bool> is_mail_failing{false};
  // By this node, since its start.
  std::atomic<std::uint64_t> mails_sent{0};
  std::atomic<std::uint64_t> mails_tried_in_vain{0};
  std::atomic<std::uint64_t> mails_ended_unsent{0};
};

class PublicApi {
 public:
  struct Parts {
    const sql::Database& database;
    const RevocationFeed& feed;
    const Published<Keyring>& keyring;
    const RateLimiter& limits;
    const ProcessState& process;
    const ModeInForce& mode;
    std::string issuer;
    std::string jwks_url;
    std::chrono::seconds jwks_max_age;
    std::string openapi;    // the document
    std::string docs_page;  // HTML
  };
  explicit PublicApi(Parts parts) : parts_(std::move(parts)) {}

  // 503 only when the database or the lease is gone; costs no I/O.
  Task<Result<http::Response>> health(Call& call);
  Task<Result<StatusAnswer>> live(Call& call);
  Task<Result<http::Response>> ready(Call& call);
  // RFC 7517; may be cached for keys.jwks_max_age_seconds.
  Task<Result<http::Response>> jwks(Call& call);
  // RFC 8414
  Task<Result<http::Response>> server_metadata(Call& call);
  Task<Result<http::Response>> openapi(Call& call);
  Task<Result<http::Response>> docs(Call& call);

 private:
  Parts parts_;
};

// On the operations address.
class OperationsApi {
 public:
  explicit OperationsApi(const Metrics& metrics) : metrics_(metrics) {}
  Task<Result<http::Response>> metrics(Call& call);

 private:
  const Metrics& metrics_;
};

}  // namespace safawinet::api
