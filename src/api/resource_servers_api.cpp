#include "api/resource_servers_api.hpp"

#include <boost/json.hpp>

#include <utility>

#include "access/standing.hpp"
#include "api/bearer.hpp"
#include "http/characters.hpp"

namespace safawinet::api {
namespace {

namespace json = boost::json;

constexpr std::int64_t kItemsAtMost = 200;
constexpr std::int64_t kItemsUsually = 100;
constexpr std::chrono::seconds kKeyCheckInterval{5};

http::Response answer_with(unsigned status, const json::object& object) {
  return {.status = status, .content_type = "application/json", .body = json::serialize(object)};
}

// RFC 6749 section 5.2, which RFC 7662 refers to.
http::Response invalid_request(std::string_view description) {
  return answer_with(400, {{"error", "invalid_request"}, {"error_description", description}});
}

http::Response inactive() { return answer_with(200, {{"active", false}}); }

std::int64_t in_seconds(Time time) { return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count(); }

http::Response active(const AccessClaims& claims) {
  json::array methods;
  for (const auto& method : claims.methods) methods.push_back(json::string_view(method));
  return answer_with(200, {{"active", true},
                           {"token_type", "Bearer"},
                           {"iss", claims.issuer},
                           {"aud", claims.audience},
                           {"client_id", claims.client_id},
                           {"sub", claims.subject.text()},
                           {"sid", claims.session.text()},
                           {"role", claims.role},
                           {"jti", claims.token_id},
                           {"iat", in_seconds(claims.issued_at)},
                           {"exp", in_seconds(claims.expires_at)},
                           {"auth_time", in_seconds(claims.authenticated_at)},
                           {"acr", authentication_class(claims.methods)},
                           {"amr", std::move(methods)}});
}

// A refresh token. It has no token_type: it is good for no resource.
http::Response active(const SessionStanding& session) {
  return answer_with(200, {{"active", true},
                           {"client_id", "safawinet"},
                           {"sub", session.user.text()},
                           {"sid", session.id.text()},
                           {"exp", in_seconds(session.expires_at)}});
}

bool is_form(std::string_view content_type) {
  constexpr std::string_view kForm = "application/x-www-form-urlencoded";
  const auto type = content_type.substr(0, std::min(content_type.find_first_of("; \t"), content_type.size()));
  return http::equals_ignoring_case(type, kForm);
}

// Parameters must not be repeated (RFC 6749 section 3.2).
bool is_repeated(std::string_view form, std::string_view name) {
  std::size_t found = 0;
  while (!form.empty()) {
    const auto pair = form.substr(0, form.find('&'));
    if (pair.substr(0, pair.find('=')) == name) ++found;
    form.remove_prefix(std::min(pair.size() + 1, form.size()));
  }
  return found > 1;
}

// RFC 9110 section 12.5.1: whether it is among what the client accepts; nobody lists it only to refuse it.
bool accepts_events(const http::Request& request) {
  return request.field("Accept").value_or("").find("text/event-stream") != std::string_view::npos;
}

// Where to go on. A client that connects again sends the last id that it had: that is later than what is in its
// address.
Result<std::optional<std::string>> cursor_of(const Call& call) {
  const auto last_id = call.request.field("Last-Event-ID").value_or("");
  if (!last_id.empty() && accepts_events(call.request)) return std::string(last_id);
  auto after = call.query("after");
  if (after && *after && (*after)->empty()) return std::optional<std::string>();
  return after;
}

}  // namespace

Task<Result<http::Response>> ResourceServersApi::introspect(Call& call) {
  if (!is_form(call.request.field("Content-Type").value_or(""))) {
    co_return refuse(ErrorCode::unsupported_media_type,
                     "Send a form, with Content-Type: application/x-www-form-urlencoded (RFC 7662).");
  }
  if (is_repeated(call.request.body, "token")) co_return invalid_request("token is given more than once");
  const auto token = form_value(call.request.body, "token");
  if (!token || token->empty()) co_return invalid_request("token is missing, or is not percent-encoded UTF-8");
  const SecretText secret(*token);
  co_return co_await introspect_token(secret);
}

// Whatever is wrong with a token, it is not active, and nothing else is said (RFC 7662 section 2.2).
Task<Result<http::Response>> ResourceServersApi::introspect_token(const SecretText& token) {
  const auto claims = parts_.guard.inspect(token.reveal());
  if (claims) co_return active(*claims);
  if (claims.error().code != ErrorCode::unauthenticated) co_return std::unexpected(claims.error());
  const auto session = co_await parts_.sessions.find_by_token(token);
  if (session) co_return active(*session);
  co_return inactive();
}

Task<Result<http::Response>> ResourceServersApi::revocations(Call& call) {
  const auto limit = call.number("limit", 1, kItemsAtMost);
  if (!limit) co_return std::unexpected(limit.error());
  const auto items = static_cast<std::size_t>(limit->value_or(kItemsUsually));
  const auto after = cursor_of(call);
  if (!after) co_return std::unexpected(after.error());
  auto page = co_await parts_.pages.read(*after, items);
  if (accepts_events(call.request)) co_return co_await stream(call, std::move(page));
  RevocationFeedAnswer answer{
      .items = {}, .next_cursor = page.next, .has_more = page.has_more, .reset = page.is_reset, .epoch = page.epoch};
  for (const auto& item : page.items) answer.items.push_back(to_item(item.revocation));
  co_return detail::encode(answer);
}

Task<Result<http::Response>> ResourceServersApi::stream(const Call& call, RevocationPage first) {
  auto release = [open = streams_](const int*) { --*open; };
  const bool is_free = ++*streams_ <= kRevocationStreamsLimit;
  const std::shared_ptr<const int> place(nullptr, std::move(release));
  if (!is_free) co_return refuse(ErrorCode::overloaded, "As many clients follow the revocations here as can.");
  RevocationStream::Parts parts{.pages = parts_.pages,
                                .feed = parts_.feed,
                                .clock = parts_.clock,
                                .may_go_on = standing_of(call),
                                .place = place};
  const auto following = std::make_shared<RevocationStream>(std::move(parts), std::move(first));
  http::Response response{.status = 200, .content_type = "text/event-stream"};
  response.stream = following->producer();
  response.with("X-Accel-Buffering", "no");  // proxies of the kind of nginx pass on what comes at once
  co_return response;
}

// Whether whoever asked for the stream may still have it: a token at each question, which costs nothing; what only the
// database knows, now and then.
std::function<Task<bool>()> ResourceServersApi::standing_of(const Call& call) const {
  if (call.caller) {
    const auto token = std::make_shared<const SecretText>(std::string(bearer_token(call.request).value_or("")));
    return
        [token, &guard = parts_.guard]() -> Task<bool> { co_return guard.authenticate(token->reveal()).has_value(); };
  }
  struct Standing {
    Operator acting;
    MonotonicTime due;
    bool is_good = true;
  };
  const auto standing =
      std::make_shared<Standing>(Standing{.acting = *call.acting, .due = parts_.clock.monotonic() + kKeyCheckInterval});
  return [standing, &database = parts_.database, &clock = parts_.clock]() -> Task<bool> {
    if (clock.monotonic() < standing->due) co_return standing->is_good;
    standing->due = clock.monotonic() + kKeyCheckInterval;
    standing->is_good = co_await still_may(database, standing->acting, Permission::revocations_read, clock.now());
    co_return standing->is_good;
  };
}

Endpoint introspection_endpoint(ResourceServersApi* api) {
  auto endpoint = bind(api, &ResourceServersApi::introspect);
  endpoint.form = Schema{"IntrospectionRequest", json::parse(R"({
    "type": "object",
    "description": "RFC 7662 section 2.1",
    "required": ["token"],
    "properties": {
      "token": {"type": "string", "description": "an access token or a refresh token"},
      "token_type_hint": {"type": "string", "description": "ignored"}
    }
  })")
                                                     .as_object()};
  endpoint.answer = Schema{"IntrospectionAnswer", json::parse(R"({
    "type": "object",
    "description": "RFC 7662 section 2.2; nothing but active: false for a token that is not good, whatever the reason. Of a refresh token only active, client_id, sub, sid and exp",
    "required": ["active"],
    "properties": {
      "active": {"type": "boolean"},
      "token_type": {"type": "string", "const": "Bearer"},
      "iss": {"type": "string"},
      "aud": {"type": "string"},
      "client_id": {"type": "string"},
      "sub": {"type": "string", "format": "uuid", "description": "the user"},
      "sid": {"type": "string", "format": "uuid", "description": "the session"},
      "role": {"type": "string"},
      "jti": {"type": "string"},
      "iat": {"type": "integer"},
      "exp": {"type": "integer"},
      "auth_time": {"type": "integer", "description": "when the user last proved who they are"},
      "acr": {"type": "string", "enum": ["urn:safawinet:acr:single-factor", "urn:safawinet:acr:multi-factor"]},
      "amr": {"type": "array", "items": {"type": "string"}}
    }
  })")
                                                      .as_object()};
  return endpoint;
}

Endpoint revocations_endpoint(ResourceServersApi* api) {
  auto endpoint = bind(api, &ResourceServersApi::revocations);
  endpoint.answer = Schema{schema_name<RevocationFeedAnswer>(), schema_of<RevocationFeedAnswer>()};
  return endpoint;
}

}  // namespace safawinet::api
