// Second factors: one's own, proving again who one is, and taking one away from a user.
#pragma once

#include "api/call.hpp"
#include "api/types.hpp"
#include "factors/enrolment.hpp"
#include "factors/second_step.hpp"

namespace safawinet::api {

class FactorsApi {
 public:
  FactorsApi(Enrolment& enrolment, SecondStep& second_step) : enrolment_(enrolment), second_step_(second_step) {}

  Task<Result<StepUpAnswer>> step_up(Call& call, StepUpInput input);

  Task<Result<FactorsAnswer>> get(Call& call);
  Task<Result<TotpOfferAnswer>> offer_totp(Call& call, PasswordInput input);
  Task<Result<BackupCodesAnswer>> confirm_totp(Call& call, CodeInput input);
  Task<Result<NoContent>> remove_totp(Call& call, PasswordAndCodeInput input);
  Task<Result<BackupCodesAnswer>> renew_backup_codes(Call& call, PasswordAndCodeInput input);

  // ?reason=
  Task<Result<NoContent>> reset(Call& call);

 private:
  Enrolment& enrolment_;
  SecondStep& second_step_;
};

}  // namespace safawinet::api
