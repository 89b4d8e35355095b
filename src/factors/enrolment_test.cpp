#include "factors/enrolment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "factors/testing.hpp"

namespace safawinet {
namespace {

using ::testing::ElementsAre;
using testing::faults_of;
using ::testing::HasSubstr;
using testing::kOtherPassword;
using testing::kPassword;
using testing::kWrongPassword;
using testing::refusal_of;
using testing::secret;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr std::string_view kAda = "ada@example.com";

class EnrolmentTest : public ::testing::Test {
 protected:
  LoggedIn ada() {
    at_work_.sign_up(kAda);
    return at_work_.log_in(kAda).value();
  }
  Result<TotpOffer> offer(const LoggedIn& person, std::string_view password = kPassword) {
    return at_work_.run(at_work_.enrolment.offer_totp(at_work_.caller_of(person), secret(password), at_work_.visitor));
  }
  Result<std::vector<SecretText>> confirm(const LoggedIn& person, const SecretText& code) {
    return at_work_.run(at_work_.enrolment.confirm_totp(at_work_.caller_of(person), code, at_work_.visitor));
  }
  Status remove(const LoggedIn& person, std::string_view password, const SecretText& code) {
    return at_work_.run(
        at_work_.enrolment.remove_totp(at_work_.caller_of(person), secret(password), code, at_work_.visitor));
  }
  Status reset(UserId target, Operator acting) {
    AdministrativeAct act{
        .acting = std::move(acting), .target = target, .reason = "lost phone", .origin = at_work_.origin};
    return at_work_.run(at_work_.enrolment.reset(std::move(act)));
  }
  FactorState state(const LoggedIn& person) { return at_work_.run(at_work_.enrolment.get(person.user.id)); }

  testing::FactorsAtWork at_work_{sql::testing::kEngines.front()};
};

TEST_F(EnrolmentTest, an_offer_needs_the_password_and_asks_for_nothing_yet) {
  const auto person = ada();
  EXPECT_THAT(faults_of(offer(person, kWrongPassword)), ElementsAre("/password wrong-password"));
  const auto offered = offer(person).value();
  EXPECT_THAT(std::string(offered.uri.reveal()), StartsWith("otpauth://totp/id.example.com:ada%40example.com?secret=" +
                                                            std::string(offered.secret.reveal())));
  EXPECT_EQ(offered.secret.reveal().size(), 32U);
  EXPECT_THAT(std::string(offered.svg.reveal()), StartsWith("<svg"));
  EXPECT_EQ(offered.png[1], 'P');
  EXPECT_FALSE(state(person).totp);
  EXPECT_TRUE(at_work_.log_in(kAda));
}

TEST_F(EnrolmentTest, a_code_of_the_app_confirms_it_ends_the_other_sessions_and_gives_ten_codes) {
  const auto person = ada();
  const auto phone = at_work_.log_in(kAda).value();
  at_work_.forgot(kAda).value();
  const auto reset_token = at_work_.mailed_token();
  offer(person).value();
  EXPECT_THAT(faults_of(confirm(person, secret("000000"))), ElementsAre("/code wrong-code"));
  const auto codes = confirm(person, at_work_.code_of(person.user.id)).value();
  EXPECT_THAT(codes, SizeIs(10));
  EXPECT_TRUE(state(person).totp);
  EXPECT_EQ(state(person).backup_codes_left, 10);
  EXPECT_TRUE(at_work_.is_accepted(person.tokens));
  EXPECT_TRUE(at_work_.is_dead(phone.tokens));
  EXPECT_EQ(refusal_of(at_work_.reset(reset_token, kOtherPassword)), ErrorCode::invalid_token);
  EXPECT_EQ(at_work_.audited("user.second-factor-added"), 1);
  const auto mails = at_work_.take_mails();
  ASSERT_THAT(mails, SizeIs(1));
  EXPECT_THAT(mails.front().text, HasSubstr("A second factor was added to your account"));
  EXPECT_EQ(refusal_of(at_work_.log_in(kAda)), ErrorCode::second_factor_required);
  EXPECT_EQ(refusal_of(offer(person)), ErrorCode::conflict);
}

TEST_F(EnrolmentTest, the_session_that_enrolled_says_so_from_its_next_tokens_on) {
  const auto person = ada();
  EXPECT_FALSE(at_work_.caller_of(person).has_second_factor);
  at_work_.enrol(person);
  const auto tokens = at_work_.refresh(person.tokens.refresh_token).value();
  EXPECT_TRUE(at_work_.guard.authenticate(tokens.access_token.reveal()).value().has_second_factor);
  const auto claims = at_work_.guard.inspect(tokens.access_token.reveal()).value();
  EXPECT_THAT(claims.methods, ElementsAre("pwd", "otp", "mfa"));
  EXPECT_EQ(authentication_class(claims.methods), "urn:safawinet:acr:multi-factor");
}

TEST_F(EnrolmentTest, an_offer_ends_after_half_an_hour_and_with_a_change_of_the_password) {
  const auto person = ada();
  EXPECT_EQ(refusal_of(confirm(person, secret("123456"))), ErrorCode::conflict) << "nothing was offered";
  offer(person).value();
  at_work_.clock.advance(std::chrono::minutes(31));
  at_work_.run(at_work_.feed.catch_up());
  const auto later = at_work_.log_in(kAda).value();
  EXPECT_EQ(refusal_of(confirm(later, at_work_.code_of(person.user.id))), ErrorCode::conflict);
  offer(later).value();
  at_work_
      .run(at_work_.accounts.change_password(at_work_.caller_of(later), secret(kPassword), secret(kOtherPassword),
                                             at_work_.visitor))
      .value();
  EXPECT_EQ(refusal_of(confirm(later, at_work_.code_of(person.user.id))), ErrorCode::conflict);
  EXPECT_FALSE(state(later).totp);
}

TEST_F(EnrolmentTest, of_many_confirmations_at_once_one_gets_the_codes) {
  const auto person = ada();
  offer(person).value();
  const auto code = at_work_.code_of(person.user.id);
  std::vector<Task<Result<std::vector<SecretText>>>> tasks;
  for (int i = 0; i < 20; ++i) {
    tasks.push_back(at_work_.enrolment.confirm_totp(at_work_.caller_of(person), code, at_work_.visitor));
  }
  const auto answers = at_work_.run_together(std::move(tasks));
  EXPECT_EQ(std::ranges::count_if(answers, [](const auto& answer) { return answer.has_value(); }), 1);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM backup_codes"), 10);
}

TEST_F(EnrolmentTest, removing_it_needs_password_and_code_and_one_is_enough_again_after_it) {
  const auto person = ada();
  at_work_.enrol(person);
  const auto current = LoggedIn{person.user, at_work_.refresh(person.tokens.refresh_token).value()};
  at_work_.take_mails();
  EXPECT_THAT(faults_of(remove(current, kWrongPassword, at_work_.code_of(person.user.id))),
              ElementsAre("/password wrong-password"));
  EXPECT_THAT(faults_of(remove(current, kPassword, secret("000000"))), ElementsAre("/code wrong-code"));
  EXPECT_TRUE(state(person).totp);
  remove(current, kPassword, at_work_.code_of(person.user.id)).value();
  EXPECT_FALSE(state(person).totp);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM backup_codes"), 0);
  EXPECT_TRUE(at_work_.log_in(kAda));
  const auto tokens = at_work_.refresh(current.tokens.refresh_token).value();
  EXPECT_FALSE(at_work_.guard.authenticate(tokens.access_token.reveal()).value().has_second_factor);
  EXPECT_EQ(at_work_.audited("user.second-factor-removed"), 1);
  EXPECT_THAT(at_work_.take_mails(), SizeIs(1));
  EXPECT_EQ(refusal_of(remove(current, kPassword, secret("123456"))), ErrorCode::conflict);
}

TEST_F(EnrolmentTest, new_backup_codes_replace_the_old_ones) {
  const auto person = ada();
  const auto old = at_work_.enrol(person);
  const auto renewed = at_work_.run(at_work_.enrolment.renew_backup_codes(
      at_work_.caller_of(person), secret(kPassword), at_work_.code_of(person.user.id), at_work_.visitor));
  ASSERT_TRUE(renewed);
  EXPECT_EQ(refusal_of(at_work_.log_in_with(at_work_.ticket_of(kAda), old.front())), ErrorCode::invalid_code);
  EXPECT_TRUE(at_work_.log_in_with(at_work_.ticket_of(kAda), renewed->front()));
  EXPECT_EQ(at_work_.audited("user.backup-codes-renewed"), 1);
}

TEST_F(EnrolmentTest, an_operator_takes_it_away_from_those_below_and_nobody_their_own) {
  const auto person = ada();
  at_work_.enrol(person);
  const auto admin = at_work_.add_user({.email = "admin@example.com", .role = "admin"});
  const auto other = at_work_.add_user({.email = "other@example.com", .role = "admin"});
  const auto support = at_work_.add_user({.email = "support@example.com", .role = "support"});
  const auto acting = [&](UserId id, Role role) { return Operator::person(id, SessionId{}, role); };
  EXPECT_EQ(refusal_of(reset(person.user.id, acting(support, Role::support))), ErrorCode::forbidden);
  EXPECT_EQ(refusal_of(reset(other, acting(admin, Role::admin))), ErrorCode::forbidden);
  EXPECT_EQ(refusal_of(reset(admin, acting(admin, Role::admin))), ErrorCode::forbidden);
  EXPECT_EQ(refusal_of(reset(UserId::make(at_work_.clock, at_work_.random), acting(admin, Role::admin))),
            ErrorCode::not_found);
  at_work_.take_mails();
  reset(person.user.id, acting(admin, Role::admin)).value();
  EXPECT_FALSE(state(person).totp);
  EXPECT_TRUE(at_work_.is_dead(person.tokens));
  EXPECT_THAT(at_work_.take_mails(), SizeIs(1));
  EXPECT_EQ(at_work_.text("SELECT reason FROM audit_log WHERE action = 'user.second-factor-reset'"), "lost phone");
  reset(person.user.id, acting(admin, Role::admin)).value();
  EXPECT_EQ(at_work_.audited("user.second-factor-reset"), 1) << "there was none any more";
}

TEST_F(EnrolmentTest, a_superadmin_does_not_take_away_their_own) {
  const auto person = ada();
  at_work_.by_hand("UPDATE users SET role = 'superadmin'");
  EXPECT_EQ(refusal_of(reset(person.user.id, Operator::person(person.user.id, SessionId{}, Role::superadmin))),
            ErrorCode::conflict);
}

TEST_F(EnrolmentTest, what_is_stored_opens_for_nobody_else_and_holds_no_code) {
  const auto person = ada();
  const auto codes = at_work_.enrol(person);
  const auto sealed = at_work_.text("SELECT sealed FROM totp_factors");
  EXPECT_THROW(FactorSecrets::open(at_work_.master_key, UserId::make(at_work_.clock, at_work_.random), sealed),
               std::runtime_error);
  for (const auto& code : codes) {
    EXPECT_EQ(at_work_.number("SELECT count(*) FROM backup_codes WHERE code_mac LIKE '%' || $1 || '%'",
                              std::string(code.reveal())),
              0);
  }
}

}  // namespace
}  // namespace safawinet
