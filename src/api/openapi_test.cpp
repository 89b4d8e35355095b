// The descriptions of the API say what the table of routes says.
#include "api/openapi.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include <algorithm>
#include <set>

#include "api/pages_api.hpp"
#include "api/routes.hpp"
#include "api/testing.hpp"

namespace safawinet::api {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::json_text;
using ::testing::Not;

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

void collect_references(const json::value& value, std::set<std::string>& references) {
  if (const auto* object = value.if_object()) {
    for (const auto& [name, member] : *object) {
      if (name == "$ref") references.emplace(member.as_string());
      collect_references(member, references);
    }
  } else if (const auto* array = value.if_array()) {
    for (const auto& element : *array) collect_references(element, references);
  }
}

class OpenApiTest : public ::testing::Test {
 protected:
  const json::object& operation_of(const Route& route) {
    return document_.at("paths").at(route.path).at(lower_case(name_of(route.method))).as_object();
  }

  std::vector<Route> routes_ = routes({});
  json::value document_ = json::parse(openapi_document(routes_, "https://id.example.com", "1.2.3"));
};

TEST_F(OpenApiTest, the_document_says_what_it_is) {
  EXPECT_EQ(document_.at("openapi"), "3.1.0");
  EXPECT_EQ(document_.at("info").at("version"), "1.2.3");
  EXPECT_EQ(document_.at("servers").at(0).at("url"), "https://id.example.com");
}

TEST_F(OpenApiTest, every_route_is_in_the_document_and_nothing_else) {
  std::size_t operations = 0;
  for (const auto& [path, methods] : document_.at("paths").as_object()) operations += methods.as_object().size();
  EXPECT_EQ(operations, routes_.size());
  for (const auto& route : routes_) {
    const auto& operation = operation_of(route);
    EXPECT_EQ(operation.at("summary"), json_text(route.summary));
    const bool takes_cookie = route.refresh_cookie == RefreshCookie::used;
    EXPECT_EQ(operation.contains("security"), !route.access.is_public() || takes_cookie) << route.path;
    EXPECT_EQ(operation.contains("requestBody"), route.endpoint.body || route.endpoint.form || route.endpoint.message)
        << route.path;
    EXPECT_TRUE(operation.at("responses").as_object().contains(std::to_string(route.endpoint.status))) << route.path;
    const bool takes_credentials = !route.access.is_public() || route.path.starts_with("/v1/auth/login");
    EXPECT_EQ(operation.at("responses").as_object().contains("401"), takes_credentials) << route.path;
  }
}

TEST_F(OpenApiTest, every_reference_leads_to_a_schema_and_every_schema_is_referred_to) {
  std::set<std::string> references;
  collect_references(document_, references);
  std::set<std::string> schemas;
  for (const auto& [name, schema] : document_.at("components").at("schemas").as_object()) {
    schemas.insert("#/components/schemas/" + std::string(name));
  }
  EXPECT_EQ(references, schemas);
}

TEST_F(OpenApiTest, every_parameter_of_a_path_is_described_in_order) {
  for (const auto& route : routes_) {
    std::vector<std::string> in_path;
    const auto path = std::string(route.path);
    for (auto open = path.find('{'); open != std::string::npos; open = path.find('{', open + 1)) {
      in_path.push_back(path.substr(open + 1, path.find('}', open) - open - 1));
    }
    std::vector<std::string> described;
    const auto* parameters = operation_of(route).if_contains("parameters");
    if (parameters != nullptr) {
      for (const auto& parameter : parameters->as_array()) {
        if (parameter.at("in") != "path") continue;
        EXPECT_TRUE(parameter.at("required").as_bool());
        described.emplace_back(parameter.at("name").as_string());
      }
    }
    EXPECT_EQ(described, in_path) << route.path;
  }
}

TEST_F(OpenApiTest, bodies_are_described_with_their_fields) {
  const auto& schemas = document_.at("components").at("schemas");
  const auto& login = schemas.at("LoginInput").as_object();
  EXPECT_EQ(login.at("required"), (json::array{"email", "password"}));
  EXPECT_TRUE(login.at("properties").as_object().contains("deviceName"));
  EXPECT_FALSE(login.at("additionalProperties").as_bool());
  const auto& force_logout_all = document_.at("paths").at("/v1/auth/force-logout-all").at("post");
  EXPECT_FALSE(force_logout_all.at("requestBody").at("required").as_bool()) << "an empty body is fine";
  EXPECT_TRUE(document_.at("paths").at("/v1/auth/login").at("post").at("requestBody").at("required").as_bool());
}

TEST_F(OpenApiTest, the_cookie_is_described_where_it_is_set_and_used) {
  EXPECT_EQ(document_.at("components").at("securitySchemes").at("refreshCookie").at("name"),
            "__Host-safawinet-refresh");
  std::set<std::string> with_cookie;
  for (const auto& route : routes_) {
    const auto& operation = operation_of(route);
    const auto& success = operation.at("responses").at(std::to_string(route.endpoint.status)).as_object();
    if (success.contains("headers")) with_cookie.insert(std::string(route.path));
    if (route.refresh_cookie != RefreshCookie::used) continue;
    EXPECT_EQ(operation.at("security"), json::parse(R"([{"refreshCookie": []}, {}])")) << route.path;
  }
  EXPECT_EQ(with_cookie, (std::set<std::string>{"/v1/auth/login", "/v1/auth/login/second-factor", "/v1/auth/logout",
                                                "/v1/auth/refresh"}));
}

TEST_F(OpenApiTest, keys_and_pages_are_described_where_they_are_honoured) {
  const auto has_parameter = [this](const Route& route, std::string_view name) {
    const auto* parameters = operation_of(route).if_contains("parameters");
    return parameters != nullptr && std::ranges::any_of(parameters->as_array(), [name](const auto& parameter) {
             return parameter.at("name").as_string() == name;
           });
  };
  for (const auto& route : routes_) {
    EXPECT_EQ(has_parameter(route, "Idempotency-Key"), route.idempotency_key == IdempotencyKey::honoured) << route.path;
    static const std::set<std::string_view> kLists{"/v1/sessions",
                                                   "/v1/admin/users",
                                                   "/v1/admin/users/export",
                                                   "/v1/admin/users/{id}/sessions",
                                                   "/v1/admin/users/{id}/mails",
                                                   "/v1/auth/force-logout-bulk",
                                                   "/v1/audit",
                                                   "/v1/admin/api-keys",
                                                   "/v1/email/bounces",
                                                   "/v1/email/suppressions",
                                                   "/v1/email/outbox"};
    const bool is_list = kLists.contains(route.path);
    EXPECT_EQ(has_parameter(route, "cursor"), is_list && route.method == http::Method::get) << route.path;
  }
}

TEST_F(OpenApiTest, the_page_has_every_route_and_no_script) {
  const auto page = docs_page(routes_, operations_routes(nullptr), "1.2.3");
  for (const auto& route : routes_) EXPECT_THAT(page, HasSubstr("<code>" + escape_html(route.path) + "</code>"));
  EXPECT_THAT(page, HasSubstr("<code>/metrics</code>"));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("style=")));
  const auto count = [&page](std::string_view what) {
    std::size_t found = 0;
    for (auto at = page.find(what); at != std::string::npos; at = page.find(what, at + 1)) ++found;
    return found;
  };
  for (const std::string element : {"tr", "td", "table", "pre", "code", "body"}) {
    EXPECT_EQ(count("<" + element + ">"), count("</" + element + ">")) << element;
  }
}

TEST_F(OpenApiTest, the_list_for_scripts_has_five_members_for_each_route) {
  const auto rows = json::parse(routes_json(routes_)).as_array();
  ASSERT_EQ(rows.size(), routes_.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& row = rows[i].as_object();
    EXPECT_EQ(row.size(), 5U);
    EXPECT_EQ(row.at("method"), json_text(name_of(routes_[i].method)));
    EXPECT_EQ(row.at("path"), json_text(routes_[i].path));
    EXPECT_EQ(row.at("access"), json_text(name_of(routes_[i].access)));
    EXPECT_EQ(row.at("rateClass"), json_text(name_of(routes_[i].rate_class)));
    EXPECT_EQ(row.at("stepUp"), json::value(name_of(routes_[i].access.step_up())));
  }
}

TEST_F(OpenApiTest, the_list_for_people_has_one_line_for_each_route) {
  const auto text = routes_text(routes_);
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(text, '\n')), routes_.size());
  for (const auto& route : routes_) EXPECT_THAT(text, HasSubstr(std::string(route.path) + " "));
}

TEST_F(OpenApiTest, the_table_of_routes_keeps_its_own_rules) {
  std::set<std::string> names;
  for (const auto& route : routes_) {
    const auto name = std::string(name_of(route.method)) + " " + std::string(route.path);
    EXPECT_TRUE(names.insert(name).second) << name << " is there twice";
    EXPECT_THAT(std::string(route.summary), Not(IsEmpty())) << name;
    EXPECT_TRUE(route.endpoint.handler) << name;
    // Pages and public documents aside, everything is versioned; staff routes ask for a role.
    if (route.path.starts_with("/v1/admin") || route.path.find("force-logout") != std::string_view::npos) {
      EXPECT_TRUE(route.access.permission()) << name;
    }
    if (route.idempotency_key == IdempotencyKey::honoured) {
      EXPECT_EQ(route.method, http::Method::post) << name;
      EXPECT_FALSE(route.endpoint.answer &&
                   route.endpoint.answer->schema.at("properties").as_object().contains("accessToken"))
          << "an answer that holds tokens is not stored: " << name;
    }
  }
}

}  // namespace
}  // namespace safawinet::api
