// What operators do to the accounts of others, and what they are refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "accounts/administration.hpp"
#include "accounts/assistance.hpp"
#include "accounts/testing.hpp"
#include "accounts/user_making.hpp"

namespace safawinet {
namespace {

using testing::email;
using ::testing::IsEmpty;
using testing::refusal_of;

constexpr std::size_t kLoops = 4;

class AdministrationTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  UserId somebody(std::string address, std::string_view role) {
    return at_work_.add_user({.email = std::move(address), .role = role, .is_verified = true});
  }
  static Operator as(UserId user, Role role) { return Operator::person(user, SessionId{}, role); }
  AdministrativeAct act(Operator acting, UserId target) {
    return {.acting = std::move(acting), .target = target, .reason = "because", .origin = at_work_.origin};
  }
  Task<std::optional<ErrorCode>> give(Operator acting, UserId target, Role role) {
    const auto changed = co_await administration_.change_role(act(std::move(acting), target), role);
    co_return refusal_of(changed);
  }
  std::int64_t superadmins() {
    return at_work_.number("SELECT count(*) FROM users WHERE role = 'superadmin' AND is_active");
  }

  testing::AccountsAtWork at_work_{GetParam(), RegistrationMode::open, kLoops};
  Administration administration_{Administration::Parts{.database = at_work_.database,
                                                       .sessions = at_work_.sessions,
                                                       .audit = at_work_.audit,
                                                       .outbox = at_work_.outbox,
                                                       .letters = at_work_.letters,
                                                       .clock = at_work_.clock}};
  Assistance assistance_{{.database = at_work_.database,
                          .accounts = at_work_.accounts,
                          .sessions = at_work_.sessions,
                          .attempts = at_work_.attempts,
                          .limits = at_work_.limits,
                          .audit = at_work_.audit,
                          .clock = at_work_.clock}};
  UserMaking making_{{.database = at_work_.database,
                      .accounts = at_work_.accounts,
                      .passwords = at_work_.passwords,
                      .audit = at_work_.audit,
                      .clock = at_work_.clock,
                      .random = at_work_.random}};
};

TEST_P(AdministrationTest, superadmins_who_demote_each_other_at_once_leave_one_and_hear_of_no_deadlock) {
  const auto ada = somebody("ada@example.com", "superadmin");
  const auto bob = somebody("bob@example.com", "superadmin");
  for (int round = 0; round < 20; ++round) {
    at_work_.by_hand("UPDATE users SET role = 'superadmin'");
    std::vector<Task<std::optional<ErrorCode>>> tasks;
    for (int i = 0; i < 4; ++i) {
      tasks.push_back(give(as(ada, Role::superadmin), bob, Role::customer));
      tasks.push_back(give(as(bob, Role::superadmin), ada, Role::customer));
    }
    int done = 0;
    for (const auto& refused : at_work_.run_together(std::move(tasks))) {
      if (!refused) ++done;
      EXPECT_EQ(refused.value_or(ErrorCode::forbidden), ErrorCode::forbidden);
    }
    EXPECT_GE(done, 1);
    EXPECT_EQ(superadmins(), 1);
  }
  EXPECT_EQ(at_work_.audited("user.role-changed"), 20) << "one for each real change";
}

TEST_P(AdministrationTest, operators_who_disable_the_same_user_at_once_do_it_once) {
  const auto ada = somebody("ada@example.com", "admin");
  const auto bob = somebody("bob@example.com", "admin");
  const auto eve = somebody("eve@example.com", "customer");
  auto disable = [this](Operator acting, UserId target) -> Task<std::optional<ErrorCode>> {
    const auto disabled = co_await administration_.disable(act(std::move(acting), target));
    co_return refusal_of(disabled);
  };
  std::vector<Task<std::optional<ErrorCode>>> tasks;
  for (int i = 0; i < 8; ++i) tasks.push_back(disable(as(i % 2 == 0 ? ada : bob, Role::admin), eve));
  for (const auto& refused : at_work_.run_together(std::move(tasks))) EXPECT_EQ(refused, std::nullopt);
  EXPECT_EQ(at_work_.audited("user.disabled"), 1);
}

TEST_P(AdministrationTest, the_last_superadmin_is_neither_demoted_nor_disabled_nor_deleted) {
  const auto ada = somebody("ada@example.com", "superadmin");
  somebody("off@example.com", "superadmin");
  at_work_.by_hand("UPDATE users SET is_active = false WHERE email = 'off@example.com'");
  const auto acting = Operator::local("root");
  EXPECT_EQ(at_work_.run(give(acting, ada, Role::admin)), ErrorCode::conflict);
  EXPECT_EQ(refusal_of(at_work_.run(administration_.disable(act(acting, ada)))), ErrorCode::conflict);
  EXPECT_EQ(refusal_of(at_work_.run(administration_.delete_user(act(acting, ada)))), ErrorCode::conflict);
  EXPECT_EQ(superadmins(), 1);
}

TEST_P(AdministrationTest, nobody_unlocks_their_own_account_neither_themselves_nor_with_a_key_of_theirs) {
  const auto ada = somebody("ada@example.com", "admin");
  const auto bob = somebody("bob@example.com", "admin");
  EXPECT_EQ(refusal_of(at_work_.run(assistance_.unlock(act(as(ada, Role::admin), ada)))), ErrorCode::conflict);
  EXPECT_EQ(refusal_of(at_work_.run(assistance_.unlock(act(as(bob, Role::admin), ada)))), std::nullopt);
  auto key = Operator::local("key");
  key.key_owner = ada;
  EXPECT_EQ(refusal_of(at_work_.run(assistance_.unlock(act(key, ada)))), ErrorCode::conflict);
}

TEST_P(AdministrationTest, an_operator_who_was_demoted_meanwhile_changes_nothing_and_helps_nobody) {
  const auto ada = somebody("ada@example.com", "admin");
  const auto eve = somebody("eve@example.com", "customer");
  const auto claimed = as(ada, Role::admin);
  at_work_.by_hand("UPDATE users SET role = 'customer' WHERE email = 'ada@example.com'");
  EXPECT_EQ(at_work_.run(give(claimed, eve, Role::support)), ErrorCode::forbidden);
  EXPECT_EQ(refusal_of(at_work_.run(administration_.disable(act(claimed, eve)))), ErrorCode::forbidden);
  EXPECT_EQ(refusal_of(at_work_.run(administration_.delete_user(act(claimed, eve)))), ErrorCode::forbidden);
  EXPECT_EQ(refusal_of(at_work_.run(assistance_.send_reset(act(claimed, eve), true))), ErrorCode::forbidden);
  EXPECT_EQ(refusal_of(at_work_.run(assistance_.unlock(act(claimed, eve)))), ErrorCode::forbidden);
  EXPECT_EQ(refusal_of(at_work_.run(assistance_.verify_address(act(claimed, eve)))), ErrorCode::forbidden);
  NewAccount account{.email = email("new@example.com"), .name = {}, .role = Role::customer, .password = {}};
  EXPECT_EQ(refusal_of(at_work_.run(making_.create(claimed, account, at_work_.visitor))), ErrorCode::forbidden);
  EXPECT_EQ(refusal_of(at_work_.run(making_.export_page(claimed, std::nullopt, 10, at_work_.origin))),
            ErrorCode::forbidden);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM audit_log"), 0);
  EXPECT_THAT(at_work_.take_mails(), IsEmpty());
}

TEST_P(AdministrationTest, two_who_make_the_same_account_at_once_make_one) {
  auto create = [this]() -> Task<std::optional<ErrorCode>> {
    NewAccount account{.email = email("new@example.com"), .name = "New", .role = Role::admin, .password = {}};
    const auto made = co_await making_.create(Operator::local("root"), std::move(account), at_work_.visitor);
    co_return refusal_of(made);
  };
  std::vector<Task<std::optional<ErrorCode>>> tasks;
  for (int i = 0; i < 8; ++i) tasks.push_back(create());
  int done = 0;
  for (const auto& refused : at_work_.run_together(std::move(tasks))) {
    if (!refused) ++done;
    EXPECT_EQ(refused.value_or(ErrorCode::conflict), ErrorCode::conflict);
  }
  EXPECT_EQ(done, 1);
  EXPECT_EQ(at_work_.audited("user.created"), 1);
}

TEST_P(AdministrationTest, a_disabled_user_has_a_reason_until_somebody_enables_them_whoever_that_is) {
  const auto eve = somebody("eve@example.com", "customer");
  const auto disabled = at_work_.run(administration_.disable(act(Operator::local("root"), eve))).value();
  EXPECT_EQ(disabled.disabled_reason, "because");
  at_work_.by_hand("UPDATE users SET is_active = true WHERE email = 'eve@example.com'");
  const auto enabled = at_work_.run(at_work_.accounts.get(eve)).value();
  EXPECT_EQ(enabled.disabled_reason, std::nullopt);
  EXPECT_EQ(enabled.disabled_at, std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(Engines, AdministrationTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
