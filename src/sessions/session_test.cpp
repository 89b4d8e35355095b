#include "sessions/session.hpp"

#include <gtest/gtest.h>

namespace safawinet {
namespace {

TEST(Roles, each_has_a_name_that_reads_back) {
  for (const auto role : {Role::customer, Role::support, Role::admin, Role::superadmin}) {
    EXPECT_EQ(parse_role(name_of(role)), role);
  }
  EXPECT_FALSE(parse_role("root"));
  EXPECT_FALSE(parse_role("Admin"));
  EXPECT_FALSE(parse_role(""));
}

TEST(Roles, each_may_do_what_the_ones_below_it_may_and_no_more) {
  const Caller support{.user = {}, .session = {}, .role = Role::support, .authenticated_at = {}};
  EXPECT_TRUE(support.is_at_least(Role::customer));
  EXPECT_TRUE(support.is_at_least(Role::support));
  EXPECT_FALSE(support.is_at_least(Role::admin));
}

TEST(DescribeDevice, names_the_program_and_the_system_that_it_knows) {
  struct Case {
    std::string_view user_agent;
    std::string_view name;
  };
  constexpr Case kCases[] = {
      {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"},
      {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
       "Safari/537.36 "
       "Edg/140.0.0.0",
       "Edge on Windows"},
      {"Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile "
       "Safari/537.36",
       "Chrome on Android"},
      {"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 "
       "Mobile/15E148 Safari/604.1",
       "Safari on iPhone"},
      {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 "
       "Safari/605.1.15",
       "Safari on macOS"},
      {"curl/8.9.1", "curl"},
      {"Something (Windows NT 10.0)", "Windows"},
      {"", "Unknown device"},
      {"<script>alert(1)</script>", "Unknown device"},
  };
  for (const auto& [user_agent, name] : kCases) EXPECT_EQ(describe_device(user_agent), name) << user_agent;
}

}  // namespace
}  // namespace safawinet
