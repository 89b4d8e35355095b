// The bodies of the routes that change other people's accounts.
#pragma once

#include <optional>

#include <boost/describe/class.hpp>

#include "access/role.hpp"
#include "api/types.hpp"

namespace safawinet::api {

struct DisableInput {
  BoundedText<1, 500> reason;
};
BOOST_DESCRIBE_STRUCT(DisableInput, (), (reason))

struct EnableInput {
  std::optional<BoundedText<0, 500>> reason;
};
BOOST_DESCRIBE_STRUCT(EnableInput, (), (reason))

struct ChangeRoleInput {
  Role role = Role::customer;
  std::optional<BoundedText<0, 500>> reason;
};
BOOST_DESCRIBE_STRUCT(ChangeRoleInput, (), (role, reason))

}  // namespace safawinet::api
