// Changes of credentials and the end of an account; limits; the first administrator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accounts/account_service.hpp"
#include "accounts/testing.hpp"

namespace safawinet {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::email;
using testing::faults_of;
using testing::find_token;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kOtherPassword;
using testing::kPassword;
using testing::kWrongPassword;
using ::testing::Not;
using testing::refusal_of;
using testing::secret;
using ::testing::SizeIs;

class CredentialsTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  Status change_password(const Caller& caller, std::string_view current, std::string_view next) {
    return at_work_.run(at_work_.accounts.change_password(caller, secret(current), secret(next), at_work_.visitor));
  }
  Status change_email(const Caller& caller, std::string_view password, std::string_view next) {
    return at_work_.run(at_work_.accounts.change_email(caller, secret(password), email(next), at_work_.visitor));
  }
  Status delete_account(const Caller& caller, std::string_view password) {
    return at_work_.run(at_work_.accounts.delete_account(caller, secret(password), at_work_.visitor));
  }
  Result<bool> ensure_superadmin(std::string_view address, std::string_view password = kPassword) {
    return at_work_.run(at_work_.accounts.ensure_superadmin(email(address), secret(password)));
  }
  void make_superadmin(std::string_view address) {
    at_work_.by_hand("UPDATE users SET role = 'superadmin' WHERE email = '" + std::string(address) + "'");
  }

  testing::AccountsAtWork at_work_{GetParam()};
  UserId ada_ = at_work_.sign_up("ada@example.com");
  LoggedIn laptop_ = at_work_.log_in("ada@example.com").value();
  LoggedIn phone_ = at_work_.log_in("ada@example.com").value();
  Caller caller_ = at_work_.caller_of(laptop_);
};

// A forgotten password.

TEST_P(CredentialsTest, a_reset_sets_the_password_and_ends_every_session) {
  EXPECT_TRUE(at_work_.forgot("ADA@example.com"));
  const auto mails = at_work_.take_mails();
  ASSERT_THAT(mails, SizeIs(1));
  const auto token = find_token(mails[0]).value();
  EXPECT_THAT(mails[0].text, HasSubstr("https://id.example.com/reset-password?token=" + token + "\n"));
  EXPECT_TRUE(at_work_.is_accepted(laptop_.tokens)) << "asking changes nothing";
  EXPECT_TRUE(at_work_.reset(token, kOtherPassword));
  EXPECT_TRUE(at_work_.is_dead(laptop_.tokens));
  EXPECT_TRUE(at_work_.is_dead(phone_.tokens));
  EXPECT_EQ(refusal_of(at_work_.log_in("ada@example.com", kPassword)), ErrorCode::invalid_credentials);
  EXPECT_TRUE(at_work_.log_in("ada@example.com", kOtherPassword));
  EXPECT_EQ(at_work_.take_mails().at(0).subject, "Your password was changed");
  EXPECT_EQ(at_work_.audited("user.password-reset"), 1);
  EXPECT_EQ(at_work_.run(at_work_.accounts.get(ada_))->name, "Ada") << "a proved account keeps its name";
}

TEST_P(CredentialsTest, a_reset_token_works_once_for_half_an_hour_and_the_newer_kills_the_older) {
  EXPECT_TRUE(at_work_.forgot("ada@example.com"));
  const auto older = at_work_.mailed_token();
  EXPECT_TRUE(at_work_.forgot("ada@example.com"));
  const auto newer = at_work_.mailed_token();
  EXPECT_EQ(refusal_of(at_work_.reset(older, kOtherPassword)), ErrorCode::invalid_token);
  EXPECT_EQ(refusal_of(at_work_.verify(newer)), ErrorCode::invalid_token) << "it is for another purpose";
  EXPECT_TRUE(at_work_.reset(newer, kOtherPassword));
  EXPECT_EQ(refusal_of(at_work_.reset(newer, kPassword)), ErrorCode::invalid_token);
  at_work_.take_mails();
  EXPECT_TRUE(at_work_.forgot("ada@example.com"));
  const auto late = at_work_.mailed_token();
  at_work_.clock.advance(minutes(30));
  EXPECT_EQ(refusal_of(at_work_.reset(late, kPassword)), ErrorCode::invalid_token);
}

TEST_P(CredentialsTest, a_password_against_the_policy_does_not_use_the_token_up) {
  EXPECT_TRUE(at_work_.forgot("ada@example.com"));
  const auto token = at_work_.mailed_token();
  const auto faults = faults_of(at_work_.reset(token, "short"));
  ASSERT_THAT(faults, Not(IsEmpty()));
  EXPECT_THAT(faults[0], HasSubstr("/newPassword "));
  EXPECT_TRUE(at_work_.is_accepted(laptop_.tokens));
  EXPECT_TRUE(at_work_.reset(token, kOtherPassword));
}

TEST_P(CredentialsTest, an_unknown_or_deactivated_address_answers_alike_and_gets_no_mail) {
  at_work_.by_hand("UPDATE users SET is_active = false");
  EXPECT_TRUE(at_work_.forgot("ada@example.com"));
  EXPECT_TRUE(at_work_.forgot("nobody@example.com"));
  EXPECT_THAT(at_work_.take_mails(), IsEmpty());
}

TEST_P(CredentialsTest, a_deactivation_after_the_mail_makes_its_token_useless) {
  EXPECT_TRUE(at_work_.forgot("ada@example.com"));
  const auto token = at_work_.mailed_token();
  at_work_.by_hand("UPDATE users SET is_active = false");
  EXPECT_EQ(refusal_of(at_work_.reset(token, kOtherPassword)), ErrorCode::invalid_token);
}

TEST_P(CredentialsTest, a_reset_by_many_at_once_works_for_one) {
  testing::AccountsAtWork at_work(GetParam(), RegistrationMode::open, 4);
  at_work.sign_up("ada@example.com");
  EXPECT_TRUE(at_work.forgot("ada@example.com"));
  const auto token = at_work.mailed_token();
  std::vector<Task<Result<void>>> tasks;
  for (int i = 0; i < 16; ++i) {
    tasks.push_back(at_work.accounts.reset_password(secret(token), secret(kOtherPassword), at_work.visitor));
  }
  const auto answers = at_work.run_together(std::move(tasks));
  EXPECT_EQ(std::ranges::count_if(answers, [](const auto& answer) { return answer.has_value(); }), 1);
  EXPECT_THAT(at_work.take_mails(), SizeIs(1));
}

// A changed password.

TEST_P(CredentialsTest, a_changed_password_ends_the_other_sessions_and_the_tokens_in_the_mail) {
  EXPECT_TRUE(at_work_.forgot("ada@example.com"));
  const auto mailed = at_work_.mailed_token();
  EXPECT_TRUE(change_password(caller_, kPassword, kOtherPassword));
  EXPECT_TRUE(at_work_.is_accepted(laptop_.tokens));
  EXPECT_TRUE(at_work_.refresh(laptop_.tokens.refresh_token));
  EXPECT_TRUE(at_work_.is_dead(phone_.tokens));
  EXPECT_EQ(refusal_of(at_work_.reset(mailed, kWrongPassword)), ErrorCode::invalid_token);
  EXPECT_EQ(refusal_of(at_work_.log_in("ada@example.com", kPassword)), ErrorCode::invalid_credentials);
  EXPECT_TRUE(at_work_.log_in("ada@example.com", kOtherPassword));
  EXPECT_EQ(at_work_.take_mails().at(0).subject, "Your password was changed");
  EXPECT_EQ(at_work_.audited("user.password-changed"), 1);
}

TEST_P(CredentialsTest, a_wrong_or_unsuitable_password_changes_nothing) {
  EXPECT_THAT(faults_of(change_password(caller_, kWrongPassword, kOtherPassword)),
              ElementsAre("/currentPassword wrong-password"));
  const auto faults = faults_of(change_password(caller_, kPassword, "short"));
  ASSERT_THAT(faults, Not(IsEmpty()));
  EXPECT_THAT(faults[0], HasSubstr("/newPassword "));
  EXPECT_TRUE(at_work_.is_accepted(phone_.tokens));
  EXPECT_TRUE(at_work_.log_in("ada@example.com", kPassword));
  EXPECT_THAT(at_work_.take_mails(), IsEmpty());
}

TEST_P(CredentialsTest, wrong_current_passwords_count_with_wrong_logins) {
  for (int i = 0; i < 5; ++i) at_work_.log_in("ada@example.com", kWrongPassword);
  for (int i = 0; i < 2; ++i) change_password(caller_, kWrongPassword, kOtherPassword);
  for (int i = 0; i < 2; ++i) change_email(caller_, kWrongPassword, "new@example.com");
  EXPECT_EQ(refusal_of(delete_account(caller_, kWrongPassword)), ErrorCode::invalid_fields);
  EXPECT_EQ(refusal_of(change_password(caller_, kPassword, kOtherPassword)), ErrorCode::too_many_requests);
  EXPECT_EQ(refusal_of(at_work_.log_in("ada@example.com")), ErrorCode::too_many_requests);
}

TEST_P(CredentialsTest, whoever_has_stolen_a_session_gets_ten_tries_however_many_networks_they_have) {
  int told = 0;
  for (int i = 0; i < 30; ++i) {
    at_work_.visitor.origin.network = "203.0." + std::to_string(i) + ".0/24";
    const auto refused = refusal_of(change_password(caller_, kWrongPassword, kOtherPassword));
    if (refused == ErrorCode::invalid_fields) ++told;
  }
  EXPECT_EQ(told, 10);
  EXPECT_EQ(refusal_of(change_password(caller_, kPassword, kOtherPassword)), ErrorCode::too_many_requests);
  EXPECT_TRUE(change_password(at_work_.caller_of(phone_), kPassword, kOtherPassword)) << "another session of the owner";
}

TEST_P(CredentialsTest, of_two_changes_at_once_one_wins_and_the_other_hears_of_it) {
  testing::AccountsAtWork at_work(GetParam(), RegistrationMode::open, 4);
  at_work.sign_up("ada@example.com");
  const auto caller = at_work.caller_of(at_work.log_in("ada@example.com").value());
  std::vector<Task<Result<void>>> tasks;
  for (int i = 0; i < 8; ++i) {
    tasks.push_back(
        at_work.accounts.change_password(caller, secret(kPassword), secret(kOtherPassword), at_work.visitor));
  }
  int done = 0;
  for (const auto& answer : at_work.run_together(std::move(tasks))) {
    if (answer) {
      ++done;
    } else {
      const auto code = answer.error().code;
      EXPECT_TRUE(code == ErrorCode::conflict || code == ErrorCode::invalid_fields);
    }
  }
  EXPECT_EQ(done, 1);
  EXPECT_EQ(at_work.audited("user.password-changed"), 1);
}

// Another address.

TEST_P(CredentialsTest, an_address_changes_when_the_new_one_is_proved_and_the_old_one_hears_of_it) {
  EXPECT_TRUE(change_email(caller_, kPassword, "countess@example.com"));
  const auto mails = at_work_.take_mails();
  ASSERT_THAT(mails, SizeIs(1));
  EXPECT_EQ(mails[0].to, "countess@example.com");
  EXPECT_EQ(at_work_.run(at_work_.accounts.get(ada_))->email, "ada@example.com");
  EXPECT_TRUE(at_work_.verify(find_token(mails[0]).value()));
  EXPECT_EQ(at_work_.run(at_work_.accounts.get(ada_))->email, "countess@example.com");
  EXPECT_TRUE(at_work_.log_in("countess@example.com"));
  EXPECT_EQ(refusal_of(at_work_.log_in("ada@example.com")), ErrorCode::invalid_credentials);
  const auto told = at_work_.take_mails();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].to, "ada@example.com");
  EXPECT_THAT(told[0].text, HasSubstr("countess@example.com"));
  EXPECT_EQ(at_work_.audited("user.email-changed"), 1);
  EXPECT_FALSE(at_work_.is_accepted(phone_.tokens)) << "another device is signed out";
  EXPECT_TRUE(at_work_.is_accepted(laptop_.tokens)) << "the one that asked for it is not";
}

TEST_P(CredentialsTest, an_account_that_is_more_than_a_registration_gives_way_to_nobody) {
  EXPECT_TRUE(change_email(caller_, kPassword, "staff@example.com"));
  const auto token = at_work_.mailed_token();
  const auto staff = at_work_.add_user({.email = "staff@example.com", .role = "admin"});
  EXPECT_EQ(refusal_of(at_work_.verify(token)), ErrorCode::invalid_token);
  EXPECT_EQ(at_work_.run(at_work_.accounts.find(email("staff@example.com")))->id, staff);
}

TEST_P(CredentialsTest, what_was_mailed_to_the_old_address_opens_nothing_after_the_change) {
  EXPECT_TRUE(at_work_.forgot("ada@example.com"));
  const auto reset_at_old_address = at_work_.mailed_token();
  EXPECT_TRUE(change_email(caller_, kPassword, "countess@example.com"));
  EXPECT_TRUE(at_work_.verify(at_work_.mailed_token()));
  EXPECT_EQ(refusal_of(at_work_.reset(reset_at_old_address, kOtherPassword)), ErrorCode::invalid_token);
}

TEST_P(CredentialsTest, a_change_of_address_must_be_proved_within_an_hour_and_once) {
  EXPECT_TRUE(change_email(caller_, kPassword, "first@example.com"));
  const auto older = at_work_.mailed_token();
  EXPECT_TRUE(change_email(caller_, kPassword, "second@example.com"));
  const auto newer = at_work_.mailed_token();
  EXPECT_EQ(refusal_of(at_work_.verify(older)), ErrorCode::invalid_token);
  EXPECT_TRUE(at_work_.verify(newer));
  EXPECT_EQ(refusal_of(at_work_.verify(newer)), ErrorCode::invalid_token);
  at_work_.take_mails();
  EXPECT_TRUE(change_email(caller_, kPassword, "third@example.com"));
  const auto late = at_work_.mailed_token();
  at_work_.clock.advance(hours(1));
  EXPECT_EQ(refusal_of(at_work_.verify(late)), ErrorCode::invalid_token);
  EXPECT_EQ(at_work_.run(at_work_.accounts.get(ada_))->email, "second@example.com");
}

TEST_P(CredentialsTest, an_address_that_is_taken_answers_alike_and_its_owner_hears_of_it) {
  at_work_.sign_up("bob@example.com");
  EXPECT_TRUE(change_email(caller_, kPassword, "BOB@example.com"));
  const auto mails = at_work_.take_mails();
  ASSERT_THAT(mails, SizeIs(1));
  EXPECT_EQ(mails[0].to, "bob@example.com");
  EXPECT_FALSE(find_token(mails[0]));
}

TEST_P(CredentialsTest, an_address_that_somebody_else_proved_meanwhile_stays_theirs) {
  EXPECT_TRUE(change_email(caller_, kPassword, "bob@example.com"));
  const auto token = at_work_.mailed_token();
  const auto bob = at_work_.sign_up("bob@example.com", kOtherPassword);
  EXPECT_EQ(refusal_of(at_work_.verify(token)), ErrorCode::invalid_token);
  EXPECT_EQ(at_work_.run(at_work_.accounts.find(email("bob@example.com")))->id, bob);
}

TEST_P(CredentialsTest, whoever_holds_the_new_address_without_having_proved_it_gives_way) {
  EXPECT_TRUE(at_work_.register_user("countess@example.com", kWrongPassword, "Mallory"));
  const auto of_squatter = at_work_.mailed_token();
  EXPECT_TRUE(change_email(caller_, kPassword, "countess@example.com"));
  EXPECT_TRUE(at_work_.verify(at_work_.mailed_token()));
  EXPECT_EQ(at_work_.run(at_work_.accounts.find(email("countess@example.com")))->id, ada_);
  EXPECT_EQ(refusal_of(at_work_.verify(of_squatter)), ErrorCode::invalid_token);
  EXPECT_EQ(refusal_of(at_work_.log_in("countess@example.com", kWrongPassword)), ErrorCode::invalid_credentials);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM users"), 1);
}

TEST_P(CredentialsTest, a_change_of_address_needs_the_password) {
  EXPECT_THAT(faults_of(change_email(caller_, kWrongPassword, "new@example.com")),
              ElementsAre("/password wrong-password"));
  EXPECT_THAT(at_work_.take_mails(), IsEmpty());
}

// The end of an account.

TEST_P(CredentialsTest, a_deleted_account_leaves_no_row_and_its_tokens_are_dead) {
  EXPECT_TRUE(at_work_.forgot("ada@example.com"));
  const auto mailed = at_work_.mailed_token();
  EXPECT_TRUE(delete_account(caller_, kPassword));
  EXPECT_TRUE(at_work_.is_dead(laptop_.tokens));
  EXPECT_TRUE(at_work_.is_dead(phone_.tokens));
  EXPECT_EQ(refusal_of(at_work_.log_in("ada@example.com")), ErrorCode::invalid_credentials);
  EXPECT_EQ(refusal_of(at_work_.reset(mailed, kOtherPassword)), ErrorCode::invalid_token);
  for (const auto* count : {"SELECT count(*) FROM users", "SELECT count(*) FROM refresh_sessions",
                            "SELECT count(*) FROM ended_sessions", "SELECT count(*) FROM one_time_tokens"}) {
    EXPECT_EQ(at_work_.number(count), 0) << count;
  }
  EXPECT_EQ(at_work_.take_mails().at(0).subject, "Your account was deleted");
  EXPECT_EQ(at_work_.audited("user.deleted"), 1);
  EXPECT_EQ(refusal_of(delete_account(caller_, kPassword)), ErrorCode::unauthenticated);
}

TEST_P(CredentialsTest, deleting_needs_the_password) {
  EXPECT_THAT(faults_of(delete_account(caller_, kWrongPassword)), ElementsAre("/password wrong-password"));
  EXPECT_TRUE(at_work_.is_accepted(laptop_.tokens));
}

TEST_P(CredentialsTest, the_last_superadmin_cannot_be_deleted) {
  make_superadmin("ada@example.com");
  EXPECT_EQ(refusal_of(delete_account(caller_, kPassword)), ErrorCode::conflict);
  EXPECT_TRUE(at_work_.log_in("ada@example.com"));
  at_work_.sign_up("bob@example.com");
  make_superadmin("bob@example.com");
  EXPECT_TRUE(delete_account(caller_, kPassword));
}

TEST_P(CredentialsTest, of_two_superadmins_who_delete_themselves_at_once_one_stays) {
  testing::AccountsAtWork at_work(GetParam(), RegistrationMode::open, 4);
  for (int round = 0; round < testing::rounds(5); ++round) {
    std::vector<Caller> callers;
    for (const auto* address : {"one@example.com", "two@example.com"}) {
      at_work.sign_up(address);
      at_work.by_hand("UPDATE users SET role = 'superadmin' WHERE email = '" + std::string(address) + "'");
      callers.push_back(at_work.caller_of(at_work.log_in(address).value()));
    }
    std::vector<Task<Result<void>>> tasks;
    for (const auto& caller : callers) {
      tasks.push_back(at_work.accounts.delete_account(caller, secret(kPassword), at_work.visitor));
    }
    const auto answers = at_work.run_together(std::move(tasks));
    EXPECT_NE(answers[0].has_value(), answers[1].has_value());
    EXPECT_EQ(refusal_of(answers[0] ? answers[1] : answers[0]), ErrorCode::conflict);
    EXPECT_EQ(at_work.number("SELECT count(*) FROM users"), 1);
    at_work.by_hand("DELETE FROM users");
    at_work.take_mails();
  }
}

// At once.

TEST_P(CredentialsTest, of_many_resets_asked_for_at_once_one_token_works) {
  testing::AccountsAtWork at_work(GetParam(), RegistrationMode::open, 4);
  at_work.sign_up("ada@example.com");
  for (int round = 0; round < testing::rounds(10); ++round) {
    std::vector<Task<Result<void>>> tasks;
    for (int i = 0; i < 4; ++i) {
      tasks.push_back(at_work.accounts.forgot_password(email("ada@example.com"), at_work.visitor));
    }
    tasks.push_back(at_work.accounts.forgot_password(email("nobody@example.com"), at_work.visitor));
    for (const auto& answer : at_work.run_together(std::move(tasks))) EXPECT_TRUE(answer);
    EXPECT_THAT(at_work.take_mails(), SizeIs(4));
    EXPECT_EQ(at_work.number("SELECT count(*) FROM one_time_tokens"), 1);
  }
}

TEST_P(CredentialsTest, of_many_invitations_of_one_address_at_once_one_works) {
  testing::AccountsAtWork at_work(GetParam(), RegistrationMode::open, 4);
  at_work.sign_up("operator@example.com");
  const auto acting = Operator::local("test");
  for (int round = 0; round < testing::rounds(10); ++round) {
    std::vector<Task<Result<void>>> tasks;
    for (const auto* address : {"ada@example.com", "ADA@example.com", "Ada@example.com", "ada@EXAMPLE.com"}) {
      tasks.push_back(at_work.accounts.invite(acting, email(address), at_work.visitor));
    }
    for (const auto& answer : at_work.run_together(std::move(tasks))) EXPECT_TRUE(answer);
    EXPECT_EQ(at_work.number("SELECT count(*) FROM one_time_tokens"), 1);
  }
}

TEST_P(CredentialsTest, two_who_want_each_others_address_at_once_both_keep_their_own) {
  testing::AccountsAtWork at_work(GetParam(), RegistrationMode::open, 4);
  const std::vector<std::string> addresses{"one@example.com", "two@example.com"};
  std::vector<Caller> callers;
  for (const auto& address : addresses) {
    EXPECT_TRUE(at_work.register_user(address));
    at_work.by_hand("UPDATE users SET email_verified_at = created_at WHERE email = '" + address + "'");
    callers.push_back(at_work.caller_of(at_work.log_in(address).value()));
    at_work.by_hand("UPDATE users SET email_verified_at = NULL WHERE email = '" + address + "'");
  }
  std::vector<std::string> tokens;
  at_work.take_mails();
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(at_work.run(
        at_work.accounts.change_email(callers[i], secret(kPassword), email(addresses[1 - i]), at_work.visitor)));
    tokens.push_back(at_work.mailed_token());
  }
  at_work.by_hand("UPDATE users SET email_verified_at = created_at");
  std::vector<Task<Result<void>>> tasks;
  for (const auto& token : tokens) tasks.push_back(at_work.accounts.verify_email(secret(token), at_work.visitor));
  for (const auto& answer : at_work.run_together(std::move(tasks))) {
    EXPECT_EQ(refusal_of(answer), ErrorCode::invalid_token);
  }
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(at_work.run(at_work.accounts.find(email(addresses[i])))->id, callers[i].user);
  }
}

TEST_P(CredentialsTest, of_many_nodes_that_start_at_once_one_makes_the_first_administrator) {
  testing::AccountsAtWork at_work(GetParam(), RegistrationMode::open, 4);
  std::vector<Task<int>> tasks;
  const auto start = [&at_work](std::string address) -> Task<int> {
    const auto made = co_await at_work.accounts.ensure_superadmin(email(address), secret(kPassword));
    co_return made && *made ? 1 : 0;
  };
  for (int i = 0; i < 8; ++i) tasks.push_back(start("root" + std::to_string(i) + "@example.com"));
  int made = 0;
  for (const int one : at_work.run_together(std::move(tasks))) made += one;
  EXPECT_EQ(made, 1);
  EXPECT_EQ(at_work.number("SELECT count(*) FROM users WHERE role = 'superadmin'"), 1);
}

// The first administrator.

TEST_P(CredentialsTest, the_first_administrator_is_made_once_and_can_log_in) {
  EXPECT_FALSE(at_work_.run(at_work_.accounts.has_superadmin()));
  EXPECT_THAT(faults_of(ensure_superadmin("root@example.com", "short")), Not(IsEmpty()));
  EXPECT_EQ(refusal_of(ensure_superadmin("ADA@example.com")), ErrorCode::conflict);
  EXPECT_EQ(ensure_superadmin("root@example.com"), true);
  EXPECT_EQ(ensure_superadmin("other@example.com"), false);
  EXPECT_TRUE(at_work_.run(at_work_.accounts.has_superadmin()));
  const auto logged_in = at_work_.log_in("root@example.com");
  ASSERT_TRUE(logged_in);
  EXPECT_EQ(at_work_.caller_of(*logged_in).role, Role::superadmin);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM users WHERE role = 'superadmin'"), 1);
}

TEST_P(CredentialsTest, a_superadmins_new_password_is_told_to_whoever_keeps_the_first_one) {
  EXPECT_TRUE(change_password(caller_, kPassword, kOtherPassword));
  EXPECT_EQ(at_work_.superadmin_password_changes, 0) << "a customer's is not";
  make_superadmin("ada@example.com");
  EXPECT_TRUE(change_password(caller_, kOtherPassword, kPassword));
  EXPECT_EQ(at_work_.superadmin_password_changes, 1);
  at_work_.take_mails();
  EXPECT_TRUE(at_work_.forgot("ada@example.com"));
  EXPECT_TRUE(at_work_.reset(at_work_.mailed_token(), kOtherPassword));
  EXPECT_EQ(at_work_.superadmin_password_changes, 2);
}

// Limits, staff, housekeeping.

TEST_P(CredentialsTest, whoever_uses_up_an_owners_mails_keeps_nobody_from_the_way_back_in) {
  at_work_.visitor.is_exempt_from_limits = false;
  for (int i = 0; i < 10; ++i) at_work_.register_user("ada@example.com");
  EXPECT_EQ(refusal_of(at_work_.register_user("ada@example.com")), ErrorCode::too_many_requests);
  at_work_.take_mails();
  EXPECT_TRUE(at_work_.forgot("ada@example.com"));
  EXPECT_TRUE(at_work_.reset(at_work_.mailed_token(), kOtherPassword));
}

TEST_P(CredentialsTest, a_wrong_password_uses_up_nobodys_mails) {
  at_work_.visitor.is_exempt_from_limits = false;
  for (int i = 0; i < 9; ++i) change_email(caller_, kWrongPassword, "bob@example.com");
  EXPECT_TRUE(change_email(caller_, kPassword, "bob@example.com"));
}

TEST_P(CredentialsTest, what_causes_mail_is_limited_by_address_whoever_asks_and_however_it_is_spelt) {
  at_work_.visitor.is_exempt_from_limits = false;
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(at_work_.forgot(i % 2 == 0 ? "bob@example.com" : "BOB@example.com"));
  const auto answer = at_work_.forgot("bob@example.com");
  EXPECT_EQ(refusal_of(answer), ErrorCode::too_many_requests);
  EXPECT_TRUE(answer.error().retry_after);
  EXPECT_EQ(refusal_of(at_work_.register_user("bob@example.com")), ErrorCode::too_many_requests);
  EXPECT_EQ(refusal_of(at_work_.run(at_work_.accounts.resend_verification(email("bob@example.com"), at_work_.visitor))),
            ErrorCode::too_many_requests);
  EXPECT_EQ(refusal_of(change_email(caller_, kPassword, "bob@example.com")), ErrorCode::too_many_requests);
  EXPECT_EQ(refusal_of(at_work_.run(
                at_work_.accounts.invite(Operator::local("test"), email("bob@example.com"), at_work_.visitor))),
            ErrorCode::too_many_requests);
  EXPECT_TRUE(at_work_.forgot("carol@example.com"));
  at_work_.visitor.is_exempt_from_limits = true;
  EXPECT_TRUE(at_work_.forgot("bob@example.com"));
  at_work_.visitor.is_exempt_from_limits = false;
  at_work_.clock.advance(hours(1));
  EXPECT_TRUE(at_work_.forgot("bob@example.com"));
}

TEST_P(CredentialsTest, staff_find_users_by_a_part_of_the_address) {
  at_work_.clock.advance(seconds(1));
  at_work_.sign_up("bob@example.com");
  const auto found = at_work_.run(at_work_.accounts.search("bob", std::nullopt, 10));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].email, "bob@example.com");
  const auto everybody = at_work_.run(at_work_.accounts.search("", std::nullopt, 10));
  ASSERT_THAT(everybody, SizeIs(2));
  EXPECT_THAT(at_work_.run(at_work_.accounts.search("", everybody[0].id, 10)), SizeIs(1));
}

TEST_P(CredentialsTest, the_sweep_takes_expired_tokens) {
  EXPECT_TRUE(at_work_.forgot("ada@example.com"));
  at_work_.run(at_work_.accounts.sweep());
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM one_time_tokens"), 1);
  at_work_.clock.advance(hours(1));
  at_work_.run(at_work_.accounts.sweep());
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM one_time_tokens"), 0);
}

// While an incident is contained.

TEST_P(CredentialsTest, frozen_credentials_stay_as_they_are_and_everything_else_goes_on) {
  EXPECT_TRUE(at_work_.forgot("ada@example.com"));
  const auto reset = at_work_.mailed_token();
  EXPECT_TRUE(change_email(caller_, kPassword, "countess@example.com"));
  const auto moved = at_work_.mailed_token();
  EXPECT_TRUE(at_work_.register_user("bob@example.com"));
  const auto proof = at_work_.mailed_token();
  ModeState state{.mode = CompromiseMode::contain, .reason = {}, .actor = {}, .since = {}, .expires_at = {}};
  at_work_.mode_in_force.set(state, at_work_.clock.monotonic());

  EXPECT_EQ(refusal_of(at_work_.forgot("ada@example.com")), ErrorCode::frozen);
  EXPECT_EQ(refusal_of(at_work_.forgot("nobody@example.com")), ErrorCode::frozen);
  EXPECT_EQ(refusal_of(at_work_.reset(reset, kOtherPassword)), ErrorCode::frozen);
  EXPECT_EQ(refusal_of(at_work_.verify(moved)), ErrorCode::frozen);
  EXPECT_EQ(refusal_of(change_password(caller_, kPassword, kOtherPassword)), ErrorCode::frozen);
  EXPECT_EQ(refusal_of(change_email(caller_, kPassword, "other@example.com")), ErrorCode::frozen);
  EXPECT_THAT(at_work_.take_mails(), IsEmpty());
  EXPECT_TRUE(at_work_.verify(proof)) << "the address of a new account";
  EXPECT_TRUE(at_work_.log_in("bob@example.com"));
  EXPECT_TRUE(at_work_.log_in("ada@example.com"));

  state.mode = CompromiseMode::recover;
  at_work_.mode_in_force.set(state, at_work_.clock.monotonic());
  EXPECT_TRUE(at_work_.verify(moved)) << "nothing was used up";
  EXPECT_TRUE(change_password(caller_, kPassword, kOtherPassword));
}

TEST_P(CredentialsTest, an_overloaded_pool_refuses_before_anything_happens) {
  at_work_.visitor.has_gone = [] { return true; };
  EXPECT_EQ(refusal_of(at_work_.register_user("bob@example.com")), ErrorCode::overloaded);
  EXPECT_EQ(refusal_of(at_work_.log_in("ada@example.com")), ErrorCode::overloaded);
  EXPECT_EQ(refusal_of(change_password(caller_, kPassword, kOtherPassword)), ErrorCode::overloaded);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM users"), 1);
  EXPECT_THAT(at_work_.take_mails(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Engines, CredentialsTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
