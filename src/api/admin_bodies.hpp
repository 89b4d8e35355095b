// The bodies of the routes that change other people's accounts.
#pragma once

#include <optional>

#include <boost/describe/class.hpp>

#include "access/role.hpp"
#include "api/types.hpp"

namespace safawinet::api {

struct CreateUserInput {
  EmailAddress email;
  std::optional<BoundedText<0, 100>> name;
  std::optional<Role> role;
  std::optional<SecretText> password;
  std::optional<bool> verified;
};
BOOST_DESCRIBE_STRUCT(CreateUserInput, (), (email, name, role, password, verified))

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
