// Forced logout by criteria, by what it answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
using testing::post;
using testing::with;

constexpr std::string_view kPath = "/v1/auth/force-logout-bulk";

class BulkLogoutApiTest : public ::testing::Test {
 protected:
  http::Response send(const std::string& body, const std::string& key = {}) {
    auto sent = post(std::string(kPath), body);
    if (!key.empty()) sent = with(std::move(sent), "Idempotency-Key", key);
    return at_work_.send_as(admin_, std::move(sent));
  }
  std::string confirmation(const std::string& criteria) {
    const auto preview = send(R"({"dryRun":true,"criteria":)" + criteria + "}");
    EXPECT_EQ(preview.status, 200U) << preview.body;
    return std::string(json_of(preview).at("confirmation").as_string());
  }
  http::Response confirm(const std::string& criteria, const std::string& token, const std::string& key = {}) {
    return send(R"({"criteria":)" + criteria + R"(,"confirmation":")" + token + "\"}", key);
  }
  static std::vector<std::string> names_of(const boost::json::object& object) {
    std::vector<std::string> names;
    for (const auto& member : object) names.emplace_back(member.key());
    return names;
  }

  ApiAtWork at_work_;
  LoggedIn admin_ = at_work_.somebody("admin", "admin@example.com");
  LoggedIn ada_ = at_work_.somebody("customer", "ada@example.com");
};

TEST_F(BulkLogoutApiTest, a_preview_answers_with_figures_sample_exemptions_and_confirmation) {
  const auto response = send(R"({"dryRun":true,"criteria":{"emailDomain":"Example.COM"}})");
  ASSERT_EQ(response.status, 200U) << response.body;
  const auto answer = json_of(response);
  EXPECT_THAT(names_of(answer), ElementsAre("criteria", "users", "sessions", "sample", "exemptions", "confirmation",
                                            "confirmationExpiresAt"));
  EXPECT_EQ(answer.at("criteria").at("emailDomain"), "example.com");
  EXPECT_THAT(names_of(answer.at("sample").at(0).as_object()), ElementsAre("id", "email", "sessions", "lastLoginAt"));
  EXPECT_THAT(names_of(answer.at("exemptions").as_object()),
              ElementsAre("ownSession", "usersAboveRole", "sessionsAboveRole"));
  EXPECT_EQ(answer.at("exemptions").at("ownSession"), json_text(at_work_.session_of(admin_.tokens).text()));
}

TEST_F(BulkLogoutApiTest, an_order_is_accepted_and_says_where_to_look) {
  const std::string criteria = R"({"role":"customer"})";
  const auto response = confirm(criteria, confirmation(criteria));
  ASSERT_EQ(response.status, 202U) << response.body;
  const auto answer = json_of(response);
  EXPECT_THAT(names_of(answer), ElementsAre("id", "state", "criteria", "reason", "actor", "sparedSession",
                                            "sessionsExpected", "sessionsEnded", "startedAt", "finishedAt"));
  EXPECT_EQ(answer.at("state"), "running");
  const auto location = field_of(response, "Location").value();
  EXPECT_EQ(location, std::string(kPath) + "/" + std::string(answer.at("id").as_string()));
  EXPECT_EQ(json_of(at_work_.send_as(admin_, get(location))), answer);

  ASSERT_TRUE(at_work_.run(at_work_.bulk_logouts.work()));
  const auto done = json_of(at_work_.send_as(admin_, get(location)));
  EXPECT_EQ(done.at("state"), "done");
  EXPECT_EQ(done.at("sessionsEnded"), answer.at("sessionsExpected"));
  EXPECT_TRUE(at_work_.is_dead(ada_.tokens));
  EXPECT_EQ(json_of(at_work_.send_as(admin_, get(std::string(kPath)))).at("items").at(0), done);
}

TEST_F(BulkLogoutApiTest, the_new_figures_are_members_of_the_refusal) {
  const std::string criteria = R"({"role":"customer"})";
  const auto token = confirmation(criteria);
  at_work_.log_in("ada@example.com").value();
  const auto refused = confirm(criteria, token);
  ASSERT_EQ(refused.status, 409U);
  const auto problem = json_of(refused);
  EXPECT_EQ(problem.at("type"), "urn:safawinet:problem:conflict");
  EXPECT_EQ(problem.at("sessions").as_int64(), problem.at("previewedSessions").as_int64() + 1);
  EXPECT_EQ(problem.at("users"), 1);
}

TEST_F(BulkLogoutApiTest, all_faults_are_named_at_once) {
  const auto refused = send(R"({"criteria":{"userIds":[],"emails":[]}})");
  ASSERT_EQ(refused.status, 422U);
  const auto problem = json_of(refused);
  std::vector<std::string> pointers;
  for (const auto& error : problem.at("errors").as_array()) {
    pointers.emplace_back(error.at("pointer").as_string());
  }
  EXPECT_THAT(pointers, ElementsAre("/criteria/userIds", "/criteria/emails", "/confirmation"));
}

TEST_F(BulkLogoutApiTest, the_same_key_gets_the_same_answer) {
  const std::string criteria = R"({"role":"customer"})";
  const auto token = confirmation(criteria);
  const auto first = confirm(criteria, token, "once");
  const auto second = confirm(criteria, token, "once");
  EXPECT_EQ(first.status, 202U);
  EXPECT_EQ(second.status, 202U);
  EXPECT_EQ(second.body, first.body);
  EXPECT_EQ(confirm(R"({"role":"support"})", token, "once").status, 409U);
}

TEST_F(BulkLogoutApiTest, the_document_has_both_answers) {
  const auto document = openapi_document(at_work_.table(), "https://id.example.com", "1");
  const auto root = boost::json::parse(document);
  const auto& responses = root.at("paths").at(kPath).at("post").at("responses");
  for (const auto* status : {"200", "202"}) {
    const auto& reference =
        responses.at(status).at("content").at("application/json").at("schema").at("$ref").as_string();
    const std::string_view name = std::string_view(reference).substr(reference.rfind('/') + 1);
    EXPECT_TRUE(root.at("components").at("schemas").as_object().contains(name)) << name;
    EXPECT_THAT(std::string(name), HasSubstr("BulkLogout"));
  }
}

}  // namespace
}  // namespace safawinet::api
