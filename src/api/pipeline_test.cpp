// What happens to every request around its handler.
#include "api/pipeline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "api/testing.hpp"

namespace safawinet::api {
namespace {

using ::testing::AllOf;
using testing::ApiAtWork;
using testing::field_of;
using testing::get;
using ::testing::HasSubstr;
using testing::json_of;
using ::testing::Not;
using testing::post;
using testing::SentRequest;
using ::testing::SizeIs;
using testing::with;

constexpr std::string_view kForceLogoutAll = "/v1/auth/force-logout-all";

// Routes that show what the pipeline does, beside those of the API.
std::vector<Route> probes() {
  const auto route = [](std::string_view path, RateClass rate_class, Handler handler) {
    Endpoint endpoint;
    endpoint.handler = std::move(handler);
    return Route{http::Method::get, path, kForEverybody, rate_class, IdempotencyKey::honoured, "A probe", endpoint};
  };
  const Handler address = [](Call& call) -> Task<Result<http::Response>> {
    http::Response response{.status = 200, .content_type = "text/plain", .body = call.client.text()};
    co_return response;
  };
  const Handler unavailable = [](Call&) -> Task<Result<http::Response>> {
    throw Unavailable("disk /var/secret is full");
    co_return http::Response{};
  };
  const Handler bug = [](Call&) -> Task<Result<http::Response>> {
    throw std::logic_error("hunter2");
    co_return http::Response{};
  };
  return {route("/probe/address", RateClass::open, address), route("/probe/mail", RateClass::mail, address),
          route("/probe/unavailable", RateClass::open, unavailable), route("/probe/bug", RateClass::open, bug)};
}

class PipelineTest : public ::testing::Test {
 protected:
  PipelineTest() : at_work_({}, probes()) {}

  ApiAtWork at_work_;
};

class PipelineLogTest : public ::testing::Test {
 protected:
  PipelineLogTest() : at_work_({}, probes(), LogLevel::info) {}

  // What is written to the log meanwhile.
  template <class Action>
  std::string logged_by(Action action) {
    ::testing::internal::CaptureStderr();
    action();
    at_work_.log.flush();
    return ::testing::internal::GetCapturedStderr();
  }

  ApiAtWork at_work_;
};

// What every answer has.

TEST_F(PipelineTest, every_answer_has_the_security_fields_and_an_id_of_its_own) {
  std::set<std::string> ids;
  for (const auto* target : {"/health/live", "/v1/users/me", "/nowhere", "/probe/bug", "/verify-email"}) {
    const auto response = at_work_.send(get(target));
    EXPECT_EQ(field_of(response, "X-Content-Type-Options"), "nosniff") << target;
    EXPECT_EQ(field_of(response, "X-Frame-Options"), "DENY") << target;
    EXPECT_EQ(field_of(response, "Referrer-Policy"), "no-referrer") << target;
    EXPECT_THAT(field_of(response, "Content-Security-Policy").value_or(""), HasSubstr("default-src 'none'")) << target;
    EXPECT_EQ(field_of(response, "Cache-Control"), "no-store") << target;
    EXPECT_EQ(field_of(response, "Strict-Transport-Security"), std::nullopt) << target;
    EXPECT_TRUE(ids.insert(field_of(response, "X-Request-Id").value_or("")).second) << target;
    EXPECT_FALSE(field_of(response, "Access-Control-Allow-Origin")) << target;
  }
  auto encrypted = get("/health/live");
  encrypted.is_encrypted = true;
  EXPECT_THAT(field_of(at_work_.send(encrypted), "Strict-Transport-Security").value_or(""), HasSubstr("max-age="));
}

TEST_F(PipelineTest, keys_and_documents_may_be_cached) {
  EXPECT_EQ(field_of(at_work_.send(get("/.well-known/jwks.json")), "Cache-Control"), "public, max-age=300");
}

TEST_F(PipelineTest, a_problem_has_the_id_of_its_request) {
  const auto response = at_work_.send(get("/nowhere"));
  EXPECT_EQ(response.status, 404U);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(json_of(response).at("requestId"), testing::json_text(field_of(response, "X-Request-Id").value()));
}

TEST_F(PipelineTest, a_path_with_another_method_names_those_that_it_has) {
  const auto response =
      at_work_.send({.method = http::Method::put, .target = "/v1/users/me", .body = {}, .fields = {}});
  EXPECT_EQ(response.status, 405U);
  EXPECT_THAT(field_of(response, "Allow").value_or(""),
              AllOf(HasSubstr("GET"), HasSubstr("HEAD"), HasSubstr("PATCH"), HasSubstr("DELETE")));
}

TEST_F(PipelineTest, what_never_became_a_request_is_answered_and_counted_too) {
  const auto response = at_work_.pipeline.refuse_unreadable(400, "The header is folded.");
  EXPECT_EQ(response.status, 400U);
  EXPECT_EQ(json_of(response).at("detail"), "The header is folded.");
  EXPECT_EQ(field_of(response, "X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(at_work_.request_metrics.figures().at(0).route, "none");
}

// Failures.

TEST_F(PipelineLogTest, a_dependency_that_is_down_is_503_and_says_when_to_come_back_but_not_why) {
  http::Response response;
  const auto log = logged_by([&] { response = at_work_.send(get("/probe/unavailable")); });
  EXPECT_EQ(response.status, 503U);
  EXPECT_TRUE(field_of(response, "Retry-After"));
  EXPECT_THAT(response.body, Not(HasSubstr("secret")));
  EXPECT_THAT(log, HasSubstr("disk /var/secret is full"));
}

TEST_F(PipelineLogTest, a_bug_is_500_with_the_request_id_and_its_cause_in_the_log_only) {
  http::Response response;
  const auto log = logged_by([&] { response = at_work_.send(get("/probe/bug")); });
  EXPECT_EQ(response.status, 500U);
  EXPECT_THAT(response.body, Not(HasSubstr("hunter2")));
  EXPECT_THAT(log, AllOf(HasSubstr("hunter2"), HasSubstr(field_of(response, "X-Request-Id").value())));
}

TEST_F(PipelineTest, without_the_lease_whoever_has_a_valid_token_hears_503_and_the_open_routes_go_on) {
  const auto ada = at_work_.somebody("customer", "ada@example.com");
  at_work_.clock.advance(testing::kLease);
  const auto response = at_work_.send_as(ada, get("/v1/users/me"));
  EXPECT_EQ(response.status, 503U);
  EXPECT_TRUE(field_of(response, "Retry-After"));
  EXPECT_EQ(at_work_.send(get("/health/live")).status, 200U);
  EXPECT_EQ(at_work_.send(get("/health")).status, 503U);
  EXPECT_EQ(at_work_.send(get("/health/ready")).status, 503U);
  at_work_.run(at_work_.feed.catch_up());
  EXPECT_EQ(at_work_.send_as(ada, get("/v1/users/me")).status, 200U);
  EXPECT_EQ(at_work_.send(get("/health")).status, 200U);
  EXPECT_EQ(at_work_.send(get("/health/ready")).status, 200U);
}

TEST_F(PipelineTest, a_server_that_drains_is_alive_but_not_ready) {
  at_work_.process.is_draining = true;
  EXPECT_EQ(at_work_.send(get("/health/ready")).status, 503U);
  EXPECT_EQ(at_work_.send(get("/health/live")).status, 200U);
  EXPECT_EQ(at_work_.send(get("/health")).status, 200U);
}

TEST_F(PipelineTest, mail_that_fails_degrades_and_does_not_stop) {
  at_work_.process.is_mail_failing = true;
  const auto response = at_work_.send(get("/health"));
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(json_of(response).at("status"), "degraded");
  EXPECT_EQ(json_of(response).at("dependencies").at("mail").at("status"), "failing");
}

// Who may call.

TEST_F(PipelineTest, every_route_that_is_not_public_asks_for_a_valid_token) {
  for (const auto& route : at_work_.table()) {
    SentRequest sent{.method = route.method, .target = std::string(route.path), .body = {}, .fields = {}};
    for (const std::string authorization : {"", "Basic YTpi", "Bearer", "Bearer ", "Bearer nonsense"}) {
      const auto response = at_work_.send(authorization.empty() ? sent : with(sent, "Authorization", authorization));
      if (route.access.is_public()) {
        EXPECT_NE(response.status, 401U) << route.path;
      } else {
        EXPECT_EQ(response.status, 401U) << route.path;
        EXPECT_THAT(field_of(response, "WWW-Authenticate").value_or(""), HasSubstr("Bearer"));
      }
    }
  }
}

TEST_F(PipelineTest, every_route_is_closed_to_the_role_below_its_own_and_the_refusal_is_on_record) {
  const auto customer = at_work_.somebody("customer", "customer@example.com");
  const auto support = at_work_.somebody("support", "support@example.com");
  const auto admin = at_work_.somebody("admin", "admin@example.com");
  std::int64_t refusals = 0;
  for (const auto& route : at_work_.table()) {
    const SentRequest sent{.method = route.method, .target = std::string(route.path), .body = {}, .fields = {}};
    const auto status_for = [&](const LoggedIn& caller) { return at_work_.send_as(caller, sent).status; };
    const auto permission = route.access.permission();
    if (permission && permissions_of(Role::support).contains(*permission)) {
      EXPECT_NE(status_for(support), 403U) << route.path;
    }
    if (permission) {
      EXPECT_EQ(status_for(customer), 403U) << route.path;
      ++refusals;
      EXPECT_EQ(at_work_.text("SELECT target FROM audit_log ORDER BY seq DESC LIMIT 1"),
                "route:" + std::string(name_of(route.method)) + " " + std::string(route.path));
    }
    if (permission && least_role(*permission) == Role::admin && route.path != kForceLogoutAll) {
      EXPECT_EQ(status_for(support), 403U) << route.path;
      EXPECT_NE(status_for(admin), 403U) << route.path;
      ++refusals;
    }
  }
  EXPECT_EQ(at_work_.send_as(support, post(std::string(kForceLogoutAll), "")).status, 403U);
  EXPECT_EQ(at_work_.audited("access.refused"), refusals + 1);
  EXPECT_TRUE(at_work_.is_accepted(customer.tokens)) << "nobody was signed out";
}

TEST_F(PipelineTest, the_scheme_of_a_credential_is_read_in_any_case) {
  const auto ada = at_work_.somebody("customer", "ada@example.com");
  const auto token = std::string(ada.tokens.access_token.reveal());
  EXPECT_EQ(at_work_.send(with(get("/v1/users/me"), "authorization", "bEaReR " + token)).status, 200U);
  EXPECT_EQ(at_work_.send(with(get("/v1/users/me"), "Authorization", "Bearer  " + token)).status, 401U);
  EXPECT_EQ(at_work_.send(with(get("/v1/users/me"), "Authorization", token)).status, 401U);
  EXPECT_EQ(at_work_.send(get("/v1/users/me?access_token=" + token)).status, 401U);
}

// How often.

TEST_F(PipelineTest, routes_that_cause_mail_are_limited_by_network) {
  auto probe = get("/probe/mail");
  for (int i = 0; i < 30; ++i) {
    probe.peer = "192.0.2." + std::to_string(i);
    ASSERT_EQ(at_work_.send(probe).status, 200U);
  }
  const auto response = at_work_.send(probe);
  EXPECT_EQ(response.status, 429U);
  EXPECT_EQ(field_of(response, "Retry-After"), "3600");
  probe.peer = "198.51.100.1";
  EXPECT_EQ(at_work_.send(probe).status, 200U);
}

TEST_F(PipelineTest, a_caller_with_a_bad_credential_uses_up_nobodys_share) {
  const auto admin = at_work_.somebody("admin", "admin@example.com");
  const auto invite = post("/v1/admin/invitations", R"({"email":"new@example.com"})");
  for (int i = 0; i < 40; ++i) EXPECT_EQ(at_work_.send(with(invite, "Authorization", "Bearer x")).status, 401U);
  EXPECT_EQ(at_work_.send_as(admin, invite).status, 202U);
}

TEST(PipelineWithOptions, exempt_networks_have_no_limits) {
  PipelineOptions options;
  options.exempt_networks = {IpNetwork::parse("192.0.2.0/24").value()};
  ApiAtWork at_work(options, probes());
  for (int i = 0; i < 100; ++i) ASSERT_EQ(at_work.send(get("/probe/mail")).status, 200U);
}

// Where from.

TEST(PipelineWithOptions, a_forwarded_address_is_believed_from_our_own_proxies_only) {
  PipelineOptions options;
  options.trusted_proxies = {IpNetwork::parse("10.0.0.0/8").value()};
  ApiAtWork at_work(options, probes());
  struct Case {
    std::string peer;
    std::vector<std::string> forwarded;
    std::string expected;
  };
  const std::vector<Case> cases{
      {"192.0.2.1", {"203.0.113.9"}, "192.0.2.1"},
      {"10.0.0.1", {"203.0.113.9"}, "203.0.113.9"},
      {"10.0.0.1", {}, "10.0.0.1"},
      {"10.0.0.1", {"198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
      {"10.0.0.1", {"198.51.100.1, 203.0.113.9 , 10.0.0.2"}, "203.0.113.9"},
      {"10.0.0.1", {"198.51.100.1", "203.0.113.9"}, "203.0.113.9"},
      {"10.0.0.1", {"203.0.113.9, nonsense"}, "10.0.0.1"},
      {"10.0.0.1", {"203.0.113.9,"}, "10.0.0.1"},
      {"10.0.0.1", {"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
      {"10.0.0.1", {"2001:db8::1"}, "2001:db8::1"},
  };
  for (const auto& [peer, forwarded, expected] : cases) {
    auto probe = get("/probe/address");
    probe.peer = peer;
    for (const auto& value : forwarded) probe = with(std::move(probe), "x-forwarded-For", value);
    EXPECT_EQ(at_work.send(probe).body, expected) << peer << " " << ::testing::PrintToString(forwarded);
  }
}

TEST_F(PipelineTest, without_proxies_a_forwarded_address_is_ignored) {
  EXPECT_EQ(at_work_.send(with(get("/probe/address"), "X-Forwarded-For", "203.0.113.9")).body, "192.0.2.8");
}

// Other origins.

TEST_F(PipelineTest, other_origins_are_closed_by_default) {
  const auto response = at_work_.send(with(get("/health/live"), "Origin", "https://evil.example"));
  EXPECT_FALSE(field_of(response, "Access-Control-Allow-Origin"));
}

TEST(PipelineWithOptions, a_named_origin_is_allowed_and_no_other) {
  PipelineOptions options;
  options.cors_origins = {"https://app.example.com"};
  ApiAtWork at_work(options);
  SentRequest preflight{.method = http::Method::options,
                        .target = "/v1/users/me",
                        .body = {},
                        .fields = {{"Origin", "https://app.example.com"}, {"Access-Control-Request-Method", "PATCH"}}};
  const auto allowed = at_work.send(preflight);
  EXPECT_EQ(allowed.status, 204U);
  EXPECT_EQ(field_of(allowed, "Access-Control-Allow-Origin"), "https://app.example.com");
  EXPECT_THAT(field_of(allowed, "Access-Control-Allow-Methods").value_or(""), HasSubstr("PATCH"));
  EXPECT_THAT(field_of(allowed, "Access-Control-Allow-Headers").value_or(""), HasSubstr("Authorization"));
  EXPECT_EQ(field_of(allowed, "Vary"), "Origin");
  for (const std::string origin : {"https://evil.example", "https://app.example.com.evil.example", "null",
                                   "http://app.example.com", "https://APP.example.com"}) {
    preflight.fields[0].second = origin;
    const auto refused = at_work.send(preflight);
    EXPECT_FALSE(field_of(refused, "Access-Control-Allow-Origin")) << origin;
    EXPECT_FALSE(field_of(refused, "Access-Control-Allow-Methods")) << origin;
    EXPECT_EQ(field_of(refused, "Vary"), "Origin");
  }
  const auto answered = at_work.send(with(get("/v1/users/me"), "Origin", "https://app.example.com"));
  EXPECT_EQ(answered.status, 401U);
  EXPECT_EQ(field_of(answered, "Access-Control-Allow-Origin"), "https://app.example.com") << "errors are readable too";
}

// Once.

TEST_F(PipelineTest, a_key_makes_a_request_happen_once) {
  const auto admin = at_work_.somebody("admin", "admin@example.com");
  at_work_.somebody("customer", "ada@example.com");
  const auto sent = with(post("/v1/auth/force-logout", R"({"email":"ada@example.com"})"), "Idempotency-Key", "k1");
  const auto first = at_work_.send_as(admin, sent);
  const auto again = at_work_.send_as(admin, sent);
  EXPECT_EQ(json_of(first).at("sessionsEnded"), 1);
  EXPECT_EQ(again.status, 200U);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(at_work_.audited("session.force-logout"), 1);
  const auto other = with(post("/v1/auth/force-logout", R"({"email":"bob@example.com"})"), "Idempotency-Key", "k1");
  EXPECT_EQ(at_work_.send_as(admin, other).status, 409U);
}

TEST_F(PipelineTest, a_key_of_a_stranger_counts_for_the_network) {
  const auto sent =
      with(post("/v1/auth/register", R"({"email":"ada@example.com","password":"violet tugboat ponders"})"),
           "Idempotency-Key", "k1");
  EXPECT_EQ(at_work_.send(sent).status, 202U);
  EXPECT_EQ(at_work_.send(sent).status, 202U);
  EXPECT_THAT(at_work_.take_mails(), SizeIs(1));
}

TEST_F(PipelineTest, an_answer_is_not_kept_for_whoever_may_not_have_it) {
  const auto admin = at_work_.somebody("admin", "admin@example.com");
  const auto sent = with(post("/v1/auth/force-logout", R"({"email":"admin@example.com"})"), "Idempotency-Key", "k1");
  EXPECT_EQ(at_work_.send_as(admin, sent).status, 200U);
  at_work_.by_hand("UPDATE users SET role = 'customer'");
  EXPECT_EQ(at_work_.send_as(admin, sent).status, 401U);
}

TEST_F(PipelineTest, a_key_is_free_again_when_its_request_was_refused_or_failed) {
  for (const auto* target : {"/probe/unavailable", "/probe/bug"}) {
    const auto sent = with(get(target), "Idempotency-Key", "k1");
    EXPECT_GE(at_work_.send(sent).status, 500U) << target;
    EXPECT_GE(at_work_.send(sent).status, 500U) << target;
  }
  const auto refused =
      with(post("/v1/auth/register", R"({"email":"ada@example.com","password":"short"})"), "Idempotency-Key", "k1");
  EXPECT_EQ(at_work_.send(refused).status, 422U);
  EXPECT_EQ(at_work_.send(refused).status, 422U);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM idempotent_answers"), 0);
}

TEST_F(PipelineTest, routes_that_answer_with_tokens_ignore_the_key) {
  at_work_.sign_up("ada@example.com");
  const auto body = R"({"email":"ada@example.com","password":")" + std::string(testing::kPassword) + "\"}";
  const auto sent = with(post("/v1/auth/login", body), "Idempotency-Key", "k1");
  EXPECT_NE(at_work_.send(sent).body, at_work_.send(sent).body);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM idempotent_answers"), 0);
}

// Bodies.

TEST_F(PipelineTest, a_body_is_json_and_said_to_be) {
  const auto body = std::string(R"({"email":"ada@example.com"})");
  const auto status_with = [&](std::vector<std::pair<std::string, std::string>> fields, std::string text) {
    return at_work_
        .send({.method = http::Method::post,
               .target = "/v1/auth/forgot-password",
               .body = std::move(text),
               .fields = std::move(fields)})
        .status;
  };
  EXPECT_EQ(status_with({{"content-type", "Application/JSON; charset=utf-8"}}, body), 202U);
  EXPECT_EQ(status_with({}, body), 415U);
  EXPECT_EQ(status_with({{"Content-Type", "text/plain"}}, body), 415U);
  EXPECT_EQ(status_with({{"Content-Type", "application/jsonp"}}, body), 415U);
  EXPECT_EQ(status_with({{"Content-Type", "application/json"}}, "{"), 400U);
  EXPECT_EQ(status_with({{"Content-Type", "application/json"}}, body + "x"), 400U);
  EXPECT_EQ(status_with({{"Content-Type", "application/json"}}, ""), 400U);
}

TEST_F(PipelineTest, every_refused_field_is_named) {
  const auto response = at_work_.send(post("/v1/auth/register", R"({"email":"nonsense","password":5,"nmae":"Ada"})"));
  EXPECT_EQ(response.status, 422U);
  const auto problem = json_of(response);
  std::set<std::string> pointers;
  for (const auto& error : problem.at("errors").as_array()) {
    pointers.emplace(error.at("pointer").as_string());
  }
  EXPECT_THAT(pointers, ::testing::ElementsAre("/email", "/nmae", "/password"));
}

// The record.

TEST_F(PipelineLogTest, a_line_of_the_log_has_the_path_and_never_the_query_the_body_or_a_token) {
  const auto ada = at_work_.somebody("customer", "ada@example.com");
  const auto token = std::string(ada.tokens.access_token.reveal());
  const auto refresh = std::string(ada.tokens.refresh_token.reveal());
  const auto log = logged_by([&] {
    at_work_.send_as(ada, get("/v1/sessions?cursor=query-secret"));
    at_work_.send(get("/reset-password?token=sf_pr_query-secret"));
    at_work_.send(post("/v1/auth/refresh", R"({"refreshToken":")" + refresh + "\"}"));
    at_work_.send(post("/v1/auth/login", R"({"email":"ada@example.com","password":"body-secret of some length"})"));
  });
  EXPECT_THAT(log, AllOf(HasSubstr(R"("event":"request")"), HasSubstr(R"("path":"/v1/sessions")"),
                         HasSubstr(R"("user":")" + ada.user.id.text()), HasSubstr(R"("status":422)")));
  EXPECT_THAT(log, AllOf(Not(HasSubstr("query-secret")), Not(HasSubstr("body-secret")), Not(HasSubstr(token)),
                         Not(HasSubstr(refresh))));
}

TEST_F(PipelineTest, requests_are_counted_by_route_and_status) {
  at_work_.send(get("/health/live"));
  at_work_.send(get("/health/live"));
  at_work_.send(get("/nowhere"));
  const auto figures = at_work_.request_metrics.figures();
  ASSERT_THAT(figures, SizeIs(2));
  EXPECT_EQ(figures[0].route, "GET /health/live");
  EXPECT_EQ(figures[0].by_status_class[2], 2U);
  EXPECT_EQ(figures[1].route, "none");
  EXPECT_EQ(figures[1].by_status_class[4], 1U);
}

}  // namespace
}  // namespace safawinet::api
