#include "factors/second_step.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "accounts/assistance.hpp"
#include "base/encoding.hpp"
#include "factors/testing.hpp"

namespace safawinet {
namespace {

using ::testing::ElementsAre;
using testing::faults_of;
using testing::kOtherPassword;
using testing::kPassword;
using testing::kWrongPassword;
using testing::refusal_of;
using testing::secret;
using ::testing::SizeIs;

constexpr std::string_view kAda = "ada@example.com";

// On both engines: what decides is in the database.
class SecondStepTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  void SetUp() override {
    at_work_.sign_up(kAda);
    person_.emplace(at_work_.log_in(kAda).value());
    codes_ = at_work_.enrol(*person_);
    at_work_.take_mails();
  }
  SecretText code(std::int64_t steps = 0) { return at_work_.code_of(person_->user.id, steps); }
  SecretText ticket() { return at_work_.ticket_of(kAda); }
  Result<LoggedIn> log_in(const SecretText& ticket, const SecretText& code) {
    return at_work_.log_in_with(ticket, code);
  }
  std::vector<std::string> methods_of(const SecretText& access_token) {
    return at_work_.guard.inspect(access_token.reveal()).value().methods;
  }
  static std::int64_t successes(const std::vector<Result<LoggedIn>>& answers) {
    return std::ranges::count_if(answers, [](const auto& answer) { return answer.has_value(); });
  }
  static std::int64_t refusals(const std::vector<Result<LoggedIn>>& answers, ErrorCode code) {
    return std::ranges::count_if(answers, [code](const auto& answer) { return refusal_of(answer) == code; });
  }

  testing::FactorsAtWork at_work_{GetParam(), RegistrationMode::open, 4};
  std::optional<LoggedIn> person_;
  std::vector<SecretText> codes_;
};

INSTANTIATE_TEST_SUITE_P(Engines, SecondStepTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

TEST_P(SecondStepTest, the_right_password_gets_a_ticket_and_no_tokens) {
  const auto asked = at_work_.log_in(kAda);
  ASSERT_EQ(refusal_of(asked), ErrorCode::second_factor_required);
  EXPECT_EQ(asked.error().texts.front().first, "ticket");
  EXPECT_THAT(asked.error().lists.front().second, ElementsAre("totp", "backup-code"));
  EXPECT_EQ(asked.error().figures.front().second, 300);
  EXPECT_EQ(refusal_of(at_work_.log_in(kAda, kWrongPassword)), ErrorCode::invalid_credentials);
  EXPECT_EQ(refusal_of(at_work_.try_sign_in(person_->user.id, 2)), ErrorCode::invalid_credentials)
      << "also the statement that begins a session asks for it";
}

TEST_P(SecondStepTest, ticket_and_code_log_in_and_the_tokens_say_how_through_every_refresh) {
  const auto logged_in = log_in(ticket(), code()).value();
  EXPECT_THAT(methods_of(logged_in.tokens.access_token), ElementsAre("pwd", "otp", "mfa"));
  EXPECT_EQ(logged_in.user.email, kAda);
  const auto refreshed = at_work_.refresh(logged_in.tokens.refresh_token).value();
  EXPECT_THAT(methods_of(refreshed.access_token), ElementsAre("pwd", "otp", "mfa"));
  const auto again = at_work_.refresh(logged_in.tokens.refresh_token).value();  // within the grace
  EXPECT_THAT(methods_of(again.access_token), ElementsAre("pwd", "otp", "mfa"));
}

TEST_P(SecondStepTest, a_backup_code_logs_in_once_and_the_tokens_say_so) {
  const auto logged_in = log_in(ticket(), codes_[3]).value();
  EXPECT_THAT(methods_of(logged_in.tokens.access_token), ElementsAre("pwd", "backup-code", "mfa"));
  EXPECT_EQ(refusal_of(log_in(ticket(), codes_[3])), ErrorCode::invalid_code);
  EXPECT_EQ(at_work_.run(at_work_.enrolment.get(person_->user.id)).backup_codes_left, 9);
}

TEST_P(SecondStepTest, a_code_is_taken_once_and_an_earlier_one_not_after_a_later) {
  const auto now = code();
  const auto before = code(-1);
  EXPECT_TRUE(log_in(ticket(), now));
  EXPECT_EQ(refusal_of(log_in(ticket(), now)), ErrorCode::invalid_code);
  EXPECT_EQ(refusal_of(log_in(ticket(), before)), ErrorCode::invalid_code);
  EXPECT_TRUE(log_in(ticket(), code(1)));
}

TEST_P(SecondStepTest, the_code_that_confirmed_the_factor_is_used) {
  EXPECT_EQ(refusal_of(log_in(ticket(), code(-1))), ErrorCode::invalid_code);
}

TEST_P(SecondStepTest, a_ticket_is_used_once_and_ends_after_five_minutes) {
  const auto used = ticket();
  EXPECT_TRUE(log_in(used, code()));
  EXPECT_THAT(faults_of(log_in(used, codes_[0])), ElementsAre("/ticket invalid-token"));
  const auto old = ticket();
  at_work_.clock.advance(std::chrono::minutes(5));
  EXPECT_EQ(refusal_of(log_in(old, code())), ErrorCode::invalid_token);
  EXPECT_EQ(refusal_of(log_in(secret("sf_lt_x"), code())), ErrorCode::invalid_token);
  at_work_.run(at_work_.accounts.sweep());
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM login_tickets"), 0);
}

TEST_P(SecondStepTest, a_network_that_makes_tickets_up_is_told_nothing_more) {
  const auto made_up = [](std::size_t number) {
    std::string bytes = std::to_string(number);
    bytes.resize(32, 'x');
    return SecretText("sf_lt_" + to_base64url(as_bytes(bytes)));
  };
  at_work_.visitor.is_exempt_from_limits = false;
  const auto limit = limit_of(Guessable::login_ticket).per_network.count;
  for (std::size_t i = 0; i < limit; ++i) {
    ASSERT_EQ(refusal_of(log_in(made_up(i), secret("000000"))), ErrorCode::invalid_token) << i;
  }
  EXPECT_EQ(refusal_of(log_in(made_up(limit), secret("000000"))), ErrorCode::too_many_requests);
  EXPECT_TRUE(log_in(ticket(), code())) << "neighbours go on";
}

TEST_P(SecondStepTest, wrong_codes_count_for_the_mode_under_attack) {
  at_work_.visitor.is_exempt_from_limits = false;
  const auto before = at_work_.under_attack.gauge().last_minute().refused;
  EXPECT_EQ(refusal_of(log_in(ticket(), secret("000000"))), ErrorCode::invalid_code);
  EXPECT_EQ(at_work_.under_attack.gauge().last_minute().refused, before + 1);
}

TEST_P(SecondStepTest, a_ticket_survives_a_wrong_code) {
  const auto one = ticket();
  EXPECT_EQ(refusal_of(log_in(one, secret("000000"))), ErrorCode::invalid_code);
  EXPECT_TRUE(log_in(one, code()));
}

TEST_P(SecondStepTest, a_ticket_ends_with_whatever_ends_the_sessions) {
  const auto user = person_->user.id;
  const auto dies = [&](const char* why, const std::function<void()>& act) {
    const auto one = ticket();
    act();
    EXPECT_EQ(refusal_of(log_in(one, codes_.back())), ErrorCode::invalid_token) << why;
  };
  dies("forced logout of the user", [&] { at_work_.force_logout(user, std::nullopt, user); });
  dies("the same of everybody", [&] { at_work_.force_logout(std::nullopt, std::nullopt, user); });
  dies("disabled and enabled again",
       [&] { at_work_.by_hand("UPDATE users SET is_active = false; UPDATE users SET is_active = true"); });
  const auto session = log_in(ticket(), code()).value();
  dies("sessions deleted by hand", [&] { at_work_.by_hand("DELETE FROM refresh_sessions"); });
  at_work_.clock.advance(kTotpStep);
  at_work_.run(at_work_.feed.catch_up());
  const auto another = log_in(ticket(), code()).value();
  dies("the password is changed", [&] {
    at_work_
        .run(at_work_.accounts.change_password(at_work_.caller_of(another), secret(kPassword), secret(kOtherPassword),
                                               at_work_.visitor))
        .value();
  });
}

TEST_P(SecondStepTest, a_new_password_by_mail_leaves_the_factor_where_it_is) {
  at_work_.forgot(kAda).value();
  at_work_.reset(at_work_.mailed_token(), kOtherPassword).value();
  EXPECT_EQ(refusal_of(at_work_.log_in(kAda, kOtherPassword)), ErrorCode::second_factor_required);
}

TEST_P(SecondStepTest, of_many_at_once_with_one_code_one_gets_in) {
  std::vector<Task<Result<LoggedIn>>> tasks;
  const auto right = code();
  for (int i = 0; i < 12; ++i) tasks.push_back(at_work_.second_step_task(ticket(), right));
  const auto answers = at_work_.run_together(std::move(tasks));
  EXPECT_EQ(successes(answers), 1);
  // Who was so late that the code was known to be used counts as a wrong one.
  EXPECT_EQ(refusals(answers, ErrorCode::invalid_code) + refusals(answers, ErrorCode::too_many_requests), 11);
}

TEST_P(SecondStepTest, of_many_at_once_with_one_ticket_one_gets_in) {
  std::vector<Task<Result<LoggedIn>>> tasks;
  const auto one = ticket();
  for (const auto& backup : codes_) tasks.push_back(at_work_.second_step_task(one, backup));
  const auto answers = at_work_.run_together(std::move(tasks));
  EXPECT_EQ(successes(answers), 1);
  EXPECT_EQ(at_work_.run(at_work_.enrolment.get(person_->user.id)).backup_codes_left, 9) << "the others used none up";
}

TEST_P(SecondStepTest, of_many_at_once_with_one_backup_code_one_gets_in) {
  std::vector<Task<Result<LoggedIn>>> tasks;
  for (int i = 0; i < 12; ++i) tasks.push_back(at_work_.second_step_task(ticket(), codes_[0]));
  EXPECT_EQ(successes(at_work_.run_together(std::move(tasks))), 1);
}

TEST_P(SecondStepTest, of_many_wrong_codes_at_once_five_get_a_verdict_and_then_the_right_one_none) {
  const auto one = ticket();
  std::vector<Task<Result<LoggedIn>>> tasks;
  for (int i = 0; i < 200; ++i) {
    auto guess = std::to_string(1'000'000 + i * 997).substr(1);
    if (guess == code(-1).reveal() || guess == code().reveal() || guess == code(1).reveal()) continue;
    tasks.push_back(at_work_.second_step_task(one, secret(guess)));
  }
  const auto answers = at_work_.run_together(std::move(tasks));
  EXPECT_EQ(refusals(answers, ErrorCode::invalid_code), 5);
  EXPECT_EQ(refusals(answers, ErrorCode::too_many_requests), static_cast<std::int64_t>(answers.size()) - 5);
  EXPECT_EQ(refusal_of(log_in(one, code())), ErrorCode::too_many_requests);
  EXPECT_THAT(at_work_.take_mails(), SizeIs(1)) << "the owner hears that somebody knows the password";
  EXPECT_TRUE(log_in(one, codes_[0])) << "backup codes are counted apart";
}

TEST_P(SecondStepTest, an_unlocked_user_may_try_again) {
  const auto one = ticket();
  for (int i = 0; i < 5; ++i) log_in(one, secret("000000"));
  ASSERT_EQ(refusal_of(log_in(one, code())), ErrorCode::too_many_requests);
  Assistance assistance{{.database = at_work_.database,
                         .accounts = at_work_.accounts,
                         .sessions = at_work_.sessions,
                         .attempts = at_work_.attempts,
                         .limits = at_work_.limits,
                         .audit = at_work_.audit,
                         .clock = at_work_.clock}};
  AdministrativeAct act{
      .acting = Operator::local("root"), .target = person_->user.id, .reason = {}, .origin = at_work_.origin};
  at_work_.run(assistance.unlock(std::move(act))).value();
  EXPECT_TRUE(log_in(one, code()));
}

TEST_P(SecondStepTest, an_attempt_is_on_record_whoever_made_it) {
  log_in(ticket(), secret("000000"));
  log_in(ticket(), code()).value();
  EXPECT_EQ(at_work_.audited("user.second-factor-asked"), 2);
  EXPECT_EQ(at_work_.audited("user.code-refused"), 1);
  EXPECT_EQ(
      at_work_.number("SELECT count(*) FROM audit_log WHERE action = 'user.logged-in' AND reason = 'pwd otp mfa'"), 1);
}

TEST_P(SecondStepTest, tickets_of_one_user_do_not_pile_up) {
  for (int i = 0; i < 25; ++i) ticket();
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM login_tickets"), 20);
}

TEST_P(SecondStepTest, stepping_up_asks_for_the_factor_and_the_tokens_say_when) {
  const auto caller = at_work_.caller_of(*person_);
  const auto step_up = [&](std::optional<SecretText> password, std::optional<SecretText> code) {
    return at_work_.run(at_work_.second_step.step_up(caller, std::move(password), std::move(code), at_work_.visitor));
  };
  EXPECT_THAT(faults_of(step_up(secret(kPassword), std::nullopt)), ElementsAre("/code required"));
  EXPECT_THAT(faults_of(step_up(secret(kPassword), code())), ElementsAre("/password unknown-field"));
  EXPECT_THAT(faults_of(step_up(std::nullopt, secret("000000"))), ElementsAre("/code wrong-code"));
  at_work_.clock.advance(std::chrono::minutes(9));
  at_work_.run(at_work_.feed.catch_up());
  const auto later = step_up(std::nullopt, code()).value();
  const auto proved = at_work_.guard.authenticate(later.access_token.reveal()).value();
  EXPECT_EQ(proved.session, caller.session);
  EXPECT_TRUE(proved.has_authenticated_lately(at_work_.clock.now()));
  EXPECT_EQ(proved.authenticated_at, std::chrono::floor<std::chrono::seconds>(at_work_.clock.now()));
  EXPECT_EQ(at_work_.audited("session.stepped-up"), 1);
  const auto refreshed = at_work_.refresh(person_->tokens.refresh_token).value();
  EXPECT_EQ(at_work_.guard.authenticate(refreshed.access_token.reveal()).value().authenticated_at,
            proved.authenticated_at);
}

TEST_P(SecondStepTest, without_a_factor_the_password_steps_up) {
  at_work_.sign_up("grace@example.com");
  const auto grace = at_work_.log_in("grace@example.com").value();
  const auto caller = at_work_.caller_of(grace);
  const auto step_up = [&](std::optional<SecretText> password, std::optional<SecretText> code) {
    return at_work_.run(at_work_.second_step.step_up(caller, std::move(password), std::move(code), at_work_.visitor));
  };
  EXPECT_THAT(faults_of(step_up(std::nullopt, std::nullopt)), ElementsAre("/password required"));
  EXPECT_THAT(faults_of(step_up(secret(kWrongPassword), std::nullopt)), ElementsAre("/password wrong-password"));
  EXPECT_TRUE(step_up(secret(kPassword), std::nullopt));
  at_work_.force_logout(caller.user, std::nullopt, caller.user);
  EXPECT_EQ(refusal_of(step_up(secret(kPassword), std::nullopt)), ErrorCode::unauthenticated);
}

TEST_P(SecondStepTest, a_login_by_a_clock_that_was_years_ahead_is_no_recent_one_for_years) {
  const Caller caller{.user = person_->user.id,
                      .session = {},
                      .role = Role::admin,
                      .authenticated_at = at_work_.clock.now() + std::chrono::days(1'000)};
  EXPECT_FALSE(caller.has_authenticated_lately(at_work_.clock.now()));
}

}  // namespace
}  // namespace safawinet
