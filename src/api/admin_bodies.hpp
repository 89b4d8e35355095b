// The bodies of the routes that change other people's accounts.
#pragma once

#include <optional>

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "access/role.hpp"
#include "accounts/user_import.hpp"
#include "api/types.hpp"

namespace safawinet {

BOOST_DESCRIBE_ENUM(ImportKind, created, existing, refused)

namespace api {

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

// What became of mails to an address.
enum class EmailStatus { ok, bounced, complained };
BOOST_DESCRIBE_ENUM(EmailStatus, ok, bounced, complained)

// A line of an export is one of these, too; its id is not taken over.
struct ImportedUserInput {
  EmailAddress email;
  std::optional<BoundedText<0, 100>> name;
  std::optional<Locale> locale;
  std::optional<Role> role;
  std::optional<bool> email_verified;
  std::optional<SecretText> password_hash;
  std::optional<bool> is_active;
  std::optional<Time> created_at;
  std::optional<Time> last_login_at;
  std::optional<EmailStatus> email_status;
  std::optional<BoundedText<0, 500>> disabled_reason;
  std::optional<Time> disabled_at;
  std::optional<UserId> id;
};
BOOST_DESCRIBE_STRUCT(ImportedUserInput, (),
                      (email, name, locale, role, email_verified, password_hash, is_active, created_at, last_login_at,
                       email_status, disabled_reason, disabled_at, id))

// A user, or why it is none.
struct ImportLine {
  Result<ImportedUserInput> read;
};

struct ImportInput {
  std::vector<ImportLine> users;
  std::optional<bool> dry_run;
};
BOOST_DESCRIBE_STRUCT(ImportInput, (), (users, dry_run))

struct ImportFault {
  std::string pointer;
  std::string code;
  std::string detail;
};
BOOST_DESCRIBE_STRUCT(ImportFault, (), (pointer, code, detail))

struct ImportResultItem {
  ImportKind outcome = ImportKind::refused;
  std::optional<UserId> id;
  std::vector<ImportFault> errors;
};
BOOST_DESCRIBE_STRUCT(ImportResultItem, (), (outcome, id, errors))

struct ImportAnswer {
  bool dry_run = false;
  std::int64_t created = 0;
  std::int64_t existing = 0;
  std::int64_t refused = 0;
  std::vector<ImportResultItem> results;
};
BOOST_DESCRIBE_STRUCT(ImportAnswer, (), (dry_run, created, existing, refused, results))

}  // namespace api

template <>
struct JsonType<api::ImportLine> {
  static std::expected<api::ImportLine, FieldError> decode(const boost::json::value& value) {
    return api::ImportLine{from_json<api::ImportedUserInput>(value)};
  }
  static boost::json::object schema() { return schema_of<api::ImportedUserInput>(); }
};

}  // namespace safawinet
