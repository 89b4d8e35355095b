// The cookie of browsers: how it is written, how it is read, and which pages may use it.
#include "api/refresh_cookie.hpp"

#include <gtest/gtest.h>

#include "api/testing.hpp"

namespace safawinet::api {
namespace {

using testing::ApiAtWork;
using testing::field_of;
using testing::json_of;
using testing::kPassword;
using testing::post;
using testing::SentRequest;
using testing::with;

constexpr std::string_view kApp = "https://app.example.com";

// The token that a Cookie field holds; "absent", "refused" without one.
std::string token_in(std::string field) {
  const auto sent = with(post("/v1/auth/refresh", ""), "Cookie", std::move(field));
  const auto found = find_refresh_cookie(sent.view());
  if (!found) return "refused";
  return *found ? std::string((*found)->reveal()) : "absent";
}

TEST(RefreshCookie, is_for_this_host_alone_and_for_no_script) {
  EXPECT_EQ(kept_refresh_cookie(SecretText("sf_rt_abc"), std::chrono::days(14)),
            "__Host-safawinet-refresh=sf_rt_abc; Max-Age=1209600; Path=/; Secure; HttpOnly; SameSite=Lax");
  EXPECT_EQ(cleared_refresh_cookie(), "__Host-safawinet-refresh=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax");
}

TEST(RefreshCookie, is_found_among_others_by_its_exact_name) {
  EXPECT_EQ(token_in("__Host-safawinet-refresh=a"), "a");
  EXPECT_EQ(token_in("x=1; __Host-safawinet-refresh=a.b; y"), "a.b");
  EXPECT_EQ(token_in("x=1;__Host-safawinet-refresh= a ;"), "a");
  EXPECT_EQ(token_in("__Host-safawinet-refresh=a=b"), "a=b");
  EXPECT_EQ(token_in("__Host-safawinet-refresh="), "");
  EXPECT_EQ(token_in("__Host-safawinet-refresh"), "");
  for (const std::string other :
       {"", ";", "=", ";;=;", "__host-safawinet-refresh=a", "safawinet-refresh=a", "__Host-safawinet-refreshed=a",
        "x=__Host-safawinet-refresh=a", "\"__Host-safawinet-refresh\"=a", "x=\"; y=\""}) {
    EXPECT_EQ(token_in(other), "absent") << other;
  }
}

TEST(RefreshCookie, is_refused_when_it_is_there_twice) {
  EXPECT_EQ(token_in("__Host-safawinet-refresh=a; __Host-safawinet-refresh=b"), "refused");
  EXPECT_EQ(token_in("__Host-safawinet-refresh=a; x=1; __Host-safawinet-refresh=a"), "refused");
  EXPECT_EQ(token_in("__Host-safawinet-refresh; __Host-safawinet-refresh=a"), "refused");
}

// With the pipeline.

class BrowserTest : public ::testing::Test {
 protected:
  // "__Host-safawinet-refresh=sf_rt_…", as a browser sends it back; empty when none was set.
  static std::string pair_of(const http::Response& response) {
    const auto set = field_of(response, "Set-Cookie").value_or("");
    return set.substr(0, set.find(';'));
  }
  static SentRequest from(std::string_view origin, SentRequest sent) {
    return with(std::move(sent), "Origin", std::string(origin));
  }
  static SentRequest with_cookie(std::string_view pair, SentRequest sent) {
    return with(std::move(sent), "Cookie", std::string(pair));
  }
  static bool clears(const http::Response& response) {
    return field_of(response, "Set-Cookie") == cleared_refresh_cookie();
  }
  static SentRequest login() {
    return post("/v1/auth/login",
                R"({"email":"ada@example.com","delivery":"cookie","password":")" + std::string(kPassword) + "\"}");
  }

  http::Response log_in() {
    at_work_.sign_up("ada@example.com");
    return at_work_.send(from(kApp, login()));
  }
  std::int64_t sessions() { return at_work_.number("SELECT count(*) FROM refresh_sessions"); }

  ApiAtWork at_work_{{.trusted_proxies = {}, .exempt_networks = {}, .cors_origins = {std::string(kApp)}}};
};

TEST_F(BrowserTest, a_login_puts_the_token_into_the_cookie_and_not_into_the_body) {
  const auto response = log_in();
  ASSERT_EQ(response.status, 200U);
  EXPECT_FALSE(json_of(response).contains("refreshToken"));
  EXPECT_TRUE(json_of(response).contains("accessToken"));
  EXPECT_EQ(pair_of(response).substr(0, 31), "__Host-safawinet-refresh=sf_rt_");
  EXPECT_NE(field_of(response, "Set-Cookie").value().find("; Max-Age=1209600;"), std::string::npos);
  EXPECT_EQ(field_of(response, "Access-Control-Allow-Credentials"), "true");
  EXPECT_EQ(field_of(response, "Cache-Control"), "no-store");
}

TEST_F(BrowserTest, a_refresh_moves_the_cookie_on_and_a_retry_gets_the_same) {
  const auto first = pair_of(log_in());
  const auto next = at_work_.send(from(kApp, with_cookie(first, post("/v1/auth/refresh", ""))));
  ASSERT_EQ(next.status, 200U);
  EXPECT_FALSE(json_of(next).contains("refreshToken"));
  EXPECT_NE(pair_of(next), first);
  const auto again = at_work_.send(from(kApp, with_cookie(first, post("/v1/auth/refresh", "{}"))));
  EXPECT_EQ(pair_of(again), pair_of(next));
}

TEST_F(BrowserTest, max_age_ends_with_the_session) {
  const auto first = pair_of(log_in());
  at_work_.clock.advance(std::chrono::days(13));
  const auto second = at_work_.send(from(kApp, with_cookie(first, post("/v1/auth/refresh", ""))));
  at_work_.clock.advance(std::chrono::days(13));
  const auto third = at_work_.send(from(kApp, with_cookie(pair_of(second), post("/v1/auth/refresh", ""))));
  // Of the thirty days of a session four are left, whatever is idle for how long.
  EXPECT_NE(field_of(third, "Set-Cookie").value().find("; Max-Age=345600;"), std::string::npos);
}

TEST_F(BrowserTest, a_used_token_ends_the_session_and_the_cookie) {
  const auto first = pair_of(log_in());
  const auto second = at_work_.send(from(kApp, with_cookie(first, post("/v1/auth/refresh", ""))));
  at_work_.send(from(kApp, with_cookie(pair_of(second), post("/v1/auth/refresh", ""))));
  const auto reuse = at_work_.send(from(kApp, with_cookie(first, post("/v1/auth/refresh", ""))));
  EXPECT_EQ(reuse.status, 401U);
  EXPECT_TRUE(clears(reuse));
  EXPECT_EQ(sessions(), 0);
}

TEST_F(BrowserTest, a_cookie_that_is_garbage_is_refused_and_cleared) {
  for (const std::string value : {"", "garbage", "sf_rt_", "\"\"", "sf_rt_AAAA"}) {
    const auto sent = with_cookie("__Host-safawinet-refresh=" + value, post("/v1/auth/refresh", ""));
    const auto refused = at_work_.send(from(kApp, sent));
    EXPECT_EQ(refused.status, 401U) << value;
    EXPECT_TRUE(clears(refused)) << value;
  }
}

TEST_F(BrowserTest, a_logout_ends_the_session_and_the_cookie_also_twice) {
  const auto cookie = pair_of(log_in());
  for (int i = 0; i < 2; ++i) {
    const auto response = at_work_.send(from(kApp, with_cookie(cookie, post("/v1/auth/logout", ""))));
    EXPECT_EQ(response.status, 204U);
    EXPECT_TRUE(clears(response));
    EXPECT_EQ(sessions(), 0);
  }
}

TEST_F(BrowserTest, a_page_of_another_origin_changes_nothing) {
  const auto cookie = pair_of(log_in());
  const std::vector<std::string> foreign{"https://evil.example",
                                         "https://app.example.com.evil.example",
                                         "null",
                                         "http://app.example.com",
                                         "https://app.example.com:8443",
                                         "",
                                         "https://sibling.example.com",
                                         "https://APP.example.com",
                                         "*",
                                         "https://app.example.com https://evil.example"};
  for (const auto* path : {"/v1/auth/refresh", "/v1/auth/logout"}) {
    std::vector<SentRequest> refused{with_cookie(cookie, post(path, ""))};  // without any Origin
    for (const auto& origin : foreign) refused.push_back(from(origin, with_cookie(cookie, post(path, ""))));
    for (const auto& sent : refused) {
      const auto response = at_work_.send(sent);
      EXPECT_EQ(response.status, 403U) << path;
      EXPECT_EQ(json_of(response).at("type"), "urn:safawinet:problem:origin-not-allowed");
      EXPECT_FALSE(field_of(response, "Set-Cookie"));
      EXPECT_FALSE(field_of(response, "Access-Control-Allow-Credentials"));
    }
  }
  for (const auto& origin : foreign) EXPECT_EQ(at_work_.send(from(origin, login())).status, 403U) << origin;
  EXPECT_EQ(at_work_.send(login()).status, 403U);
  EXPECT_EQ(sessions(), 1);
  EXPECT_EQ(at_work_.send(from(kApp, with_cookie(cookie, post("/v1/auth/refresh", "")))).status, 200U);
}

TEST_F(BrowserTest, a_page_of_our_own_origin_may) {
  at_work_.sign_up("ada@example.com");
  const auto response = at_work_.send(from(at_work_.rules.issuer, login()));
  EXPECT_EQ(response.status, 200U);
  EXPECT_FALSE(field_of(response, "Access-Control-Allow-Origin")) << "it needs none";
}

TEST_F(BrowserTest, two_of_the_cookie_are_unreadable) {
  const auto cookie = pair_of(log_in());
  for (const auto* path : {"/v1/auth/refresh", "/v1/auth/logout"}) {
    auto twice = cookie;
    twice.append("; ").append(cookie);
    EXPECT_EQ(at_work_.send(from(kApp, with_cookie(twice, post(path, "")))).status, 400U) << path;
  }
  EXPECT_EQ(sessions(), 1);
}

TEST_F(BrowserTest, a_token_in_the_body_goes_before_the_cookie) {
  const auto cookie = pair_of(log_in());
  const auto other = at_work_.log_in("ada@example.com").value();
  const auto body = R"({"refreshToken":")" + std::string(other.tokens.refresh_token.reveal()) + "\"}";
  const auto response = at_work_.send(with_cookie(cookie, post("/v1/auth/refresh", body)));
  EXPECT_EQ(response.status, 200U);
  EXPECT_TRUE(json_of(response).contains("refreshToken"));
  EXPECT_FALSE(field_of(response, "Set-Cookie"));
  EXPECT_EQ(at_work_.send(with_cookie(cookie, post("/v1/auth/logout", body))).status, 204U);
  EXPECT_EQ(sessions(), 1);
}

TEST_F(BrowserTest, without_token_and_cookie_a_request_says_what_is_missing) {
  for (const auto* path : {"/v1/auth/refresh", "/v1/auth/logout"}) {
    const auto response = at_work_.send(from(kApp, with_cookie("other=1", post(path, "{}"))));
    EXPECT_EQ(response.status, 422U);
    EXPECT_EQ(json_of(response).at("errors").at(0).at("pointer"), "/refreshToken");
    EXPECT_FALSE(field_of(response, "Set-Cookie"));
  }
}

TEST_F(BrowserTest, only_what_has_to_do_with_the_cookie_may_be_called_with_credentials) {
  for (const auto& route : at_work_.table()) {
    const bool takes_cookies = route.refresh_cookie != RefreshCookie::ignored;
    SentRequest preflight{.method = http::Method::options,
                          .target = std::string(route.path),
                          .body = {},
                          .fields = {{"Origin", std::string(kApp)},
                                     {"Access-Control-Request-Method", std::string(name_of(route.method))}}};
    const auto allowed = at_work_.send(preflight);
    EXPECT_EQ(field_of(allowed, "Access-Control-Allow-Origin"), std::string(kApp)) << route.path;
    EXPECT_EQ(field_of(allowed, "Access-Control-Allow-Credentials").has_value(), takes_cookies) << route.path;
    preflight.fields[0].second = "https://evil.example";
    EXPECT_FALSE(field_of(at_work_.send(preflight), "Access-Control-Allow-Credentials")) << route.path;
  }
}

}  // namespace
}  // namespace safawinet::api
