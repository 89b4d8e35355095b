// The handlers, by what they answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/testing.hpp"

namespace safawinet::api {
namespace {

using ::testing::AllOf;
using testing::ApiAtWork;
using ::testing::ElementsAre;
using testing::field_of;
using testing::get;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::json_of;
using testing::json_text;
using testing::kOtherPassword;
using testing::kPassword;
using testing::kWrongPassword;
using ::testing::Not;
using testing::post;
using testing::post_form;
using testing::SentRequest;
using ::testing::SizeIs;

class HandlersTest : public ::testing::Test {
 protected:
  static std::string credentials(std::string_view email, std::string_view password) {
    return R"({"email":")" + std::string(email) + R"(","password":")" + std::string(password) + "\"}";
  }
  static std::string refresh_body(const LoggedIn& who) {
    return R"({"refreshToken":")" + std::string(who.tokens.refresh_token.reveal()) + "\"}";
  }
  static std::vector<std::string> names_of(const boost::json::object& object) {
    std::vector<std::string> names;
    for (const auto& member : object) names.emplace_back(member.key());
    return names;
  }
  static SentRequest with_method(http::Method method, std::string target, std::string body = {}) {
    auto sent = post(std::move(target), std::move(body));
    sent.method = method;
    return sent;
  }

  ApiAtWork at_work_;
};

TEST_F(HandlersTest, a_login_answers_with_tokens_and_the_user) {
  at_work_.sign_up("ada@example.com");
  const auto response = at_work_.send(post("/v1/auth/login", credentials("ada@example.com", kPassword)));
  ASSERT_EQ(response.status, 200U);
  const auto answer = json_of(response);
  EXPECT_THAT(names_of(answer), ElementsAre("accessToken", "refreshToken", "tokenType", "expiresIn", "user"));
  EXPECT_EQ(answer.at("tokenType"), "Bearer");
  EXPECT_EQ(answer.at("expiresIn"), 600);
  EXPECT_THAT(names_of(answer.at("user").as_object()),
              ElementsAre("id", "email", "emailVerified", "name", "locale", "role", "createdAt", "lastLoginAt"));
  EXPECT_THAT(response.body, Not(HasSubstr("argon2")));
  const auto refused = at_work_.send(post("/v1/auth/login", credentials("ada@example.com", kWrongPassword)));
  const auto unknown = at_work_.send(post("/v1/auth/login", credentials("bob@example.com", kWrongPassword)));
  EXPECT_EQ(refused.status, 401U);
  EXPECT_EQ(field_of(refused, "WWW-Authenticate"), "Bearer");
  auto same = json_of(unknown);
  same["requestId"] = json_of(refused).at("requestId");
  EXPECT_EQ(same, json_of(refused)) << "nothing tells whether the address has an account";
}

TEST_F(HandlersTest, a_refresh_answers_with_tokens_alone) {
  const auto ada = at_work_.somebody("customer", "ada@example.com");
  const auto response = at_work_.send(post("/v1/auth/refresh", refresh_body(ada)));
  ASSERT_EQ(response.status, 200U);
  EXPECT_THAT(names_of(json_of(response)), ElementsAre("accessToken", "refreshToken", "tokenType", "expiresIn"));
  EXPECT_EQ(at_work_.send(post("/v1/auth/refresh", R"({"refreshToken":"nonsense"})")).status, 401U);
}

TEST_F(HandlersTest, a_logout_goes_by_refresh_token_or_bearer_and_twice_is_fine) {
  const auto first = at_work_.somebody("customer", "ada@example.com");
  const auto second = at_work_.log_in("ada@example.com").value();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(at_work_.send(post("/v1/auth/logout", refresh_body(first))).status, 204U);
    EXPECT_EQ(at_work_.send_as(second, post("/v1/auth/logout", "")).status, 204U);
  }
  EXPECT_TRUE(at_work_.is_dead(first.tokens));
  EXPECT_TRUE(at_work_.is_dead(second.tokens));
  EXPECT_EQ(at_work_.send(post("/v1/auth/logout", "")).status, 422U);
}

TEST_F(HandlersTest, ones_own_account_is_shown_changed_and_deleted) {
  const auto ada = at_work_.somebody("customer", "ada@example.com");
  EXPECT_EQ(json_of(at_work_.send_as(ada, get("/v1/users/me"))).at("email"), "ada@example.com");
  const auto patched = at_work_.send_as(ada, with_method(http::Method::patch, "/v1/users/me", R"({"locale":"de-CH"})"));
  EXPECT_EQ(json_of(patched).at("locale"), "de-CH");
  for (const std::string locale : {"\"\"", "\"e\"", "\"english\"", "\"en-\"", "\"en_US\"", "\"en-a-b-c-d\"", "5"}) {
    const auto refused =
        at_work_.send_as(ada, with_method(http::Method::patch, "/v1/users/me", R"({"locale":)" + locale + "}"));
    EXPECT_EQ(refused.status, 422U) << locale;
  }
  const auto deletion =
      with_method(http::Method::delete_, "/v1/users/me", R"({"password":")" + std::string(kPassword) + "\"}");
  EXPECT_EQ(at_work_.send_as(ada, deletion).status, 204U);
  EXPECT_EQ(at_work_.send_as(ada, get("/v1/users/me")).status, 401U);
}

TEST_F(HandlersTest, devices_are_listed_in_pages_with_the_current_one_marked) {
  const auto first = at_work_.somebody("customer", "ada@example.com");
  at_work_.clock.advance(std::chrono::milliseconds(5));
  const auto second = at_work_.log_in("ada@example.com").value();
  const auto page = json_of(at_work_.send_as(first, get("/v1/sessions?limit=1")));
  ASSERT_EQ(page.at("items").as_array().size(), 1U);
  const auto& newest = page.at("items").at(0).as_object();
  EXPECT_THAT(names_of(newest), ElementsAre("id", "current", "deviceName", "userAgent", "ipAddress", "createdAt",
                                            "lastUsedAt", "expiresAt"));
  EXPECT_EQ(newest.at("id"), json_text(at_work_.session_of(second.tokens).text()));
  EXPECT_FALSE(newest.at("current").as_bool());
  const auto cursor = std::string(page.at("nextCursor").as_string());
  const auto rest = json_of(at_work_.send_as(first, get("/v1/sessions?cursor=" + cursor)));
  ASSERT_EQ(rest.at("items").as_array().size(), 1U);
  EXPECT_TRUE(rest.at("items").at(0).at("current").as_bool());
  EXPECT_TRUE(rest.at("nextCursor").is_null());
}

TEST_F(HandlersTest, another_users_session_is_not_found_and_untouched) {
  const auto ada = at_work_.somebody("customer", "ada@example.com");
  const auto bob = at_work_.somebody("superadmin", "bob@example.com");
  const auto of_bob = at_work_.session_of(bob.tokens).text();
  for (const auto& id : {of_bob, std::string("018f0000-0000-7000-8000-000000000001"), std::string("nonsense")}) {
    EXPECT_EQ(at_work_.send_as(ada, with_method(http::Method::delete_, "/v1/sessions/" + id)).status, 404U) << id;
  }
  EXPECT_TRUE(at_work_.is_accepted(bob.tokens));
  EXPECT_EQ(at_work_.send_as(bob, with_method(http::Method::delete_, "/v1/sessions/" + of_bob)).status, 204U);
  EXPECT_FALSE(at_work_.is_accepted(bob.tokens));
}

TEST_F(HandlersTest, the_other_devices_are_ended_and_counted) {
  const auto ada = at_work_.somebody("customer", "ada@example.com");
  at_work_.log_in("ada@example.com").value();
  const auto response = at_work_.send_as(ada, post("/v1/sessions/end-others", ""));
  EXPECT_EQ(json_of(response).at("sessionsEnded"), 1);
}

// For staff.

TEST_F(HandlersTest, staff_find_users_and_see_their_sessions) {
  const auto support = at_work_.somebody("support", "support@example.com");
  const auto ada = at_work_.somebody("customer", "ada@example.com");
  const auto found = json_of(at_work_.send_as(support, get("/v1/admin/users?query=ADA%40")));
  ASSERT_EQ(found.at("items").as_array().size(), 1U);
  EXPECT_THAT(names_of(found.at("items").at(0).as_object()),
              ElementsAre("id", "email", "emailVerified", "emailStatus", "name", "locale", "role", "isActive",
                          "disabledReason", "disabledAt", "createdAt", "lastLoginAt"));
  const auto path = "/v1/admin/users/" + ada.user.id.text();
  EXPECT_EQ(json_of(at_work_.send_as(support, get(path))).at("email"), "ada@example.com");
  EXPECT_EQ(json_of(at_work_.send_as(support, get(path + "/sessions"))).at("items").as_array().size(), 1U);
  for (const std::string id : {"nonsense", "018f0000-0000-7000-8000-000000000001"}) {
    EXPECT_EQ(at_work_.send_as(support, get("/v1/admin/users/" + id)).status, 404U);
    EXPECT_EQ(at_work_.send_as(support, get("/v1/admin/users/" + id + "/sessions")).status, 404U);
  }
}

TEST_F(HandlersTest, a_forced_logout_of_one_user_names_what_it_did) {
  const auto support = at_work_.somebody("support", "support@example.com");
  const auto ada = at_work_.somebody("customer", "ada@example.com");
  const auto by_id = R"({"userId":")" + ada.user.id.text() + R"(","reason":"lost phone"})";
  const auto answer = json_of(at_work_.send_as(support, post("/v1/auth/force-logout", by_id)));
  EXPECT_THAT(names_of(answer), ElementsAre("sessionsEnded", "sparedSession", "revocation"));
  EXPECT_EQ(answer.at("sessionsEnded"), 1);
  EXPECT_TRUE(answer.at("sparedSession").is_null());
  EXPECT_EQ(answer.at("revocation").at("scope"), "user");
  EXPECT_TRUE(at_work_.is_dead(ada.tokens));
  EXPECT_EQ(at_work_.text("SELECT reason FROM audit_log WHERE action = 'session.force-logout'"), "lost phone");
}

TEST_F(HandlersTest, a_forced_logout_names_exactly_one_user_that_there_is) {
  const auto support = at_work_.somebody("support", "support@example.com");
  const auto status = [&](std::string body) {
    return at_work_.send_as(support, post("/v1/auth/force-logout", std::move(body))).status;
  };
  EXPECT_EQ(status("{}"), 422U);
  EXPECT_EQ(status(R"({"email":"support@example.com","userId":")" + support.user.id.text() + "\"}"), 422U);
  EXPECT_EQ(status(R"({"email":"nobody@example.com"})"), 404U);
  EXPECT_EQ(status(R"({"userId":"018f0000-0000-7000-8000-000000000001"})"), 404U);
  EXPECT_EQ(status(R"({"userId":"nonsense"})"), 422U);
  EXPECT_TRUE(at_work_.is_accepted(support.tokens));
}

TEST_F(HandlersTest, nobody_signs_out_who_has_a_higher_role_and_the_attempt_is_on_record) {
  const auto support = at_work_.somebody("support", "support@example.com");
  const auto admin = at_work_.somebody("admin", "admin@example.com");
  const auto other = at_work_.somebody("support", "other@example.com");
  const auto response = at_work_.send_as(support, post("/v1/auth/force-logout", R"({"email":"admin@example.com"})"));
  EXPECT_EQ(response.status, 403U);
  EXPECT_TRUE(at_work_.is_accepted(admin.tokens));
  EXPECT_EQ(at_work_.text("SELECT target FROM audit_log WHERE action = 'operation.refused' AND outcome = 'refused'"),
            "user:" + admin.user.id.text());
  EXPECT_EQ(at_work_.send_as(support, post("/v1/auth/force-logout", R"({"email":"other@example.com"})")).status, 200U);
  EXPECT_TRUE(at_work_.is_dead(other.tokens)) << "the same role is none that is higher";
}

TEST_F(HandlersTest, ones_own_session_is_spared_by_default_and_ended_when_asked) {
  const auto admin = at_work_.somebody("admin", "admin@example.com");
  const auto second = at_work_.log_in("admin@example.com").value();
  const auto spared =
      json_of(at_work_.send_as(admin, post("/v1/auth/force-logout", R"({"email":"admin@example.com"})")));
  EXPECT_EQ(spared.at("sparedSession"), json_text(at_work_.session_of(admin.tokens).text()));
  EXPECT_EQ(spared.at("sessionsEnded"), 1);
  EXPECT_TRUE(at_work_.is_dead(second.tokens));
  const auto own = at_work_.send_as(
      admin, post("/v1/auth/force-logout", R"({"email":"admin@example.com","includeOwnSession":true})"));
  EXPECT_EQ(json_of(own).at("sessionsEnded"), 1);
  EXPECT_TRUE(at_work_.is_dead(admin.tokens));
}

TEST_F(HandlersTest, an_empty_body_signs_everybody_out_but_the_caller) {
  const auto admin = at_work_.somebody("admin", "admin@example.com");
  const auto ada = at_work_.somebody("customer", "ada@example.com");
  const auto answer = json_of(at_work_.send_as(admin, post("/v1/auth/force-logout-all", "")));
  EXPECT_EQ(answer.at("sessionsEnded"), 1);
  EXPECT_EQ(answer.at("sparedSession"), json_text(at_work_.session_of(admin.tokens).text()));
  EXPECT_EQ(answer.at("revocation").at("scope"), "global");
  EXPECT_EQ(answer.at("revocation").at("epoch"), 2);
  EXPECT_TRUE(at_work_.is_dead(ada.tokens));
  EXPECT_EQ(at_work_.send_as(admin, get("/v1/users/me")).status, 200U);
  EXPECT_EQ(at_work_.send_as(admin, post("/v1/auth/force-logout-all", R"({"userId":"x"})")).status, 422U);
  EXPECT_EQ(at_work_.send_as(admin, post("/v1/auth/force-logout-all", R"({"includeOwnSession":true})")).status, 200U);
  EXPECT_TRUE(at_work_.is_dead(admin.tokens));
}

// The pages behind the links in mails.

TEST_F(HandlersTest, looking_at_a_page_uses_no_token_up_and_its_form_does) {
  at_work_.register_user("ada@example.com").value();
  const auto token = at_work_.mailed_token();
  for (int i = 0; i < 3; ++i) {
    const auto page = at_work_.send(get("/verify-email?token=" + token));
    EXPECT_EQ(page.status, 200U);
    EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
    EXPECT_THAT(page.body, HasSubstr("value=\"" + token + "\""));
    EXPECT_THAT(field_of(page, "Content-Security-Policy").value_or(""),
                AllOf(HasSubstr("default-src 'none'"), HasSubstr("form-action 'self'"), Not(HasSubstr("script"))));
  }
  EXPECT_EQ(at_work_.send(post_form("/verify-email", "token=" + token)).status, 200U);
  EXPECT_TRUE(at_work_.log_in("ada@example.com"));
  EXPECT_EQ(at_work_.send(post_form("/verify-email", "token=" + token)).status, 422U);
}

TEST_F(HandlersTest, nothing_from_a_link_becomes_markup) {
  for (const std::string path : {"/verify-email", "/reset-password"}) {
    const auto page = at_work_.send(get(path + "?token=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E"));
    EXPECT_THAT(page.body, AllOf(Not(HasSubstr("<script")), HasSubstr("&quot;&gt;&lt;script&gt;")));
    EXPECT_EQ(at_work_.send(get(path)).status, 200U);
    EXPECT_EQ(at_work_.send(get(path + "?token=%zz")).status, 422U);
  }
}

TEST_F(HandlersTest, a_password_is_reset_on_its_page_and_asked_for_again_when_it_is_refused) {
  at_work_.sign_up("ada@example.com");
  EXPECT_EQ(at_work_.send(post_form("/forgot-password", "email=ada%40example.com")).status, 200U);
  const auto token = at_work_.mailed_token();
  EXPECT_THAT(at_work_.send(get("/reset-password?token=" + token)).body, HasSubstr("newPassword"));
  const auto refused = at_work_.send(post_form("/reset-password", "token=" + token + "&newPassword=short"));
  EXPECT_EQ(refused.status, 422U);
  EXPECT_THAT(refused.body, AllOf(HasSubstr("new password"), HasSubstr("value=\"" + token + "\"")));
  std::string password(kOtherPassword);
  std::ranges::replace(password, ' ', '+');
  EXPECT_EQ(at_work_.send(post_form("/reset-password", "token=" + token + "&newPassword=" + password)).status, 200U);
  EXPECT_TRUE(at_work_.log_in("ada@example.com", kOtherPassword));
  EXPECT_EQ(at_work_.send(post_form("/reset-password", "token=" + token + "&newPassword=" + password)).status, 422U);
}

TEST_F(HandlersTest, a_page_takes_only_what_its_form_sends) {
  EXPECT_EQ(at_work_.send(post("/verify-email", R"({"token":"x"})")).status, 415U);
  EXPECT_EQ(at_work_.send(post_form("/verify-email", "")).status, 422U);
  EXPECT_EQ(at_work_.send(post_form("/forgot-password", "email=nonsense")).status, 422U);
  EXPECT_EQ(at_work_.send(post_form("/reset-password", "token=x")).status, 422U);
  EXPECT_THAT(at_work_.take_mails(), IsEmpty());
}

TEST_F(HandlersTest, an_unknown_address_sees_the_same_page) {
  at_work_.sign_up("ada@example.com");
  EXPECT_EQ(at_work_.send(post_form("/forgot-password", "email=ada%40example.com")).body,
            at_work_.send(post_form("/forgot-password", "email=bob%40example.com")).body);
}

// For resource servers.

TEST_F(HandlersTest, the_keys_are_public_and_only_the_public_halves) {
  const auto response = at_work_.send(get("/.well-known/jwks.json"));
  EXPECT_EQ(response.content_type, "application/jwk-set+json");
  const auto keys = json_of(response).at("keys").as_array();
  ASSERT_THAT(keys, SizeIs(2));  // the active and the next one
  for (const auto& key : keys) {
    for (const auto* secret : {"d", "p", "q", "k"}) EXPECT_FALSE(key.as_object().contains(secret));
  }
  const auto metadata = json_of(at_work_.send(get("/.well-known/oauth-authorization-server")));
  EXPECT_EQ(metadata.at("issuer"), "https://id.example.com");
  EXPECT_EQ(metadata.at("jwks_uri"), "https://id.example.com/.well-known/jwks.json");
}

}  // namespace
}  // namespace safawinet::api
