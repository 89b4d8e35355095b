#include "api/factors_api.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "api/testing.hpp"

namespace safawinet {
namespace {

using testing::field_of;
using testing::get;
using ::testing::HasSubstr;
using testing::json_of;
using testing::json_text;
using testing::post;
using ::testing::UnorderedElementsAre;

std::string problem_of(const http::Response& response) {
  const auto type = std::string(json_of(response).at("type").as_string());
  return type.substr(type.rfind(':') + 1);
}

std::vector<std::string> routes_with(api::StepUp step_up) {
  std::vector<std::string> marked;
  for (const auto& route : api::routes(api::Apis{})) {
    if (route.access.step_up() == step_up) {
      marked.push_back(std::string(name_of(route.method)) + " " + std::string(route.path));
    }
  }
  return marked;
}

TEST(StepUpRoutes, AreThoseThatGrantRevealOrDestroyAndNoneThatContains) {
  EXPECT_THAT(routes_with(api::StepUp::always),
              UnorderedElementsAre(
                  "POST /v1/admin/users", "POST /v1/admin/users/{id}/enable", "POST /v1/admin/users/{id}/verify",
                  "POST /v1/admin/invitations", "GET /v1/admin/users/export", "POST /v1/admin/users/import",
                  "POST /v1/admin/users/{id}/role", "DELETE /v1/admin/users/{id}",
                  "DELETE /v1/admin/users/{id}/factors", "GET /v1/audit/export", "POST /v1/audit/erase",
                  "POST /v1/admin/api-keys", "DELETE /v1/email/suppressions", "DELETE /v1/email/outbox/{id}"));
}

TEST(StepUpRoutes, ThatChangeOnesOwnCredentialsAreGuarded) {
  EXPECT_THAT(routes_with(api::StepUp::guarded),
              UnorderedElementsAre("DELETE /v1/users/me", "POST /v1/users/me/change-password",
                                   "POST /v1/users/me/change-email", "POST /v1/users/me/factors/totp"));
}

TEST(StepUpRoutes, AreMarkedInWhatDescribesThem) {
  const auto routes = api::routes(api::Apis{});
  EXPECT_THAT(api::openapi_document(routes, "https://id.example.com", "1"), HasSubstr("POST /v1/auth/step-up"));
  EXPECT_THAT(api::routes_json(routes),
              HasSubstr(R"("path":"/v1/audit/erase","access":"superadmin","rateClass":"operator","stepUp":"always")"));
  EXPECT_THAT(api::docs_page(routes, {}, "1"), HasSubstr("superadmin, step-up"));
}

class FactorsApiTest : public ::testing::Test {
 protected:
  // The clock moves; the token is a new one of the same session.
  void wait(LoggedIn& person, std::chrono::minutes time) {
    at_work_.clock.advance(time);
    at_work_.run(at_work_.feed.catch_up());
    person.tokens = at_work_.refresh(person.tokens.refresh_token).value();
  }

  testing::ApiAtWork at_work_;
};

TEST_F(FactorsApiTest, a_marked_route_challenges_after_ten_minutes_and_an_unmarked_one_does_not) {
  auto admin = at_work_.somebody("admin", "admin@example.com");
  EXPECT_EQ(at_work_.send_as(admin, get("/v1/admin/users/export")).status, 200U);
  wait(admin, std::chrono::minutes(11));
  const auto challenged = at_work_.send_as(admin, get("/v1/admin/users/export"));
  EXPECT_EQ(challenged.status, 401U);
  EXPECT_EQ(problem_of(challenged), "step-up-required");
  EXPECT_EQ(json_of(challenged).at("maxAge").as_int64(), 600);
  EXPECT_EQ(field_of(challenged, "WWW-Authenticate"),
            R"(Bearer error="insufficient_user_authentication", max_age=600)");
  EXPECT_EQ(at_work_.send_as(admin, get("/v1/admin/users")).status, 200U);
  const auto body = R"({"password":")" + std::string(testing::kPassword) + R"("})";
  const auto proved = at_work_.send_as(admin, post("/v1/auth/step-up", body));
  ASSERT_EQ(proved.status, 200U) << proved.body;
  admin.tokens.access_token = SecretText(std::string(json_of(proved).at("accessToken").as_string()));
  EXPECT_EQ(at_work_.send_as(admin, get("/v1/admin/users/export")).status, 200U);
}

TEST_F(FactorsApiTest, who_has_a_factor_proves_it_again_before_changing_the_password_or_the_address) {
  at_work_.sign_up("ada@example.com");
  at_work_.sign_up("eve@example.com");
  auto ada = at_work_.log_in("ada@example.com").value();
  auto eve = at_work_.log_in("eve@example.com").value();
  at_work_.enrol(ada);
  wait(ada, std::chrono::minutes(11));
  eve.tokens = at_work_.refresh(eve.tokens.refresh_token).value();
  const auto password = std::string(testing::kPassword);
  const auto change =
      post("/v1/users/me/change-password", R"({"currentPassword":")" + password + R"(","newPassword":"short"})");
  const auto move =
      post("/v1/users/me/change-email", R"({"password":")" + password + R"(","newEmail":"new@example.com"})");
  EXPECT_EQ(problem_of(at_work_.send_as(ada, change)), "step-up-required");
  EXPECT_EQ(problem_of(at_work_.send_as(ada, move)), "step-up-required");
  EXPECT_EQ(at_work_.send_as(eve, change).status, 422U) << "the password that she gives is proof enough";
}

TEST_F(FactorsApiTest, a_mode_can_demand_that_what_was_proved_before_it_is_proved_again) {
  auto admin = at_work_.somebody("superadmin", "admin@example.com");
  const auto exported = get("/v1/admin/users/export");
  const auto offered = post("/v1/users/me/factors/totp", R"({"password":"wrong"})");
  EXPECT_EQ(at_work_.send_as(admin, exported).status, 200U);
  EXPECT_EQ(at_work_.send_as(admin, offered).status, 422U);
  at_work_.clock.advance(std::chrono::seconds(5));
  at_work_.run(at_work_.feed.catch_up());
  at_work_.mode_in_force.set(
      {.mode = CompromiseMode::recover, .reason = {}, .actor = {}, .since = at_work_.clock.now(), .expires_at = {}},
      at_work_.clock.monotonic());
  EXPECT_EQ(problem_of(at_work_.send_as(admin, exported)), "step-up-required");
  EXPECT_EQ(problem_of(at_work_.send_as(admin, offered)), "step-up-required");
  EXPECT_EQ(at_work_.send_as(admin, get("/v1/admin/users")).status, 200U);
  const auto body = R"({"password":")" + std::string(testing::kPassword) + R"("})";
  const auto proved = at_work_.send_as(admin, post("/v1/auth/step-up", body));
  ASSERT_EQ(proved.status, 200U) << proved.body;
  admin.tokens.access_token = SecretText(std::string(json_of(proved).at("accessToken").as_string()));
  EXPECT_EQ(at_work_.send_as(admin, exported).status, 200U);
  EXPECT_EQ(at_work_.send_as(admin, offered).status, 422U);
}

TEST_F(FactorsApiTest, who_lacks_the_permission_is_told_so_and_not_challenged) {
  auto support = at_work_.somebody("support", "support@example.com");
  wait(support, std::chrono::minutes(11));
  EXPECT_EQ(at_work_.send_as(support, get("/v1/admin/users/export")).status, 403U);
}

TEST_F(FactorsApiTest, the_first_step_answers_with_a_ticket) {
  at_work_.sign_up("ada@example.com");
  at_work_.enrol(at_work_.log_in("ada@example.com").value());
  const auto login =
      post("/v1/auth/login", R"({"email":"ada@example.com","password":")" + std::string(testing::kPassword) + R"("})");
  const auto asked = at_work_.send(login);
  EXPECT_EQ(asked.status, 403U);
  const auto problem = json_of(asked);
  EXPECT_EQ(problem.at("type"), json_text("urn:safawinet:problem:second-factor-required"));
  EXPECT_EQ(problem.at("factors"), (boost::json::array{"totp", "backup-code"}));
  EXPECT_EQ(problem.at("expiresIn"), 300);
  const auto ticket = std::string(problem.at("ticket").as_string());
  EXPECT_THAT(ticket, HasSubstr("sf_lt_"));
  const auto wrong =
      at_work_.send(post("/v1/auth/login/second-factor", R"({"ticket":")" + ticket + R"(","code":"000000"})"));
  EXPECT_EQ(wrong.status, 401U);
  EXPECT_EQ(problem_of(wrong), "invalid-code");
}

class RequiredFactorTest : public ::testing::Test {
 protected:
  testing::ApiAtWork at_work_{
      {.trusted_proxies = {}, .exempt_networks = {}, .cors_origins = {}, .second_factor_required_from = Role::admin}};
};

TEST_F(RequiredFactorTest, whoever_must_have_one_and_has_not_can_only_enrol) {
  auto admin = at_work_.somebody("admin", "admin@example.com");
  const auto support = at_work_.somebody("support", "support@example.com");
  const auto refused = at_work_.send_as(admin, get("/v1/admin/users"));
  EXPECT_EQ(refused.status, 403U);
  EXPECT_EQ(problem_of(refused), "second-factor-enrolment-required");
  EXPECT_EQ(at_work_.send_as(admin, get("/v1/users/me/factors")).status, 200U);
  EXPECT_EQ(at_work_.send_as(admin, get("/v1/sessions")).status, 200U);
  EXPECT_EQ(at_work_.send_as(support, get("/v1/admin/users")).status, 200U);
  at_work_.enrol(admin);
  admin.tokens = at_work_.refresh(admin.tokens.refresh_token).value();
  EXPECT_EQ(at_work_.send_as(admin, get("/v1/admin/users")).status, 200U);
}

}  // namespace
}  // namespace safawinet
