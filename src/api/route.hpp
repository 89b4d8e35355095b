// A route: what it is called, who may call it, what it costs, and the handler, with its types.
#pragma once

#include <boost/json/object.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "access/permission.hpp"
#include "api/call.hpp"
#include "api/types.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/task.hpp"
#include "http/message.hpp"

namespace safawinet::api {

// Whether a person must have proved within the last ten minutes who they are.
enum class StepUp {
  never,
  guarded,  // who has a second factor must, and everybody while the compromise mode demands it
  always,
};
std::string_view name_of(StepUp step_up);

// Who may call: everybody, whoever is signed in, or who has a permission.
class Access {
 public:
  enum class Kind { public_, user, permission };

  // NOLINTNEXTLINE(google-explicit-constructor): a permission is what most lines of the route table say
  constexpr Access(Permission permission) : kind_(Kind::permission), permission_(permission) {}
  static constexpr Access to(Kind kind) { return Access(kind); }

  [[nodiscard]] constexpr Kind kind() const { return kind_; }
  [[nodiscard]] constexpr bool is_public() const { return kind_ == Kind::public_; }
  // None unless it is asked for.
  [[nodiscard]] constexpr std::optional<Permission> permission() const {
    return kind_ == Kind::permission ? std::optional(permission_) : std::nullopt;
  }
  [[nodiscard]] constexpr StepUp step_up() const { return step_up_; }
  [[nodiscard]] constexpr Access with(StepUp step_up) const {
    Access access = *this;
    access.step_up_ = step_up;
    return access;
  }
  bool operator==(const Access&) const = default;

 private:
  constexpr explicit Access(Kind kind) : kind_(kind) {}

  Kind kind_;
  Permission permission_{};  // of Kind::permission
  StepUp step_up_ = StepUp::never;
};
// For what grants, reveals or destroys, and never for what contains: ending sessions, disabling, unlocking, revoking.
// API keys have explicit permissions, and are not asked.
constexpr Access lately(Permission permission) { return Access(permission).with(StepUp::always); }

inline constexpr auto kForEverybody = Access::to(Access::Kind::public_);
inline constexpr auto kForUsers = Access::to(Access::Kind::user);
// For changes of one's own credentials, which ask for the password besides.
inline constexpr auto kForUsersGuarded = kForUsers.with(StepUp::guarded);
// "public", "user", or the least role that has the permission.
std::string_view name_of(Access access);

// What bounds the calls. The pipeline counts `mail` and `registration` by client network; the services count by address
// and account.
enum class RateClass { open, login, refresh, read, write, mail, registration, operator_ };
std::string_view name_of(RateClass rate_class);

enum class IdempotencyKey { ignored, honoured };

// What a route has to do with the cookie of browsers (refresh_cookie.hpp). Nothing else looks at cookies or sets any.
enum class RefreshCookie { ignored, set, used };

// 201: what was made, and where to see it.
template <class T>
struct Created {
  T made;
  std::string location;
};
// 202: what has begun, and where to see how it goes on.
template <class T>
struct Begun {
  T job;
  std::string location;
};
// 200 with the one, or 202 with the other.
template <class Done, class Job>
using DoneOrBegun = std::variant<Done, Begun<Job>>;

using Handler = std::function<Task<Result<http::Response>>(Call&)>;

struct Schema {
  std::string name;
  boost::json::object schema;
};

// A handler with what OpenAPI says of it.
struct Endpoint {
  Handler handler;
  std::optional<Schema> body;  // none: no body is read
  std::optional<Schema> form;  // of a body that is a form and no JSON
  std::optional<Schema>
      message;  // of a body that is JSON whatever its Content-Type says; its signature is its credential
  bool is_body_optional = false;  // an empty body is fine
  std::optional<Schema> answer;   // none: no JSON
  std::optional<Schema> begun;    // of a 202 that there may be instead
  unsigned status = 200;          // of success
};

struct Route {
  http::Method method;
  std::string_view path;
  Access access;
  RateClass rate_class;
  IdempotencyKey idempotency_key;
  std::string_view summary;
  Endpoint endpoint;
  RefreshCookie refresh_cookie = RefreshCookie::ignored;
};

namespace detail {

template <class T>
http::Response encode(const T& answer) {
  http::Response response{.status = 200, .content_type = "application/json"};
  append_json(response.body, answer);
  return response;
}
inline http::Response encode(const NoContent&) { return {.status = 204}; }
inline http::Response encode(const Accepted&) {
  return {.status = 202, .content_type = "application/json", .body = "{}"};
}
inline http::Response encode(http::Response response) { return response; }
template <class Done, class Job>
http::Response encode(const DoneOrBegun<Done, Job>& answer) {
  if (const auto* done = std::get_if<Done>(&answer)) return encode(*done);
  const auto& begun = std::get<Begun<Job>>(answer);
  auto response = encode(begun.job);
  response.status = 202;
  response.with("Location", begun.location);
  return response;
}

template <class T>
http::Response encode(const Created<T>& answer) {
  auto response = encode(answer.made);
  response.status = 201;
  response.with("Location", answer.location);
  return response;
}

template <class Output>
struct Alternatives {
  using Answer = Output;
  static void describe(Endpoint&) {}
};
template <class Done, class Job>
struct Alternatives<DoneOrBegun<Done, Job>> {
  using Answer = Done;
  static void describe(Endpoint& endpoint) { endpoint.begun = Schema{schema_name<Job>(), schema_of<Job>()}; }
};

template <class T>
struct Alternatives<Created<T>> {
  using Answer = T;
  static void describe(Endpoint& endpoint) { endpoint.status = 201; }
};

template <class AnyOutput>
void describe_answer(Endpoint& endpoint) {
  using Output = typename Alternatives<AnyOutput>::Answer;
  Alternatives<AnyOutput>::describe(endpoint);
  if constexpr (std::is_same_v<Output, NoContent>) {
    endpoint.status = 204;
  } else if constexpr (std::is_same_v<Output, Accepted>) {
    endpoint.status = 202;
  } else if constexpr (!std::is_same_v<Output, http::Response>) {
    endpoint.answer = Schema{schema_name<Output>(), schema_of<Output>()};
  }
}

// The JSON body, or what stands for an empty one: an object without members. Errors: unsupported_media_type,
// unreadable_request.
Result<boost::json::value> read_body(const http::Request& request, bool may_be_empty);

template <class Input>
bool may_be_empty() {
  return from_json<Input>(boost::json::object()).has_value();
}

}  // namespace detail

// Makes an endpoint of a method. `api` may be null as long as nobody calls it (`safawinet routes`).
template <class Api, class Output>
Endpoint bind(Api* api, Task<Result<Output>> (Api::*method)(Call&)) {
  Endpoint endpoint;
  detail::describe_answer<Output>(endpoint);
  endpoint.handler = [api, method](Call& call) -> Task<Result<http::Response>> {
    auto answer = co_await (api->*method)(call);
    if (!answer) co_return std::unexpected(std::move(answer.error()));
    co_return detail::encode(std::move(*answer));
  };
  return endpoint;
}

// The same with a JSON body, which is decoded and checked before the method is called.
template <class Api, class Input, class Output>
Endpoint bind(Api* api, Task<Result<Output>> (Api::*method)(Call&, Input)) {
  Endpoint endpoint;
  detail::describe_answer<Output>(endpoint);
  endpoint.body = Schema{schema_name<Input>(), schema_of<Input>()};
  endpoint.is_body_optional = detail::may_be_empty<Input>();
  endpoint.handler = [api, method,
                      may_be_empty = endpoint.is_body_optional](Call& call) -> Task<Result<http::Response>> {
    const auto body = detail::read_body(call.request, may_be_empty);
    if (!body) co_return std::unexpected(body.error());
    auto input = from_json<Input>(*body);
    if (!input) co_return std::unexpected(std::move(input.error()));
    auto answer = co_await (api->*method)(call, std::move(*input));
    if (!answer) co_return std::unexpected(std::move(answer.error()));
    co_return detail::encode(std::move(*answer));
  };
  return endpoint;
}

}  // namespace safawinet::api
