#include "api/pipeline.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <utility>

#include "api/bearer.hpp"
#include "http/characters.hpp"
#include "http/problem.hpp"

namespace safawinet::api {
namespace {

constexpr std::size_t kLoggedPathLimit = 200;      // bytes
constexpr std::string_view kPreflightAge = "600";  // seconds

// On every answer. The policy forbids everything: an answer that is mistaken for a page can do nothing.
constexpr std::string_view kSecurityFields =
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Permissions-Policy: interest-cohort=()\r\n";
constexpr std::string_view kStrictPolicy =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
constexpr std::string_view kTransportSecurity = "max-age=31536000; includeSubDomains";

// Of something that was understood: who acts may not, or it is not there, or something stands against it.
bool is_refusal(ErrorCode code) {
  return code == ErrorCode::forbidden || code == ErrorCode::not_found || code == ErrorCode::conflict ||
         code == ErrorCode::frozen;
}

bool has_field(const http::Response& response, std::string_view name) {
  return std::ranges::any_of(response.fields, [name](const auto& field) { return field.first == name; });
}

std::string shortened(std::string_view path) { return std::string(path.substr(0, kLoggedPathLimit)); }

}  // namespace

struct Pipeline::Outcome {
  std::size_t route = static_cast<std::size_t>(-1);
  bool takes_cookies = false;  // the route sets or uses the refresh cookie
  std::string cause;           // for the log: why it was refused or failed
};

Pipeline::Pipeline(Parts parts, std::vector<Route> routes, PipelineOptions options)
    : parts_(parts), routes_(std::move(routes)), options_(std::move(options)) {
  for (const auto& route : routes_) router_.add(route.method, route.path);
}

Task<http::Response> Pipeline::answer(http::Request& request) { return answer_as(request, std::nullopt); }

Task<http::Response> Pipeline::answer_local(http::Request& request, Operator acting) {
  return answer_as(request, std::move(acting));
}

Task<http::Response> Pipeline::answer_as(http::Request& request, std::optional<Operator> local) {
  const auto began = parts_.clock.monotonic();
  const auto client = client_address(request);
  Call call{.request = request,
            .request_id = make_request_id(),
            .client = client,
            .is_exempt_from_limits = local || any_contains(options_.exempt_networks, client),
            .caller = {},
            .acting = std::move(local)};
  Outcome outcome;
  auto response = co_await serve(call, outcome);
  if (!call.set_cookie.empty()) response.with("Set-Cookie", std::move(call.set_cookie));
  finish(response, request, call.request_id, outcome.takes_cookies);
  const auto duration = parts_.clock.monotonic() - began;
  // Each loop counts on its own line of memory.
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto shard = reinterpret_cast<std::uintptr_t>(&executor.context()) / 64;
  parts_.metrics.count(shard, outcome.route, response.status, duration);
  log_request(request, response, call, outcome, duration);
  co_return response;
}

http::Response Pipeline::refuse_unreadable(unsigned status, std::string_view detail) {
  const auto request_id = make_request_id();
  auto response = http::refusal_response(status, detail, request_id);
  finish(response, http::Request{}, request_id);
  parts_.metrics.count(0, static_cast<std::size_t>(-1), status, std::chrono::nanoseconds(0));
  parts_.log.frequent("refused", {{"status", std::int64_t{status}}, {"detail", detail}, {"requestId", request_id}});
  return response;
}

// The one place where exceptions of a request are caught.
Task<http::Response> Pipeline::serve(Call& call, Outcome& outcome) {
  std::optional<Error> error;
  try {
    const auto found = router_.find(call.request.method, call.request.path);
    if (const auto* match = std::get_if<http::RouteMatch>(&found)) {
      outcome.route = match->route;
      outcome.takes_cookies = routes_[match->route].refresh_cookie != RefreshCookie::ignored;
      call.parameters = match->parameters;
      auto response = co_await call_handler(routes_[match->route], call);
      if (response) co_return std::move(*response);
      error = std::move(response.error());
    } else if (const auto* other = std::get_if<http::MethodNotAllowed>(&found)) {
      // A browser asks before it sends: without a credential, and about a method, not with it.
      if (call.request.method == http::Method::options) co_return preflight(call, other->allowed, outcome);
      auto response = http::to_response(Error{.code = ErrorCode::method_not_allowed}, call.request_id);
      response.with("Allow", other->allowed);
      co_return response;
    } else {
      error = Error{.code = ErrorCode::not_found};
    }
  } catch (const Unavailable& unavailable) {
    error = Error{.code = ErrorCode::unavailable, .cause = {unavailable.what()}};
  } catch (const std::exception& bug) {
    outcome.cause = bug.what();
    parts_.log.event(LogLevel::error, "request-failed",
                     {{"requestId", call.request_id}, {"cause", std::string_view(outcome.cause)}});
  }
  if (!error)
    co_return http::refusal_response(500, "Something went wrong here. The request id names it in our log.",
                                     call.request_id);
  outcome.cause = error->cause.text;
  co_return http::to_response(*error, call.request_id);
}

Task<Result<http::Response>> Pipeline::call_handler(const Route& route, Call& call) {
  // Who asks comes before everything that costs: a stranger learns nothing and spends nothing.
  const auto authorized = co_await authorize(route, call);
  if (!authorized) co_return std::unexpected(authorized.error());
  // Counted after it, so that a caller with a bad credential does not use up the share of its network.
  const auto limited = co_await limit(route, call);
  if (!limited) co_return std::unexpected(limited.error());
  // The key is looked up last: what was refused above is refused again, whatever was answered before.
  const auto key = call.request.field("Idempotency-Key");
  const bool is_once = key && route.idempotency_key == IdempotencyKey::honoured;
  std::optional<Result<http::Response>> response;
  if (is_once) {
    response = co_await call_once(route, call, *key);
  } else {
    response = co_await route.endpoint.handler(call);
  }
  const bool is_act = route.access.permission() && route.method != http::Method::get;
  if (is_act && !*response && is_refusal(response->error().code)) {
    const auto& error = response->error();
    auto reason = error.detail.text.empty() ? std::string(http::problem_type(error.code).name) : error.detail.text;
    const auto recorded = co_await record_refusal("operation.refused", route, call, std::move(reason), error.target);
    if (!recorded) co_return std::unexpected(recorded.error());
  }
  co_return std::move(*response);
}

Task<Result<http::Response>> Pipeline::call_once(const Route& route, Call& call, std::string_view key) {
  auto caller = call.caller || call.acting ? call.actor().text : "network:" + call.client.client_network();
  auto claim = co_await parts_.idempotency.claim(std::move(caller), key, call.request);
  if (!claim) co_return std::unexpected(std::move(claim.error()));
  if (claim->earlier_answer()) co_return *claim->earlier_answer();
  std::optional<Result<http::Response>> response;
  std::exception_ptr failure;
  try {
    response = co_await route.endpoint.handler(call);
  } catch (...) {
    failure = std::current_exception();
  }
  if (response && *response) {
    co_await claim->settle(**response);
  } else {
    co_await claim->release();  // what ended badly may be sent again
  }
  if (failure) std::rethrow_exception(failure);
  co_return std::move(*response);
}

Task<Status> Pipeline::authorize(const Route& route, Call& call) {
  if (route.access.is_public()) co_return Status{};
  const auto authenticated = co_await authenticate(call);
  if (!authenticated) co_return std::unexpected(authenticated.error());
  const auto permission = route.access.permission();
  if (!permission) {
    if (!call.caller) co_return refuse(ErrorCode::forbidden, "This is for a person who is signed in.");
    co_return has_proved_enough(route, call);
  }
  if (!call.acting) {
    call.acting = Operator::person(call.caller->user, call.caller->session, call.caller->role);
    call.acting->has_proved_lately = call.caller->has_authenticated_lately(parts_.clock.now());
  }
  if (call.acting->may(*permission)) {
    // After the permission: who may not do it at all is told so.
    const auto proved = has_proved_enough(route, call);
    if (!proved) co_return std::unexpected(proved.error());
    co_return Status{};
  }
  auto refused =
      co_await record_refusal("access.refused", route, call, "needs " + std::string(name_of(*permission)), {});
  if (!refused) co_return refused;
  co_return refuse(ErrorCode::forbidden, "This needs the permission " + std::string(name_of(*permission)) + ".");
}

Status Pipeline::has_proved_enough(const Route& route, const Call& call) const {
  if (!call.caller) return {};  // an API key, or somebody at the machine itself
  const auto& caller = *call.caller;
  const auto& from = options_.second_factor_required_from;
  if (route.access.permission() && from && caller.is_at_least(*from) && !caller.has_second_factor) {
    return refuse(ErrorCode::second_factor_missing,
                  "POST /v1/users/me/factors/totp enrols one. If you have one, log in with it.");
  }
  const auto step_up = route.access.step_up();
  if (step_up == StepUp::never) return {};
  const auto proofs_count_from = parts_.mode.proofs_count_from(parts_.clock);
  // What is frozen says so itself, and to prove more would not help.
  const bool is_guarded = caller.has_second_factor || (proofs_count_from && !parts_.mode.effects().freezes_credentials);
  if (step_up == StepUp::guarded && !is_guarded) return {};
  const bool counts = !proofs_count_from || caller.authenticated_at >= *proofs_count_from;
  if (counts && caller.has_authenticated_lately(parts_.clock.now())) return {};
  return refuse(step_up_required());
}

// What an operator tried and was refused is on record, as what was done is. Who goes on asking for what is not theirs
// is told to wait, and fills neither the disk nor the queue of writes.
Task<Status> Pipeline::record_refusal(std::string_view action, const Route& route, const Call& call, std::string reason,
                                      std::string target) {
  if (!call.is_exempt_from_limits) {
    const auto full = co_await parts_.limits.take(kRefusalsPerUser, call.actor().text);
    if (full) co_return refuse(Error{.code = ErrorCode::too_many_requests, .retry_after = full});
  }
  auto name = "route:" + std::string(name_of(route.method)) + " " + std::string(route.path);
  if (!target.empty()) reason = name + ": " + reason;
  AuditEntry entry{.action = action,
                   .outcome = AuditOutcome::refused,
                   .actor = call.actor(),
                   .target = target.empty() ? std::move(name) : std::move(target),
                   .reason = std::move(reason),
                   .origin = call.origin()};
  co_await parts_.audit.record(parts_.database, std::move(entry));
  co_return Status{};
}

Task<Status> Pipeline::authenticate(Call& call) {
  if (call.acting) co_return Status{};  // at the machine itself
  const auto token = presented_token(call.request);
  if (!token) co_return refuse(ErrorCode::unauthenticated);
  if (looks_like_api_key(*token)) {
    auto acting = co_await parts_.api_keys.authenticate(*token, call.client, call.origin());
    if (!acting) co_return std::unexpected(co_await count_unknown_key(*token, call, std::move(acting.error())));
    call.acting = std::move(*acting);
    co_return Status{};
  }
  auto caller = parts_.guard.authenticate(*token);
  if (!caller) co_return std::unexpected(std::move(caller.error()));
  call.caller = *caller;
  co_return Status{};
}

// A key of ours that was revoked or has expired is no guess. A good one is never refused for the wrong ones of its
// neighbours: 256 random bits are not guessed.
Task<Error> Pipeline::count_unknown_key(std::string_view key, const Call& call, Error refusal) {
  if (refusal.code != ErrorCode::unauthenticated) co_return refusal;
  const auto known = co_await parts_.api_keys.find(key);
  if (known || !hash_api_key(key)) co_return refusal;
  Guess guess{.secret = Guessable::api_key,
              .account = std::string(key),
              .network = call.client.client_network(),
              .is_exempt_from_networks_count = call.is_exempt_from_limits};
  const auto may_tell = co_await parts_.attempts.may_tell_unknown(std::move(guess));
  co_return may_tell ? refusal : may_tell.error();
}

Task<Status> Pipeline::limit(const Route& route, const Call& call) {
  const RateLimit* rate_limit = route.rate_class == RateClass::mail           ? &kMailPerNetwork
                                : route.rate_class == RateClass::registration ? &kRegistrationsPerNetwork
                                                                              : nullptr;
  if (rate_limit == nullptr || call.is_exempt_from_limits) co_return Status{};
  const auto full = co_await parts_.limits.take(*rate_limit, call.client.client_network());
  if (full) co_return refuse(Error{.code = ErrorCode::too_many_requests, .retry_after = full});
  co_return Status{};
}

std::optional<std::string_view> Pipeline::allowed_origin(const http::Request& request) const {
  if (options_.cors_origins.empty()) return std::nullopt;
  const auto origin = request.field("Origin");
  if (!origin || std::ranges::find(options_.cors_origins, *origin) == options_.cors_origins.end()) return std::nullopt;
  return origin;
}

http::Response Pipeline::preflight(const Call& call, std::string_view allowed_methods, Outcome& outcome) const {
  http::Response response{.status = 204};
  response.with("Allow", std::string(allowed_methods));
  if (!allowed_origin(call.request) || !call.request.field("Access-Control-Request-Method")) return response;
  response.with("Access-Control-Allow-Methods", std::string(allowed_methods));
  response.with("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key");
  response.with("Access-Control-Max-Age", std::string(kPreflightAge));
  outcome.takes_cookies = std::ranges::any_of(routes_, [&](const Route& route) {
    return route.refresh_cookie != RefreshCookie::ignored && route.path == call.request.path;
  });
  return response;
}

// From the socket; from X-Forwarded-For only as far as each hop is a proxy of ours.
IpAddress Pipeline::client_address(const http::Request& request) const {
  auto address = request.peer;
  if (options_.trusted_proxies.empty()) return address;
  std::string hops;
  for (const auto& field : request.fields) {
    if (!http::equals_ignoring_case(field.name, "X-Forwarded-For")) continue;
    hops.append(hops.empty() ? "" : ",").append(field.value);
  }
  std::string_view rest = hops;
  while (any_contains(options_.trusted_proxies, address) && !rest.empty()) {
    const auto comma = rest.rfind(',');
    auto hop = comma == std::string_view::npos ? rest : rest.substr(comma + 1);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(0, comma);
    while (!hop.empty() && hop.front() == ' ') hop.remove_prefix(1);
    while (!hop.empty() && hop.back() == ' ') hop.remove_suffix(1);
    const auto parsed = IpAddress::parse(hop);
    if (!parsed) break;  // what a proxy of ours did not write is not believed
    address = *parsed;
  }
  return address;
}

std::string Pipeline::make_request_id() { return random_text<12>(parts_.random); }

void Pipeline::finish(http::Response& response, const http::Request& request, std::string_view request_id,
                      bool takes_cookies) const {
  response.common_fields = kSecurityFields;
  response.fields.reserve(response.fields.size() + 6);
  response.with("X-Request-Id", std::string(request_id));
  if (!has_field(response, "Content-Security-Policy"))
    response.with("Content-Security-Policy", std::string(kStrictPolicy));
  if (!has_field(response, "Cache-Control")) response.with("Cache-Control", "no-store");
  if (request.is_encrypted) response.with("Strict-Transport-Security", std::string(kTransportSecurity));
  if (options_.cors_origins.empty()) return;
  response.with("Vary", "Origin");
  if (const auto origin = allowed_origin(request)) {
    response.with("Access-Control-Allow-Origin", std::string(*origin));
    response.with("Access-Control-Expose-Headers", "X-Request-Id, Retry-After");
    // Nothing else looks at cookies, so pages need send them nowhere else. The origin is one of the list, never "*".
    if (takes_cookies) response.with("Access-Control-Allow-Credentials", "true");
  }
}

void Pipeline::log_request(const http::Request& request, const http::Response& response, const Call& call,
                           const Outcome& outcome, std::chrono::nanoseconds duration) {
  const auto path = shortened(request.path);  // never the query: the links of mails have tokens there
  const auto user = call.caller ? call.caller->user.text() : std::string();
  const auto actor = call.acting && !call.caller ? call.acting->actor.text : std::string();  // else it is the user
  parts_.log.frequent("request", {{"method", name_of(request.method)},
                                  {"path", path},
                                  {"status", std::int64_t{response.status}},
                                  {"durationMs", std::chrono::duration<double, std::milli>(duration).count()},
                                  {"requestId", call.request_id},
                                  {"ip", call.client.text()},
                                  {"user", user},
                                  {"actor", actor},
                                  {"cause", outcome.cause}});
}

std::vector<std::string> route_names(const std::vector<Route>& routes) {
  std::vector<std::string> names;
  names.reserve(routes.size());
  for (const auto& route : routes) names.push_back(std::string(name_of(route.method)) + " " + std::string(route.path));
  return names;
}

}  // namespace safawinet::api
