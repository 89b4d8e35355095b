// Introspection, and the revocations as JSON and as events, by what they answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "api/testing.hpp"

namespace safawinet::api {
namespace {

using testing::ApiAtWork;
using ::testing::ElementsAre;
using testing::field_of;
using testing::get;
using ::testing::HasSubstr;
using testing::json_of;
using testing::json_text;
using ::testing::Not;
using testing::post;
using testing::post_form;
using ::testing::SizeIs;
using testing::with;

class ResourceServersApiTest : public ::testing::Test {
 protected:
  http::Response introspect(const std::string& form) {
    return at_work_.send_as(service_, post_form("/v1/auth/introspect", form));
  }
  boost::json::object introspected(std::string_view token) {
    const auto response = introspect("token=" + std::string(token));
    EXPECT_EQ(response.status, 200U) << response.body;
    return json_of(response);
  }
  http::Response revocations(const std::string& query = {}) {
    return at_work_.send_as(service_, get("/v1/revocations" + query));
  }
  static std::vector<std::string> names_of(const boost::json::object& object) {
    std::vector<std::string> names;
    for (const auto& member : object) names.emplace_back(member.key());
    return names;
  }

  ApiAtWork at_work_;
  LoggedIn service_ = at_work_.somebody("admin", "service@example.com");
  LoggedIn ada_ = at_work_.somebody("customer", "ada@example.com");
};

// Introspection.

TEST_F(ResourceServersApiTest, a_good_access_token_is_active_and_says_what_is_in_it) {
  const auto response =
      introspect("token_type_hint=refresh_token&token=" + std::string(ada_.tokens.access_token.reveal()));
  ASSERT_EQ(response.status, 200U) << response.body;
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(field_of(response, "Cache-Control"), "no-store");
  const auto answer = json_of(response);
  EXPECT_THAT(names_of(answer), ElementsAre("active", "token_type", "iss", "aud", "client_id", "sub", "sid", "role",
                                            "jti", "iat", "exp", "auth_time", "acr", "amr"));
  EXPECT_EQ(answer.at("active"), true);
  EXPECT_EQ(answer.at("token_type"), "Bearer");
  EXPECT_EQ(answer.at("sid"), json_text(at_work_.session_of(ada_.tokens).text()));
  EXPECT_EQ(answer.at("role"), "customer");
  EXPECT_EQ(answer.at("iss"), json_text(at_work_.rules.issuer));
  EXPECT_EQ(answer.at("exp").as_int64() - answer.at("iat").as_int64(), 600);
}

TEST_F(ResourceServersApiTest, a_good_refresh_token_is_active_too_and_asking_uses_nothing_up) {
  const auto answer = introspected(ada_.tokens.refresh_token.reveal());
  EXPECT_THAT(names_of(answer), ElementsAre("active", "client_id", "sub", "sid", "exp"));
  EXPECT_EQ(answer.at("active"), true);
  const auto refreshed = at_work_.refresh(ada_.tokens.refresh_token);
  ASSERT_TRUE(refreshed);
  EXPECT_EQ(introspected(ada_.tokens.refresh_token.reveal()).at("active"), true)
      << "in the grace window it still works";
  at_work_.clock.advance(std::chrono::seconds(31));
  at_work_.run(at_work_.feed.catch_up());
  EXPECT_THAT(names_of(introspected(ada_.tokens.refresh_token.reveal())), ElementsAre("active"));
  EXPECT_EQ(introspected(refreshed->refresh_token.reveal()).at("active"), true) << "asking is no theft";
}

TEST_F(ResourceServersApiTest, whatever_is_not_good_is_inactive_and_nothing_more_is_said) {
  const auto access = std::string(ada_.tokens.access_token.reveal());
  const auto refresh = std::string(ada_.tokens.refresh_token.reveal());
  const std::vector<std::string> tokens = {
      "garbage", "a.b.c", "sf_rt_AAAA", access + "x", access.substr(1), std::string(60'000, 'A'), "%F0%9F%98%80"};
  for (const auto& token : tokens)
    EXPECT_THAT(names_of(introspected(token)), ElementsAre("active")) << token.substr(0, 80);
  at_work_.by_hand("UPDATE users SET is_active = false WHERE email = 'ada@example.com'");
  for (const auto& token : {access, refresh}) {
    const auto answer = introspected(token);
    EXPECT_THAT(names_of(answer), ElementsAre("active"));
    EXPECT_EQ(answer.at("active"), false);
  }
}

TEST_F(ResourceServersApiTest, an_access_token_is_inactive_when_it_has_expired_and_its_refresh_token_is_not) {
  const auto bob = at_work_.somebody("customer", "bob@example.com");
  at_work_.clock.advance(std::chrono::minutes(10));
  at_work_.run(at_work_.feed.catch_up());
  service_ = at_work_.log_in("service@example.com").value();
  EXPECT_EQ(introspected(bob.tokens.access_token.reveal()).at("active"), false);
  EXPECT_EQ(introspected(bob.tokens.refresh_token.reveal()).at("active"), true);
}

TEST_F(ResourceServersApiTest, tokens_are_inactive_as_soon_as_a_forced_logout_has_returned) {
  const auto forced =
      at_work_.send_as(service_, post("/v1/auth/force-logout", R"({"email":"ada@example.com","reason":"lost"})"));
  ASSERT_EQ(forced.status, 200U) << forced.body;
  EXPECT_EQ(introspected(ada_.tokens.access_token.reveal()).at("active"), false);
  EXPECT_EQ(introspected(ada_.tokens.refresh_token.reveal()).at("active"), false);
  const auto page = json_of(revocations());
  EXPECT_EQ(page.at("items").as_array().back().at("sessionIds").as_array().front(),
            json_text(at_work_.session_of(ada_.tokens).text()));
}

TEST_F(ResourceServersApiTest, what_is_no_introspection_request_is_refused_as_the_standard_says) {
  for (const std::string form : {"", "token=", "token", "tokens=a", "token=a&token=b", "token=%", "token=%00",
                                 "token=%FF", "token_type_hint=access_token"}) {
    const auto response = introspect(form);
    EXPECT_EQ(response.status, 400U) << form;
    EXPECT_EQ(json_of(response).at("error"), "invalid_request") << form;
  }
  EXPECT_EQ(at_work_.send_as(service_, post("/v1/auth/introspect", R"({"token":"a"})")).status, 415U);
}

TEST_F(ResourceServersApiTest, only_who_has_the_permission_may_ask) {
  const auto token = "token=" + std::string(ada_.tokens.access_token.reveal());
  const auto support = at_work_.somebody("support", "support@example.com");
  for (const auto& request : {post_form("/v1/auth/introspect", token), get("/v1/revocations"),
                              with(get("/v1/revocations"), "Accept", "text/event-stream")}) {
    const auto stranger = at_work_.send(request);
    EXPECT_EQ(stranger.status, 401U);
    EXPECT_THAT(field_of(stranger, "WWW-Authenticate").value_or(""), HasSubstr("Bearer"));
    EXPECT_EQ(at_work_.send_as(support, request).status, 403U);
    EXPECT_EQ(at_work_.send_as(ada_, request).status, 403U);
  }
}

TEST_F(ResourceServersApiTest, a_node_whose_lease_has_run_out_says_neither_yes_nor_no) {
  at_work_.clock.advance(testing::kLease);
  const SecretText refresh(std::string(ada_.tokens.refresh_token.reveal()));
  EXPECT_EQ(at_work_.guard.inspect(ada_.tokens.access_token.reveal()).error().code, ErrorCode::unavailable);
  EXPECT_THROW(at_work_.run(at_work_.sessions.find_by_token(refresh)), Unavailable);
  EXPECT_EQ(introspect("token=" + std::string(ada_.tokens.access_token.reveal())).status, 503U);
  EXPECT_EQ(revocations().status, 503U);
}

// The revocations as JSON.

TEST_F(ResourceServersApiTest, the_revocations_can_be_read_on_from_every_answer) {
  at_work_.by_hand("DELETE FROM revocations");
  const auto first = json_of(revocations());
  EXPECT_THAT(names_of(first), ElementsAre("items", "nextCursor", "hasMore", "reset", "epoch"));
  EXPECT_THAT(first.at("items").as_array(), SizeIs(0));
  EXPECT_EQ(first.at("hasMore"), false);
  const std::string after(first.at("nextCursor").as_string());
  at_work_.by_hand("UPDATE users SET role = 'support' WHERE email = 'ada@example.com'");
  at_work_.by_hand("DELETE FROM refresh_sessions WHERE id = '" + at_work_.session_of(ada_.tokens).text() + "'");
  const auto page = json_of(revocations("?limit=1&after=" + after));
  EXPECT_EQ(page.at("hasMore"), true);
  const auto& item = page.at("items").at(0).as_object();
  EXPECT_THAT(names_of(item), ElementsAre("scope", "sessionIds", "userId", "tokenVersion", "epoch", "spared"));
  EXPECT_EQ(item.at("scope"), "user");
  EXPECT_TRUE(item.at("sessionIds").is_null());
  const auto rest = json_of(revocations("?limit=1&after=" + std::string(page.at("nextCursor").as_string())));
  EXPECT_EQ(rest.at("items").at(0).at("scope"), "session");
  EXPECT_EQ(json_of(revocations("?after=")).at("reset"), false);
  const auto reset = json_of(revocations("?after=made-up"));
  EXPECT_EQ(reset.at("reset"), true);
  EXPECT_THAT(reset.at("items").as_array(), SizeIs(2));
}

TEST_F(ResourceServersApiTest, a_page_has_from_one_to_two_hundred_items) {
  for (const std::string limit : {"0", "201", "-1", "x", "1x", "99999999999999999999", ""}) {
    const auto response = revocations("?limit=" + limit);
    EXPECT_EQ(response.status, 422U) << limit;
    EXPECT_EQ(json_of(response).at("errors").at(0).at("pointer"), "?limit");
  }
  EXPECT_EQ(revocations("?limit=200").status, 200U);
  EXPECT_EQ(revocations("?after=%").status, 422U);
}

// The revocations as events.

// Keeps what it is sent, and does what the test says whenever the producer waits.
class KeptBody final : public http::BodySink {
 public:
  using Steps = std::vector<std::function<void()>>;
  // `feed`, if there is one, is read and its lease renewed behind each step, as the node does by itself.
  explicit KeptBody(Steps steps, RevocationFeed* feed = nullptr) : steps_(std::move(steps)), feed_(feed) {}

  Task<bool> send(std::string_view piece) override {
    text += piece;
    co_return true;
  }
  // Over behind the last step.
  Task<bool> wait(std::chrono::milliseconds) override {
    if (waits == steps_.size()) co_return false;
    steps_[waits++]();
    if (feed_ != nullptr) co_await feed_->catch_up();
    co_return true;
  }
  std::function<void()> waker() override {
    return [] {};
  }

  std::string text;
  std::size_t waits = 0;

 private:
  Steps steps_;
  RevocationFeed* feed_;
};

class RevocationStreamTest : public ResourceServersApiTest {
 protected:
  http::Response open(const std::string& query = {}, const std::string& last_id = {}) {
    auto request = with(get("/v1/revocations" + query), "Accept", "text/event-stream");
    if (!last_id.empty()) request = with(std::move(request), "Last-Event-ID", last_id);
    return at_work_.send_as(service_, std::move(request));
  }
  void follow(const http::Response& response, KeptBody& body) {
    auto produce = [&]() -> Task<bool> {
      co_await response.stream(body);
      co_return true;
    };
    at_work_.run(produce());
  }
  std::string follow(const http::Response& response, KeptBody::Steps steps) {
    KeptBody body(std::move(steps), &at_work_.feed);
    follow(response, body);
    return body.text;
  }
  void by_hand(const std::string& script) { at_work_.opened->run_by_hand(script); }
  static std::size_t count(std::string_view text, std::string_view part) {
    std::size_t found = 0;
    for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++found;
    return found;
  }
  static std::string last_id(const std::string& events) {
    const auto at = events.rfind("\nid: ") + 5;
    return events.substr(at, events.find('\n', at) - at);
  }
};

TEST_F(RevocationStreamTest, sends_what_is_retained_and_says_when_that_is_all_and_goes_on) {
  by_hand("DELETE FROM revocations");
  by_hand("DELETE FROM refresh_sessions WHERE id = '" + at_work_.session_of(ada_.tokens).text() + "'");
  const auto response = open();
  ASSERT_EQ(response.status, 200U) << response.body;
  EXPECT_EQ(response.content_type, "text/event-stream");
  EXPECT_EQ(field_of(response, "Cache-Control"), "no-store");
  const auto events =
      follow(response, {[&] { by_hand("UPDATE users SET role = 'support' WHERE email = 'ada@example.com'"); }});
  EXPECT_EQ(count(events, "event: revocation\n"), 2U) << events;
  EXPECT_EQ(count(events, "event: current\n"), 1U) << events;
  EXPECT_EQ(count(events, "event: reset\n"), 0U) << events;
  EXPECT_LT(events.find(R"("scope":"session")"), events.find("event: current"));
  EXPECT_GT(events.find(R"("scope":"user")"), events.find("event: current"));
}

TEST_F(RevocationStreamTest, goes_on_behind_the_last_event_that_was_seen_whatever_the_address_says) {
  by_hand("DELETE FROM revocations");
  const auto start = std::string(json_of(revocations()).at("nextCursor").as_string());
  by_hand("UPDATE users SET token_version = 7 WHERE email = 'ada@example.com'");
  const auto seen = follow(open("?after=" + start), KeptBody::Steps());
  EXPECT_THAT(seen, HasSubstr(R"("tokenVersion":7)"));
  by_hand("UPDATE users SET token_version = 8 WHERE email = 'ada@example.com'");
  const auto further = follow(open("?after=" + start, last_id(seen)), KeptBody::Steps());
  EXPECT_THAT(further, HasSubstr(R"("tokenVersion":8)"));
  EXPECT_THAT(further, Not(HasSubstr(R"("tokenVersion":7)")));
}

TEST_F(RevocationStreamTest, says_so_when_it_begins_again) {
  EXPECT_THAT(follow(open({}, "made-up"), KeptBody::Steps()), HasSubstr("event: reset\ndata: {}\n\n"));
}

TEST_F(RevocationStreamTest, says_that_it_is_current_every_fifteen_seconds_while_it_knows) {
  const auto events = follow(open(), KeptBody::Steps(31, [&] { at_work_.clock.advance(std::chrono::seconds(1)); }));
  EXPECT_EQ(count(events, ": keep-alive\nid: "), 3U) << events;
}

TEST_F(RevocationStreamTest, ends_when_the_node_is_cut_off) {
  KeptBody body(KeptBody::Steps(10, [&] { at_work_.clock.advance(std::chrono::seconds(1)); }));
  follow(open(), body);
  EXPECT_EQ(body.waits, 2U) << "as long as the lease";
  EXPECT_EQ(count(body.text, "event: current\n"), 1U);
}

TEST_F(RevocationStreamTest, ends_when_who_asked_for_it_is_signed_out_or_loses_the_role_or_the_token_expires) {
  const std::vector<std::function<void()>> ends = {
      [&] { by_hand("UPDATE users SET role = 'support' WHERE email = 'service@example.com'"); },
      [&] { by_hand("DELETE FROM refresh_sessions"); }, [&] { by_hand("UPDATE session_epoch SET epoch = epoch + 1"); },
      [&] { at_work_.clock.advance(std::chrono::minutes(10)); }};
  for (const auto& end : ends) {
    at_work_.by_hand("UPDATE users SET role = 'admin' WHERE email = 'service@example.com'");
    service_ = at_work_.log_in("service@example.com").value();
    const auto nothing = [] {};
    KeptBody body({nothing, end, nothing, nothing}, &at_work_.feed);
    follow(open(), body);
    EXPECT_EQ(body.waits, 2U);
  }
}

TEST_F(RevocationStreamTest, has_a_bounded_number_of_clients) {
  std::vector<http::Response> open_streams;
  for (std::size_t i = 0; i < kRevocationStreamsLimit; ++i) open_streams.push_back(open());
  EXPECT_EQ(at_work_.resource_servers_api.streams(), kRevocationStreamsLimit);
  EXPECT_EQ(open_streams.back().status, 200U);
  EXPECT_EQ(open().status, 503U);
  EXPECT_EQ(revocations().status, 200U) << "pages are still given";
  open_streams.pop_back();
  EXPECT_EQ(open().status, 200U);
  open_streams.clear();
  EXPECT_EQ(at_work_.resource_servers_api.streams(), 0U);
}

}  // namespace
}  // namespace safawinet::api
