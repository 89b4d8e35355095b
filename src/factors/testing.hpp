// For tests of second factors and of what stands on them: the services at work, on a real database.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "accounts/testing.hpp"
#include "factors/enrolment.hpp"
#include "factors/factor_codes.hpp"
#include "factors/factor_secrets.hpp"
#include "factors/second_step.hpp"
#include "factors/totp.hpp"

namespace safawinet::testing {

struct FactorsAtWork : AccountsAtWork {
  using AccountsAtWork::AccountsAtWork;

  // The code of the user's app, so many steps from now.
  SecretText code_of(UserId user, std::int64_t steps = 0) {
    const auto sealed = text("SELECT sealed FROM totp_factors WHERE user_id = $1", user);
    const auto secrets = FactorSecrets::open(master_key, user, sealed);
    return totp_code(secrets.totp(), totp_step_of(clock.now()) + steps);
  }

  // Gives the backup codes. The step after it is used up by nobody yet: time has gone on.
  std::vector<SecretText> enrol(const LoggedIn& person) {
    run(enrolment.offer_totp(caller_of(person), secret(kPassword), visitor)).value();
    auto codes = run(enrolment.confirm_totp(caller_of(person), code_of(person.user.id), visitor)).value();
    clock.advance(kTotpStep);
    run(feed.catch_up());
    return codes;
  }

  // The ticket of a first step.
  SecretText ticket_of(std::string_view address, std::string_view password = kPassword) {
    const auto asked = log_in(address, password);
    return SecretText(asked.error().texts.front().second);
  }
  Task<Result<LoggedIn>> second_step_task(const SecretText& ticket, const SecretText& code) {
    return second_step.log_in(ticket, code, visitor);
  }
  Result<LoggedIn> log_in_with(const SecretText& ticket, const SecretText& code) {
    return run(second_step_task(ticket, code));
  }

  FactorCodes factor_codes{{.database = database,
                            .accounts = accounts,
                            .attempts = attempts,
                            .limits = limits,
                            .outbox = outbox,
                            .letters = letters,
                            .master_key = master_key,
                            .clock = clock}};
  Enrolment enrolment{{.database = database,
                       .accounts = accounts,
                       .sessions = sessions,
                       .codes = factor_codes,
                       .audit = audit,
                       .outbox = outbox,
                       .letters = letters,
                       .master_key = master_key,
                       .clock = clock,
                       .random = random,
                       .issuer = "id.example.com"}};
  SecondStep second_step{{.database = database,
                          .accounts = accounts,
                          .sessions = sessions,
                          .codes = factor_codes,
                          .audit = audit,
                          .clock = clock}};
};

}  // namespace safawinet::testing
