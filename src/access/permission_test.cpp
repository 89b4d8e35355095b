#include "access/permission.hpp"

#include <gmock/gmock.h>

#include <set>
#include <string>

#include "access/operator.hpp"

namespace safawinet {
namespace {

using ::testing::SizeIs;

TEST(PermissionTest, each_has_a_name_of_its_own_that_is_read_again) {
  std::set<std::string> names;
  for (const auto permission : all_permissions()) {
    names.insert(std::string(name_of(permission)));
    EXPECT_EQ(parse_permission(name_of(permission)), permission);
    EXPECT_FALSE(meaning_of(permission).empty());
  }
  EXPECT_THAT(names, SizeIs(kPermissions));
  EXPECT_EQ(parse_permission("users:READ"), std::nullopt);
  EXPECT_EQ(parse_permission(""), std::nullopt);
}

TEST(PermissionTest, a_role_may_do_what_those_below_it_may) {
  EXPECT_TRUE(permissions_of(Role::customer).empty());
  EXPECT_EQ(permissions_of(Role::superadmin), PermissionSet::all());
  for (std::size_t i = 1; i < kRoles.size(); ++i) {
    EXPECT_TRUE(permissions_of(kRoles.at(i)).includes(permissions_of(kRoles.at(i - 1))));
    EXPECT_FALSE(permissions_of(kRoles.at(i - 1)).includes(permissions_of(kRoles.at(i))));
  }
  for (const auto permission : all_permissions()) {
    for (const auto role : kRoles) {
      EXPECT_EQ(permissions_of(role).contains(permission), role >= least_role(permission));
    }
  }
}

TEST(PermissionTest, a_set_is_kept_as_names_and_read_again) {
  const PermissionSet some{Permission::revocations_read, Permission::users_read};
  EXPECT_EQ(to_text(some), "users:read revocations:read");
  EXPECT_EQ(parse_permissions(to_text(some)), some);
  EXPECT_EQ(parse_permissions("users:read users:fly  sessions:end "),
            (PermissionSet{Permission::users_read, Permission::sessions_end}));
  EXPECT_TRUE(parse_permissions("").empty());
}

TEST(PermissionTest, nobody_acts_on_those_above_and_only_superadmins_govern_their_peers) {
  for (const auto own : kRoles) {
    const auto acting = Operator::person(UserId{}, SessionId{}, own);
    for (const auto target : kRoles) {
      EXPECT_EQ(acting.may_contain(target), target <= own);
      EXPECT_EQ(acting.may_grant(target), target <= own);
      EXPECT_EQ(acting.may_govern(target), target < own || own == Role::superadmin);
    }
  }
}

}  // namespace
}  // namespace safawinet
