#include "http/router.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace safawinet::http {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RouterTest : public ::testing::Test {
 protected:
  RouterTest() {
    me_ = router_.add(Method::get, "/v1/users/me");
    change_ = router_.add(Method::patch, "/v1/users/me");
    one_ = router_.add(Method::get, "/v1/users/{id}");
    sessions_ = router_.add(Method::get, "/v1/users/{id}/sessions");
  }
  [[nodiscard]] RouteMatch match(Method method, std::string_view path) const {
    return std::get<RouteMatch>(router_.find(method, path));
  }
  [[nodiscard]] bool is_unknown(std::string_view path) const {
    return std::holds_alternative<NoSuchPath>(router_.find(Method::get, path));
  }

  Router router_;
  std::size_t me_, change_, one_, sessions_;
};

TEST_F(RouterTest, a_fixed_segment_wins_over_a_parameter) {
  EXPECT_EQ(match(Method::get, "/v1/users/me").route, me_);
  EXPECT_THAT(match(Method::get, "/v1/users/me").parameters, IsEmpty());
  EXPECT_EQ(match(Method::patch, "/v1/users/me").route, change_);
  EXPECT_EQ(match(Method::get, "/v1/users/7").route, one_);
  EXPECT_THAT(match(Method::get, "/v1/users/7").parameters, ElementsAre("7"));
  EXPECT_EQ(match(Method::get, "/v1/users/me/sessions").route, sessions_);
  EXPECT_THAT(match(Method::get, "/v1/users/me/sessions").parameters, ElementsAre("me"));
}

TEST_F(RouterTest, paths_are_compared_exactly) {
  for (const auto* path : {"/", "/v1", "/v1/users", "/v1/users/", "/v1/users/me/", "/v1//users/me", "/V1/users/me",
                           "/v1/users/7/sessions/", "/v1/users//sessions"}) {
    EXPECT_TRUE(is_unknown(path)) << path;
  }
}

TEST_F(RouterTest, head_goes_where_get_goes) { EXPECT_EQ(match(Method::head, "/v1/users/me").route, me_); }

TEST_F(RouterTest, a_method_that_is_not_there_names_those_that_are) {
  const auto found = router_.find(Method::post, "/v1/users/me");
  EXPECT_EQ(std::get<MethodNotAllowed>(found).allowed, "GET, HEAD, PATCH");
}

TEST_F(RouterTest, two_routes_of_one_method_and_path_are_a_mistake) {
  EXPECT_THROW(router_.add(Method::get, "/v1/users/{name}"), std::logic_error);
}

}  // namespace
}  // namespace safawinet::http
