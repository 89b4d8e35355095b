// Signing up, proving an address, logging in, the profile.
#include "accounts/account_service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

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

class AccountServiceTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  testing::AccountsAtWork at_work_{GetParam()};
};

class InvitedAccountServiceTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  std::string invite(std::string_view address) {
    EXPECT_TRUE(at_work_.run(at_work_.accounts.invite(operator_, email(address), at_work_.visitor)));
    return at_work_.mailed_token();
  }

  testing::AccountsAtWork at_work_{GetParam(), RegistrationMode::invite};
  Operator operator_ =
      Operator::person(at_work_.add_user({.email = "operator@example.com", .role = "admin"}), SessionId{}, Role::admin);
};

// Signing up.

TEST_P(AccountServiceTest, a_person_signs_up_proves_the_address_and_logs_in) {
  EXPECT_TRUE(at_work_.register_user("Ada@example.com"));
  const auto mails = at_work_.take_mails();
  ASSERT_THAT(mails, SizeIs(1));
  EXPECT_EQ(mails[0].to, "Ada@example.com");
  const auto token = find_token(mails[0]).value();
  EXPECT_THAT(mails[0].text, HasSubstr("https://id.example.com/verify-email?token=" + token + "\n"));
  EXPECT_TRUE(at_work_.verify(token));
  const auto logged_in = at_work_.log_in("ada@EXAMPLE.com");
  ASSERT_TRUE(logged_in);
  EXPECT_EQ(logged_in->user.email, "Ada@example.com");
  EXPECT_EQ(logged_in->user.name, "Ada");
  EXPECT_EQ(logged_in->user.role, Role::customer);
  EXPECT_EQ(logged_in->user.last_login_at, at_work_.clock.now());
  EXPECT_TRUE(at_work_.is_accepted(logged_in->tokens));
  EXPECT_EQ(at_work_.audited("user.registered"), 1);
  EXPECT_EQ(at_work_.audited("user.email-verified"), 1);
}

TEST_P(AccountServiceTest, a_known_address_answers_as_an_unknown_one_and_only_its_owner_hears) {
  at_work_.sign_up("ada@example.com");
  EXPECT_TRUE(at_work_.register_user("ADA@example.com", kOtherPassword, "Mallory"));
  const auto mails = at_work_.take_mails();
  ASSERT_THAT(mails, SizeIs(1));
  EXPECT_EQ(mails[0].subject, "You already have an account");
  EXPECT_FALSE(find_token(mails[0]));
  EXPECT_TRUE(at_work_.log_in("ada@example.com", kPassword));
  EXPECT_EQ(refusal_of(at_work_.log_in("ada@example.com", kOtherPassword)), ErrorCode::invalid_credentials);
  EXPECT_EQ(at_work_.run(at_work_.accounts.find(email("ada@example.com")))->name, "Ada");
}

TEST_P(AccountServiceTest, a_known_address_hears_of_the_same_faults_of_a_password) {
  at_work_.sign_up("ada@example.com");
  const auto unknown = faults_of(at_work_.register_user("bob@example.com", "short"));
  EXPECT_THAT(unknown, Not(IsEmpty()));
  EXPECT_THAT(unknown.front(), HasSubstr("/password "));
  EXPECT_EQ(faults_of(at_work_.register_user("ada@example.com", "short")), unknown);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM users"), 1);
  EXPECT_THAT(at_work_.take_mails(), IsEmpty());
}

TEST_P(AccountServiceTest, a_password_made_of_the_address_or_the_name_is_refused) {
  EXPECT_THAT(faults_of(at_work_.register_user("lovelace@example.com", "lovelace@example.com")), Not(IsEmpty()));
}

TEST_P(AccountServiceTest, whoever_registered_the_address_before_and_never_proved_it_leaves_nothing) {
  EXPECT_TRUE(at_work_.register_user("victim@example.com", kWrongPassword, "Mallory"));
  const auto of_mallory = at_work_.mailed_token();
  EXPECT_TRUE(at_work_.register_user("victim@example.com", kPassword, "Victim"));
  const auto of_victim = at_work_.mailed_token();
  EXPECT_EQ(refusal_of(at_work_.verify(of_mallory)), ErrorCode::invalid_token);
  EXPECT_TRUE(at_work_.verify(of_victim));
  EXPECT_EQ(refusal_of(at_work_.log_in("victim@example.com", kWrongPassword)), ErrorCode::invalid_credentials);
  const auto logged_in = at_work_.log_in("victim@example.com", kPassword);
  ASSERT_TRUE(logged_in);
  EXPECT_EQ(logged_in->user.name, "Victim");
}

TEST_P(AccountServiceTest, a_reset_of_an_account_that_somebody_else_registered_proves_it_and_clears_what_they_set) {
  EXPECT_TRUE(at_work_.register_user("victim@example.com", kWrongPassword, "Mallory"));
  const auto of_mallory = at_work_.mailed_token();
  EXPECT_TRUE(at_work_.forgot("victim@example.com"));
  EXPECT_TRUE(at_work_.reset(at_work_.mailed_token(), kPassword));
  EXPECT_EQ(refusal_of(at_work_.log_in("victim@example.com", kWrongPassword)), ErrorCode::invalid_credentials);
  EXPECT_EQ(refusal_of(at_work_.verify(of_mallory)), ErrorCode::invalid_token);
  const auto logged_in = at_work_.log_in("victim@example.com", kPassword);
  ASSERT_TRUE(logged_in);
  EXPECT_TRUE(logged_in->user.email_verified_at);
  EXPECT_EQ(logged_in->user.name, "");
}

TEST_P(AccountServiceTest, a_deactivated_account_cannot_be_registered_over) {
  EXPECT_TRUE(at_work_.register_user("ada@example.com"));
  at_work_.take_mails();
  at_work_.by_hand("UPDATE users SET is_active = false");
  EXPECT_TRUE(at_work_.register_user("ada@example.com", kOtherPassword));
  const auto mails = at_work_.take_mails();
  ASSERT_THAT(mails, SizeIs(1));
  EXPECT_FALSE(find_token(mails[0]));
}

TEST_P(AccountServiceTest, many_registrations_at_once_make_one_account) {
  testing::AccountsAtWork at_work(GetParam(), RegistrationMode::open, 4);
  std::vector<Task<Result<void>>> tasks;
  for (int i = 0; i < 32; ++i) {
    Registration registration{.email = email(i % 2 == 0 ? "ada@example.com" : "ADA@example.com"),
                              .password = secret(kPassword),
                              .name = {},
                              .invitation = {}};
    tasks.push_back(at_work.accounts.register_user(std::move(registration), at_work.visitor));
  }
  for (const auto& answer : at_work.run_together(std::move(tasks))) EXPECT_TRUE(answer);
  EXPECT_EQ(at_work.number("SELECT count(*) FROM users"), 1);
  EXPECT_EQ(at_work.number("SELECT count(*) FROM one_time_tokens"), 1);
}

TEST_P(AccountServiceTest, a_registration_that_cannot_be_recorded_did_not_happen) {
  at_work_.by_hand(GetParam().name == "sqlite"
                       ? "CREATE TRIGGER no_room BEFORE INSERT ON audit_log BEGIN SELECT RAISE(ABORT, 'full'); END"
                       : "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE disk_full; END'; "
                         "CREATE TRIGGER no_room BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION fail()");
  EXPECT_ANY_THROW(at_work_.register_user("ada@example.com"));
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM users"), 0);
  EXPECT_THAT(at_work_.take_mails(), IsEmpty());
}

TEST(ClosedAccountService, nobody_signs_up) {
  testing::AccountsAtWork at_work(sql::testing::kEngines.front(), RegistrationMode::closed);
  EXPECT_EQ(refusal_of(at_work.register_user("ada@example.com")), ErrorCode::forbidden);
  EXPECT_THAT(at_work.take_mails(), IsEmpty());
}

// By invitation.

TEST_P(InvitedAccountServiceTest, only_the_invited_address_signs_up_and_once) {
  const auto invitation = invite("ada@example.com");
  EXPECT_EQ(refusal_of(at_work_.register_user("eve@example.com")), ErrorCode::forbidden);
  EXPECT_EQ(refusal_of(at_work_.register_user("eve@example.com", kPassword, "", "nonsense")), ErrorCode::forbidden);
  EXPECT_EQ(refusal_of(at_work_.register_user("eve@example.com", kPassword, "", invitation)), ErrorCode::forbidden);
  EXPECT_THAT(faults_of(at_work_.register_user("ada@example.com", "short", "", invitation)), Not(IsEmpty()));
  EXPECT_TRUE(at_work_.register_user("ADA@example.com", kPassword, "", invitation)) << "not used up by the refusals";
  EXPECT_EQ(refusal_of(at_work_.register_user("ada@example.com", kPassword, "", invitation)), ErrorCode::forbidden);
  EXPECT_EQ(at_work_.audited("user.invited"), 1);
}

TEST_P(InvitedAccountServiceTest, a_newer_invitation_kills_the_older_and_a_week_kills_both) {
  const auto older = invite("ada@example.com");
  const auto newer = invite("ADA@example.com");
  EXPECT_EQ(refusal_of(at_work_.register_user("ada@example.com", kPassword, "", older)), ErrorCode::forbidden);
  at_work_.clock.advance(hours(24 * 7));
  EXPECT_EQ(refusal_of(at_work_.register_user("ada@example.com", kPassword, "", newer)), ErrorCode::forbidden);
}

// Proving the address.

TEST_P(AccountServiceTest, a_verification_token_works_once_for_a_day_and_for_nothing_else) {
  EXPECT_TRUE(at_work_.register_user("ada@example.com"));
  const auto token = at_work_.mailed_token();
  EXPECT_EQ(refusal_of(at_work_.reset(token, kOtherPassword)), ErrorCode::invalid_token);
  for (const auto& text : {std::string(), std::string("sf_ev_"), "sf_ev_" + std::string(43, 'A'), token + "A",
                           token.substr(0, token.size() - 1)}) {
    EXPECT_EQ(refusal_of(at_work_.verify(text)), ErrorCode::invalid_token) << text;
    EXPECT_THAT(faults_of(at_work_.verify(text)), ElementsAre("/token invalid-token"));
  }
  at_work_.clock.advance(hours(24) - seconds(1));
  EXPECT_TRUE(at_work_.verify(token));
  EXPECT_EQ(refusal_of(at_work_.verify(token)), ErrorCode::invalid_token);
}

TEST_P(AccountServiceTest, a_verification_token_is_dead_after_a_day) {
  EXPECT_TRUE(at_work_.register_user("ada@example.com"));
  const auto token = at_work_.mailed_token();
  at_work_.clock.advance(hours(24));
  EXPECT_EQ(refusal_of(at_work_.verify(token)), ErrorCode::invalid_token);
}

TEST_P(AccountServiceTest, a_verification_that_is_sent_again_kills_the_older) {
  EXPECT_TRUE(at_work_.register_user("ada@example.com"));
  const auto older = at_work_.mailed_token();
  EXPECT_TRUE(at_work_.run(at_work_.accounts.resend_verification(email("Ada@example.com"), at_work_.visitor)));
  const auto newer = at_work_.mailed_token();
  EXPECT_EQ(refusal_of(at_work_.verify(older)), ErrorCode::invalid_token);
  EXPECT_TRUE(at_work_.verify(newer));
}

TEST_P(AccountServiceTest,
       nothing_is_sent_again_to_an_unknown_a_verified_or_a_deactivated_address_and_all_answer_alike) {
  at_work_.sign_up("verified@example.com");
  EXPECT_TRUE(at_work_.register_user("inactive@example.com"));
  at_work_.by_hand("UPDATE users SET is_active = false WHERE email = 'inactive@example.com'");
  at_work_.take_mails();
  for (const auto* address : {"unknown@example.com", "verified@example.com", "inactive@example.com"}) {
    EXPECT_TRUE(at_work_.run(at_work_.accounts.resend_verification(email(address), at_work_.visitor)));
  }
  EXPECT_THAT(at_work_.take_mails(), IsEmpty());
}

TEST_P(AccountServiceTest, a_token_shown_by_many_at_once_works_for_one) {
  testing::AccountsAtWork at_work(GetParam(), RegistrationMode::open, 4);
  EXPECT_TRUE(at_work.register_user("ada@example.com"));
  const auto token = at_work.mailed_token();
  std::vector<Task<Result<void>>> tasks;
  for (int i = 0; i < 32; ++i) tasks.push_back(at_work.accounts.verify_email(secret(token), at_work.visitor));
  const auto answers = at_work.run_together(std::move(tasks));
  EXPECT_EQ(std::ranges::count_if(answers, [](const auto& answer) { return answer.has_value(); }), 1);
}

TEST_P(AccountServiceTest, a_registration_beside_a_proof_leaves_the_account_to_one_of_them) {
  testing::AccountsAtWork at_work(GetParam(), RegistrationMode::open, 4);
  for (int round = 0; round < testing::rounds(10); ++round) {
    const auto address = "ada" + std::to_string(round) + "@example.com";
    EXPECT_TRUE(at_work.register_user(address, kPassword, "First"));
    const auto token = at_work.mailed_token();
    std::vector<Task<Result<void>>> tasks;
    tasks.push_back(at_work.accounts.verify_email(secret(token), at_work.visitor));
    Registration again{.email = email(address), .password = secret(kOtherPassword), .name = "Second", .invitation = {}};
    tasks.push_back(at_work.accounts.register_user(std::move(again), at_work.visitor));
    tasks.push_back(at_work.accounts.resend_verification(email(address), at_work.visitor));
    const auto answers = at_work.run_together(std::move(tasks));
    EXPECT_TRUE(answers[1]);
    EXPECT_TRUE(answers[2]);
    const bool is_first = answers[0].has_value();
    EXPECT_EQ(at_work.run(at_work.accounts.find(email(address)))->name, is_first ? "First" : "Second");
    EXPECT_EQ(at_work.log_in(address, kPassword).has_value(), is_first);
    EXPECT_EQ(refusal_of(at_work.log_in(address, kOtherPassword)),
              is_first ? ErrorCode::invalid_credentials : ErrorCode::email_not_verified);
    EXPECT_EQ(at_work.number("SELECT count(*) FROM one_time_tokens"), is_first ? 0 : 1);
    at_work.by_hand("DELETE FROM users");
    at_work.take_mails();
  }
}

// Logging in.

TEST_P(AccountServiceTest, an_unknown_address_answers_as_a_wrong_password_does_and_costs_as_much) {
  at_work_.sign_up("ada@example.com");
  EXPECT_EQ(refusal_of(at_work_.log_in("ada@example.com", kWrongPassword)), ErrorCode::invalid_credentials);
  EXPECT_EQ(refusal_of(at_work_.log_in("nobody@example.com", kWrongPassword)), ErrorCode::invalid_credentials);
  EXPECT_EQ(refusal_of(at_work_.log_in("ada@example.com", "")), ErrorCode::invalid_credentials);
  EXPECT_EQ(refusal_of(at_work_.log_in("ada@example.com", "\xFF")), ErrorCode::invalid_credentials);
  EXPECT_EQ(refusal_of(at_work_.log_in("ada@example.com", std::string(100'000, 'x'))), ErrorCode::invalid_credentials);
  EXPECT_EQ(at_work_.passwords.verifications().mismatched, 5U);
}

TEST_P(AccountServiceTest, only_the_right_password_hears_that_the_address_is_not_proved) {
  EXPECT_TRUE(at_work_.register_user("ada@example.com"));
  EXPECT_EQ(refusal_of(at_work_.log_in("ada@example.com", kPassword)), ErrorCode::email_not_verified);
  EXPECT_EQ(refusal_of(at_work_.log_in("ada@example.com", kWrongPassword)), ErrorCode::invalid_credentials);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM refresh_sessions"), 0);
}

TEST_P(AccountServiceTest, a_deactivated_account_answers_and_counts_as_a_wrong_password_does) {
  at_work_.sign_up("ada@example.com");
  at_work_.by_hand("UPDATE users SET is_active = false");
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(refusal_of(at_work_.log_in("ada@example.com", kPassword)), ErrorCode::invalid_credentials);
  }
  EXPECT_EQ(refusal_of(at_work_.log_in("ada@example.com", kPassword)), ErrorCode::too_many_requests);
}

TEST_P(AccountServiceTest, a_password_matches_in_every_normal_form) {
  at_work_.sign_up("ada@example.com", "caf\xC3\xA9 tugboat ponders lagoons");
  EXPECT_TRUE(at_work_.log_in("ada@example.com", "cafe\xCC\x81 tugboat ponders lagoons"));
}

TEST_P(AccountServiceTest, a_device_is_named_by_its_client_or_by_its_user_agent) {
  const auto user = at_work_.sign_up("ada@example.com");
  EXPECT_TRUE(at_work_.log_in("ada@example.com"));
  Login login{.email = email("ada@example.com"), .password = secret(kPassword), .device_name = ""};
  EXPECT_TRUE(at_work_.run(at_work_.accounts.log_in(std::move(login), at_work_.visitor)));
  std::vector<std::string> names;
  for (const auto& session : at_work_.run(at_work_.sessions.list(user, std::nullopt, 10))) {
    names.push_back(session.device.name);
    EXPECT_EQ(session.device.ip_address, "192.0.2.8");
  }
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("laptop", "curl"));
}

TEST_P(AccountServiceTest, a_login_hashes_anew_what_was_hashed_at_another_cost) {
  at_work_.sign_up("ada@example.com");
  const PasswordHasher cheaper({.memory_kib = 32, .passes = 1});
  at_work_.by_hand("UPDATE users SET password_hash = '" + cheaper.hash(*PasswordText::from(kPassword)) + "'");
  EXPECT_TRUE(at_work_.log_in("ada@example.com"));
  EXPECT_THAT(at_work_.text("SELECT password_hash FROM users"), HasSubstr("m=64,"));
  EXPECT_EQ(at_work_.number("SELECT credential_version FROM users"), 1);
  EXPECT_TRUE(at_work_.log_in("ada@example.com"));
}

TEST_P(AccountServiceTest, a_stored_hash_that_somebody_damaged_lets_nobody_in) {
  at_work_.sign_up("ada@example.com");
  for (const std::string hash : {"", "garbage", "$argon2id$v=19$m=99999999,t=99,p=9$c2FsdHNhbHRzYWx0c2FsdA$aGFzaA"}) {
    at_work_.by_hand("UPDATE users SET password_hash = '" + hash + "'");
    EXPECT_EQ(refusal_of(at_work_.log_in("ada@example.com")), ErrorCode::invalid_credentials) << hash;
  }
}

// Wrong passwords.

TEST_P(AccountServiceTest, of_sixty_four_wrong_passwords_at_once_in_any_spelling_exactly_ten_get_a_verdict) {
  testing::AccountsAtWork at_work(GetParam(), RegistrationMode::open, 4);
  at_work.sign_up("ada@example.com");
  for (const std::string address : {"ada@example.com", "nobody@example.com"}) {
    std::vector<Task<Result<LoggedIn>>> tasks;
    for (int i = 0; i < 64; ++i) {
      auto spelt = address;
      if (i % 2 == 1) std::ranges::transform(spelt, spelt.begin(), [](char c) { return c == 'a' ? 'A' : c; });
      tasks.push_back(at_work.log_in_task(spelt, kWrongPassword));
    }
    int verdicts = 0;
    int refused = 0;
    for (const auto& answer : at_work.run_together(std::move(tasks))) {
      verdicts += refusal_of(answer) == ErrorCode::invalid_credentials ? 1 : 0;
      refused += refusal_of(answer) == ErrorCode::too_many_requests ? 1 : 0;
    }
    EXPECT_EQ(verdicts, 10) << address;
    EXPECT_EQ(refused, 54) << address;
    EXPECT_EQ(refusal_of(at_work.log_in(address, kPassword)), ErrorCode::too_many_requests) << "also the right one";
  }
  at_work.clock.advance(minutes(15));
  EXPECT_TRUE(at_work.log_in("ada@example.com"));
}

TEST_P(AccountServiceTest, sixty_four_right_passwords_at_once_all_log_in) {
  testing::AccountsAtWork at_work(GetParam(), RegistrationMode::open, 4);
  at_work.sign_up("ada@example.com");
  std::vector<Task<Result<LoggedIn>>> tasks;
  for (int i = 0; i < 64; ++i) tasks.push_back(at_work.log_in_task("ada@example.com", kPassword));
  for (const auto& answer : at_work.run_together(std::move(tasks))) EXPECT_TRUE(answer);
  EXPECT_EQ(at_work.number("SELECT count(*) FROM refresh_sessions"), 64);
}

// The profile.

TEST_P(AccountServiceTest, a_profile_changes_in_what_is_given) {
  const auto user = at_work_.sign_up("ada@example.com");
  const auto renamed = at_work_.run(at_work_.accounts.set_profile(user, "Countess", std::nullopt));
  ASSERT_TRUE(renamed);
  EXPECT_EQ(renamed->name, "Countess");
  EXPECT_EQ(renamed->locale, "en");
  EXPECT_EQ(at_work_.run(at_work_.accounts.set_profile(user, std::nullopt, "fr"))->locale, "fr");
  EXPECT_EQ(at_work_.run(at_work_.accounts.get(user))->name, "Countess");
}

TEST_P(AccountServiceTest, the_profile_of_nobody_is_not_found) {
  const auto nobody = UserId::make(at_work_.clock, at_work_.random);
  EXPECT_EQ(refusal_of(at_work_.run(at_work_.accounts.get(nobody))), ErrorCode::not_found);
  EXPECT_EQ(refusal_of(at_work_.run(at_work_.accounts.set_profile(nobody, "x", std::nullopt))), ErrorCode::not_found);
  EXPECT_FALSE(at_work_.run(at_work_.accounts.find(email("nobody@example.com"))));
}

INSTANTIATE_TEST_SUITE_P(Engines, AccountServiceTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());
INSTANTIATE_TEST_SUITE_P(Engines, InvitedAccountServiceTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
