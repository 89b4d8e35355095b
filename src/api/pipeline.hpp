// What happens to every request around its handler, in this order:
//
//   request id → client address → route → origin (CORS) → credential → permission → proof → rate class → idempotency
//   key → handler → headers → access log and metrics
//
// Each stage stands where it stands for a reason, given in pipeline.cpp. docs/life-of-a-request.md walks through it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "access/api_keys.hpp"
#include "accounts/attempts.hpp"
#include "api/call.hpp"
#include "api/idempotency.hpp"
#include "api/route.hpp"
#include "audit/audit_log.hpp"
#include "base/address.hpp"
#include "base/clock.hpp"
#include "base/random.hpp"
#include "cache/rate_limiter.hpp"
#include "http/message.hpp"
#include "http/router.hpp"
#include "observe/log.hpp"
#include "observe/metrics.hpp"
#include "sessions/access_guard.hpp"
#include "sql/database.hpp"

namespace safawinet::api {

struct PipelineOptions {
  std::vector<IpNetwork> trusted_proxies;
  std::vector<IpNetwork> exempt_networks;
  std::vector<std::string> cors_origins;
  // People of this role and above use a permission only in a session that a second factor has proved. None: nobody
  // must.
  std::optional<Role> second_factor_required_from{};
};

// Threading: answer() on any event loop.
class Pipeline {
 public:
  struct Parts {
    AccessGuard& guard;
    ApiKeys& api_keys;
    Attempts& attempts;
    RateLimiter& limits;
    Idempotency& idempotency;
    AuditLog& audit;
    sql::Database& database;
    RequestMetrics& metrics;  // made with route_names() of the same routes
    Log& log;
    const ModeInForce& mode;
    const Clock& clock;
    Random& random;
  };
  Pipeline(Parts parts, std::vector<Route> routes, PipelineOptions options);

  Task<http::Response> answer(http::Request& request);
  // The same for somebody at the machine itself (`--local`), who needs no credential and meets no limits by network.
  Task<http::Response> answer_local(http::Request& request, Operator acting);
  // For what never became a request.
  http::Response refuse_unreadable(unsigned status, std::string_view detail);

 private:
  struct Outcome;

  Task<http::Response> answer_as(http::Request& request, std::optional<Operator> local);
  Task<http::Response> serve(Call& call, Outcome& outcome);
  Task<Result<http::Response>> call_handler(const Route& route, Call& call);
  Task<Result<http::Response>> call_once(const Route& route, Call& call, std::string_view key);
  Task<Status> authorize(const Route& route, Call& call);
  Task<Status> authenticate(Call& call);
  // A made-up key, counted for its network. Gives the refusal.
  Task<Error> count_unknown_key(std::string_view key, const Call& call, Error refusal);
  // How the caller has proved who they are, and when.
  [[nodiscard]] Status has_proved_enough(const Route& route, const Call& call) const;
  // `action` is a constant; without a target, the route is what the act was aimed at.
  Task<Status> record_refusal(std::string_view action, const Route& route, const Call& call, std::string reason,
                              std::string target);
  Task<Status> limit(const Route& route, const Call& call);
  [[nodiscard]] std::optional<std::string_view> allowed_origin(const http::Request& request) const;
  [[nodiscard]] http::Response preflight(const Call& call, std::string_view allowed_methods, Outcome& outcome) const;
  [[nodiscard]] IpAddress client_address(const http::Request& request) const;
  std::string make_request_id();
  void finish(http::Response& response, const http::Request& request, std::string_view request_id,
              bool takes_cookies = false) const;
  void log_request(const http::Request& request, const http::Response& response, const Call& call,
                   const Outcome& outcome, std::chrono::nanoseconds duration);

  Parts parts_;
  std::vector<Route> routes_;
  PipelineOptions options_;
  http::Router router_;
};

// "POST /v1/auth/login", in the order of the routes.
std::vector<std::string> route_names(const std::vector<Route>& routes);

}  // namespace safawinet::api
