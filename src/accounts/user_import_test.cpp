// Accounts that come from another system, and their owners' first login.
#include "accounts/user_import.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "accounts/testing.hpp"

namespace safawinet {
namespace {

using std::chrono::hours;
using ::testing::ElementsAre;
using testing::email;
using testing::refusal_of;
using testing::secret;

// bcrypt of "violet tugboat ponders 42 lagoons" (testing::kPassword), and a hash that would cost an hour.
constexpr std::string_view kImportedHash = "$2b$04$abcdefghijklmnopqrstuuja86iFbAudVUR8QJH/aQ7mTcdCAvsSK";
constexpr std::string_view kAbsurdHash = "$2b$31$abcdefghijklmnopqrstuuja86iFbAudVUR8QJH/aQ7mTcdCAvsSK";

class UserImportTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  static ImportedAccount account(std::string_view address) {
    return {.email = email(address), .name = "Ada", .is_verified = true, .password_hash = secret(kImportedHash)};
  }
  Operator as(Role role) {
    const auto id = at_work_.add_user(
        {.email = std::string(name_of(role)) + "@example.com", .role = name_of(role), .is_verified = true});
    return Operator::person(id, SessionId{}, role);
  }
  Task<Result<std::vector<ImportOutcome>>> import_task(Operator acting, std::vector<Result<ImportedAccount>> accounts,
                                                       ImportMode mode = ImportMode::for_good) {
    return imports_.import(std::move(acting), std::move(accounts), mode, at_work_.origin);
  }
  std::vector<ImportOutcome> import(Operator acting, std::vector<Result<ImportedAccount>> accounts,
                                    ImportMode mode = ImportMode::for_good) {
    return at_work_.run(import_task(std::move(acting), std::move(accounts), mode)).value();
  }
  // "created", "refused /role forbidden"
  static std::vector<std::string> told(const std::vector<ImportOutcome>& outcomes) {
    std::vector<std::string> texts;
    for (const auto& outcome : outcomes) {
      std::string text = outcome.kind == ImportKind::created    ? "created"
                         : outcome.kind == ImportKind::existing ? "existing"
                                                                : "refused";
      for (const auto& fault : outcome.faults) text += " " + fault.pointer + " " + fault.code;
      texts.push_back(std::move(text));
    }
    return texts;
  }
  std::string stored_hash(const char* address) {
    return at_work_.text("SELECT password_hash FROM users WHERE email = $1", address);
  }

  testing::AccountsAtWork at_work_{GetParam(), RegistrationMode::open, 4};
  UserImport imports_{at_work_.database, at_work_.audit, at_work_.mode_in_force, at_work_.clock, at_work_.random};
};

TEST_P(UserImportTest, an_imported_user_logs_in_with_the_old_password_and_then_has_a_hash_of_ours) {
  EXPECT_THAT(told(import(as(Role::admin), {account("ada@example.com")})), ElementsAre("created"));
  EXPECT_EQ(stored_hash("ada@example.com"), kImportedHash);
  EXPECT_EQ(refusal_of(at_work_.log_in("ada@example.com", testing::kWrongPassword)), ErrorCode::invalid_credentials);
  EXPECT_EQ(stored_hash("ada@example.com"), kImportedHash);
  const auto logged_in = at_work_.log_in("ada@example.com");
  ASSERT_TRUE(logged_in);
  EXPECT_EQ(logged_in->user.name, "Ada");
  EXPECT_TRUE(stored_hash("ada@example.com").starts_with("$argon2id$v=19$"));
  EXPECT_TRUE(at_work_.log_in("ada@example.com"));
  EXPECT_EQ(refusal_of(at_work_.log_in("ada@example.com", testing::kWrongPassword)), ErrorCode::invalid_credentials);
}

TEST_P(UserImportTest, the_same_again_changes_nothing) {
  const auto admin = as(Role::admin);
  import(admin, {account("ada@example.com")});
  at_work_.log_in("ada@example.com").value();
  const auto hash = stored_hash("ada@example.com");
  auto again = account("ADA@example.com");
  again.name = "Somebody";
  EXPECT_THAT(told(import(admin, {std::move(again), account("bob@example.com"), account("Bob@example.com")})),
              ElementsAre("existing", "created", "existing"));
  EXPECT_EQ(stored_hash("ada@example.com"), hash);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM users WHERE email IN ('ada@example.com', 'bob@example.com')"), 2);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM users WHERE name = 'Somebody'"), 0);
}

TEST_P(UserImportTest, a_batch_is_one_row_of_the_record_and_mails_nobody) {
  auto bad = account("bob@example.com");
  bad.password_hash = secret("plain");
  import(as(Role::admin), {account("ada@example.com"), account("ada@example.com"), std::move(bad)});
  EXPECT_EQ(at_work_.audited("users.imported"), 1);
  EXPECT_EQ(at_work_.text("SELECT reason FROM audit_log WHERE action = $1", "users.imported"),
            "created: 1, existing: 1, refused: 1");
  EXPECT_TRUE(at_work_.take_mails().empty());
}

TEST_P(UserImportTest, what_cannot_be_taken_is_refused_alone_and_says_why) {
  auto unknown = account("unknown@example.com");
  unknown.password_hash = secret("5f4dcc3b5aa765d61d8327deb882cf99");
  auto absurd = account("absurd@example.com");
  absurd.password_hash = secret(kAbsurdHash);
  auto above = account("above@example.com");
  above.role = Role::superadmin;
  auto early = account("early@example.com");
  early.created_at = at_work_.clock.now() + hours(1);
  early.last_login_at = at_work_.clock.now() + hours(1);
  const Error unread{.code = ErrorCode::invalid_fields, .fields = {{"/email", "required", "is required"}}};
  EXPECT_THAT(
      told(import(as(Role::admin), {std::move(unknown), std::move(absurd), std::move(above), std::move(early),
                                    std::unexpected(unread), account("fine@example.com")})),
      ElementsAre("refused /passwordHash unknown-scheme", "refused /passwordHash too-costly", "refused /role forbidden",
                  "refused /createdAt out-of-range /lastLoginAt out-of-range", "refused /email required", "created"));
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM users"), 2);  // the admin, and who was fine
}

TEST_P(UserImportTest, everything_that_is_given_is_kept) {
  const auto now = at_work_.clock.now();
  ImportedAccount left{.email = email("Left@example.com"),
                       .name = "Left",
                       .locale = "de-CH",
                       .role = Role::support,
                       .is_active = false,
                       .email_status = "bounced",
                       .disabled_reason = "Left the company",
                       .disabled_at = now - hours(1),
                       .created_at = now - hours(1000),
                       .last_login_at = now - hours(2)};
  EXPECT_THAT(told(import(as(Role::admin), {std::move(left)})), ElementsAre("created"));
  const auto user = at_work_.run(at_work_.accounts.find(email("left@example.com")));
  ASSERT_TRUE(user);
  EXPECT_EQ(user->email, "Left@example.com");
  EXPECT_EQ(user->name, "Left");
  EXPECT_EQ(user->locale, "de-CH");
  EXPECT_EQ(user->role, Role::support);
  EXPECT_FALSE(user->is_active);
  EXPECT_EQ(user->email_status, "bounced");
  EXPECT_EQ(user->disabled_reason, "Left the company");
  EXPECT_EQ(user->disabled_at, now - hours(1));
  EXPECT_EQ(user->created_at, now - hours(1000));
  EXPECT_EQ(user->last_login_at, now - hours(2));
  EXPECT_FALSE(user->email_verified_at);
}

TEST_P(UserImportTest, a_disabled_an_unproved_and_a_user_without_a_password_do_not_get_in) {
  auto disabled = account("disabled@example.com");
  disabled.is_active = false;
  auto unproved = account("unproved@example.com");
  unproved.is_verified = false;
  auto without = account("without@example.com");
  without.password_hash = SecretText();
  import(as(Role::admin), {std::move(disabled), std::move(unproved), std::move(without)});
  EXPECT_EQ(refusal_of(at_work_.log_in("disabled@example.com")), ErrorCode::invalid_credentials);
  EXPECT_EQ(refusal_of(at_work_.log_in("unproved@example.com")), ErrorCode::email_not_verified);
  EXPECT_EQ(refusal_of(at_work_.log_in("without@example.com")), ErrorCode::invalid_credentials);
  at_work_.forgot("without@example.com").value();
  at_work_.reset(at_work_.mailed_token(), testing::kPassword).value();
  EXPECT_TRUE(at_work_.log_in("without@example.com"));
}

TEST_P(UserImportTest, a_dry_run_tells_the_same_and_changes_nothing) {
  auto bad = account("bad@example.com");
  bad.password_hash = secret("plain");
  const auto admin = as(Role::admin);
  EXPECT_THAT(
      told(import(
          admin, {account("ada@example.com"), account("ADA@example.com"), account("admin@example.com"), std::move(bad)},
          ImportMode::dry_run)),
      ElementsAre("created", "existing", "existing", "refused /passwordHash unknown-scheme"));
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM users"), 1);
  EXPECT_EQ(at_work_.audited("users.import-tried"), 1);
  EXPECT_EQ(at_work_.audited("users.imported"), 0);
}

TEST_P(UserImportTest, nobody_is_brought_in_while_credentials_are_frozen) {
  const auto admin = as(Role::admin);
  at_work_.mode_in_force.set(
      {.mode = CompromiseMode::contain, .reason = {}, .actor = {}, .since = {}, .expires_at = {}},
      at_work_.clock.monotonic());
  const auto refused = at_work_.run(import_task(admin, {account("ada@example.com")}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::frozen);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM users"), 1);
  EXPECT_THAT(told(import(admin, {account("ada@example.com")}, ImportMode::dry_run)), ElementsAre("created"));
}

TEST_P(UserImportTest, batches_that_run_at_once_make_each_user_once) {
  const auto admin = as(Role::admin);
  constexpr std::size_t kUsers = 40;
  std::vector<Task<Result<std::vector<ImportOutcome>>>> batches;
  for (std::size_t batch = 0; batch < 4; ++batch) {
    std::vector<Result<ImportedAccount>> accounts;
    for (std::size_t i = 0; i < kUsers; ++i) {
      // In opposite orders, so that they meet in the middle.
      const auto number = batch % 2 == 0 ? i : kUsers - 1 - i;
      accounts.emplace_back(account("user-" + std::to_string(number) + "@example.com"));
    }
    batches.push_back(import_task(admin, std::move(accounts)));
  }
  std::size_t created = 0;
  for (const auto& outcomes : at_work_.run_together(std::move(batches))) {
    ASSERT_TRUE(outcomes);
    for (const auto& outcome : *outcomes) {
      EXPECT_NE(outcome.kind, ImportKind::refused);
      if (outcome.kind == ImportKind::created) ++created;
    }
  }
  EXPECT_EQ(created, kUsers);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM users WHERE email LIKE 'user-%'"), std::int64_t{kUsers});
}

TEST_P(UserImportTest, who_may_no_longer_do_it_imports_nobody) {
  const auto support = as(Role::support);
  EXPECT_EQ(refusal_of(at_work_.run(import_task(support, {account("ada@example.com")}))), ErrorCode::forbidden);
  auto admin = as(Role::admin);
  at_work_.by_hand("UPDATE users SET is_active = false WHERE email = 'admin@example.com'");
  EXPECT_EQ(refusal_of(at_work_.run(import_task(admin, {account("ada@example.com")}))), ErrorCode::forbidden);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM users WHERE email = 'ada@example.com'"), 0);
}

// Whatever stands in a row, a login does not take minutes.
TEST_P(UserImportTest, a_stored_hash_that_was_edited_to_an_absurd_cost_lets_nobody_in) {
  import(as(Role::admin), {account("ada@example.com")});
  for (const std::string& absurd :
       {std::string(kAbsurdHash),
        std::string("$argon2id$v=19$m=4194304,t=99,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"),
        std::string("pbkdf2_sha256$4294967295$seasalt$YlZ2Vggtqdc61YjArZuoApoBh9JNGYoDRBUGu6tcJQo=")}) {
    at_work_.by_hand("UPDATE users SET password_hash = '" + absurd + "' WHERE email = 'ada@example.com'");
    EXPECT_EQ(refusal_of(at_work_.log_in("ada@example.com")), ErrorCode::invalid_credentials) << absurd;
    EXPECT_EQ(stored_hash("ada@example.com"), absurd);
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, UserImportTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
