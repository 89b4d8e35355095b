// What of an account's life is on record.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "accounts/testing.hpp"

namespace safawinet {
namespace {

using ::testing::ElementsAre;
using testing::email;
using testing::kPassword;
using testing::secret;

constexpr std::string_view kNewPassword = "another staple horse battery";

class SecurityEventsTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  std::vector<std::string> recorded() {
    std::vector<std::string> lines;
    for (const auto& row : at_work_.rows("SELECT action, outcome, actor, target FROM audit_log ORDER BY seq")) {
      lines.push_back(row.get<std::string>(0) + " " + row.get<std::string>(1));
      const auto named = row.get<std::string>(2) + " " + row.get<std::string>(3);
      if (named.find(named_) == std::string::npos) lines.back() += " of somebody else: " + named;
    }
    return lines;
  }
  void make_deaf() {
    at_work_.by_hand(
        GetParam().name == "sqlite"
            ? "CREATE TRIGGER deaf BEFORE INSERT ON audit_log BEGIN SELECT RAISE(ABORT, 'no'); END"
            : "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$; "
              "CREATE TRIGGER deaf BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION no()");
  }
  void make_hear() {
    at_work_.by_hand(GetParam().name == "sqlite" ? "DROP TRIGGER deaf" : "DROP TRIGGER deaf ON audit_log");
  }

  testing::AccountsAtWork at_work_{GetParam()};
  std::string named_;  // whom every line must name, as actor or as target
};

TEST_P(SecurityEventsTest, the_life_of_an_account_is_on_record_from_its_first_day_to_its_last) {
  auto& accounts = at_work_.accounts;
  at_work_.register_user("ada@example.com").value();
  EXPECT_FALSE(at_work_.log_in("ada@example.com")) << "not verified yet";
  at_work_.run(accounts.resend_verification(email("ada@example.com"), at_work_.visitor)).value();
  at_work_.take_mails();
  at_work_.run(accounts.resend_verification(email("ada@example.com"), at_work_.visitor)).value();
  at_work_.verify(at_work_.mailed_token()).value();
  const auto user = at_work_.run(accounts.find(email("ada@example.com"))).value().id;
  named_ = "user:" + user.text();

  EXPECT_FALSE(at_work_.log_in("ada@example.com", "a wrong one that is long enough"));
  const auto first = at_work_.log_in("ada@example.com").value();
  const auto second = at_work_.log_in("ada@example.com").value();
  const auto third = at_work_.log_in("ada@example.com").value();
  const auto caller = at_work_.caller_of(first);
  at_work_.run(at_work_.sessions.end_by_token(second.tokens.refresh_token, at_work_.origin));
  at_work_.run(at_work_.sessions.end_by_token(second.tokens.refresh_token, at_work_.origin));  // again: nothing ends
  at_work_.run(at_work_.sessions.end_one(user, at_work_.caller_of(third).session, "ended-by-user", at_work_.origin))
      .value();
  at_work_.log_in("ada@example.com").value();
  EXPECT_EQ(at_work_.run(at_work_.sessions.end_others(user, caller.session, at_work_.origin)), 1);
  EXPECT_EQ(at_work_.run(at_work_.sessions.end_others(user, caller.session, at_work_.origin)), 0);

  EXPECT_FALSE(at_work_.run(
      accounts.change_password(caller, secret("not my password at all"), secret(kNewPassword), at_work_.visitor)));
  at_work_.run(accounts.change_password(caller, secret(kPassword), secret(kNewPassword), at_work_.visitor)).value();
  at_work_.take_mails();
  at_work_.run(accounts.change_email(caller, secret(kNewPassword), email("ada@example.org"), at_work_.visitor)).value();
  at_work_.verify(at_work_.mailed_token()).value();
  at_work_.take_mails();
  at_work_.forgot("ada@example.org").value();
  at_work_.reset(at_work_.mailed_token(), kPassword).value();

  const auto stolen = at_work_.log_in("ada@example.org").value();
  auto current = at_work_.run(at_work_.sessions.refresh(stolen.tokens.refresh_token, at_work_.origin)).value();
  at_work_.run(at_work_.sessions.refresh(current.refresh_token, at_work_.origin)).value();
  EXPECT_FALSE(at_work_.run(at_work_.sessions.refresh(stolen.tokens.refresh_token, at_work_.origin)));

  const auto last = at_work_.log_in("ada@example.org").value();
  at_work_.run(accounts.delete_account(at_work_.caller_of(last), secret(kPassword), at_work_.visitor)).value();

  EXPECT_THAT(recorded(),
              ElementsAre("user.registered done", "user.login-refused refused", "user.verification-requested done",
                          "user.verification-requested done", "user.email-verified done", "user.login-refused refused",
                          "user.logged-in done", "user.logged-in done", "user.logged-in done", "session.ended done",
                          "session.ended done", "user.logged-in done", "session.ended-others done",
                          "user.confirmation-refused refused", "user.password-changed done",
                          "user.email-change-requested done", "user.email-changed done",
                          "user.password-reset-requested done", "user.password-reset done", "user.logged-in done",
                          "session.refresh-token-reused refused", "user.logged-in done", "user.deleted done"));
}

TEST_P(SecurityEventsTest, what_is_asked_for_an_address_of_nobody_is_on_record_without_the_address) {
  EXPECT_FALSE(at_work_.log_in("nobody@example.com"));
  at_work_.forgot("nobody@example.com").value();
  at_work_.run(at_work_.accounts.resend_verification(email("nobody@example.com"), at_work_.visitor)).value();
  named_ = "anonymous nobody";
  EXPECT_THAT(recorded(), ElementsAre("user.login-refused refused", "user.password-reset-requested refused",
                                      "user.verification-requested refused"));
  for (const auto& row : at_work_.rows("SELECT actor || target || reason FROM audit_log")) {
    EXPECT_EQ(row.get<std::string>(0).find("example"), std::string::npos);
  }
}

TEST_P(SecurityEventsTest, refused_logins_of_a_network_fill_the_log_only_so_far_and_the_rest_is_counted) {
  for (int i = 0; i < 70; ++i) EXPECT_FALSE(at_work_.log_in("u" + std::to_string(i) + "@example.com"));
  EXPECT_EQ(at_work_.audited("user.login-refused"), 60);
  EXPECT_EQ(at_work_.audit.unrecorded(), 10U);
  at_work_.clock.advance(std::chrono::minutes(1));
  EXPECT_FALSE(at_work_.log_in("u@example.com"));
  EXPECT_EQ(at_work_.audited("user.login-refused"), 61);
}

TEST_P(SecurityEventsTest, without_a_record_nobody_is_let_in_and_refusals_are_told_all_the_same) {
  at_work_.sign_up("ada@example.com");
  const auto before = at_work_.log_in("ada@example.com").value();
  make_deaf();
  EXPECT_THROW(at_work_.log_in("ada@example.com"), Unavailable);
  const auto refused = at_work_.log_in("ada@example.com", "a wrong one that is long enough");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_credentials);
  EXPECT_EQ(at_work_.audit.unrecorded(), 1U);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM refresh_sessions"), 1) << "the one from before";
  EXPECT_TRUE(at_work_.run(at_work_.sessions.refresh(before.tokens.refresh_token, at_work_.origin)))
      << "refreshing is no event";
  make_hear();
  EXPECT_TRUE(at_work_.log_in("ada@example.com"));
}

INSTANTIATE_TEST_SUITE_P(Engines, SecurityEventsTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
