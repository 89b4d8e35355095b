#include "api/factors_api.hpp"

#include <utility>

#include "api/users_admin_api.hpp"
#include "base/encoding.hpp"

namespace safawinet::api {

Task<Result<StepUpAnswer>> FactorsApi::step_up(Call& call, StepUpInput input) {
  auto tokens =
      co_await second_step_.step_up(*call.caller, std::move(input.password), std::move(input.code), call.visitor());
  if (!tokens) co_return std::unexpected(std::move(tokens.error()));
  StepUpAnswer answer{.access_token = std::move(tokens->access_token),
                      .token_type = "Bearer",
                      .expires_in = tokens->expires_in.count()};
  co_return answer;
}

Task<Result<FactorsAnswer>> FactorsApi::get(Call& call) {
  const auto state = co_await enrolment_.get(call.caller->user);
  FactorsAnswer answer;
  if (state.totp)
    answer.totp = TotpState{.enrolled_at = state.totp->confirmed_at, .last_used_at = state.totp->last_used_at};
  answer.backup_codes_left = state.backup_codes_left;
  co_return answer;
}

Task<Result<TotpOfferAnswer>> FactorsApi::offer_totp(Call& call, PasswordInput input) {
  auto offer = co_await enrolment_.offer_totp(*call.caller, std::move(input.password), call.visitor());
  if (!offer) co_return std::unexpected(std::move(offer.error()));
  TotpOfferAnswer answer{.secret = std::move(offer->secret),
                         .otpauth_uri = std::move(offer->uri),
                         .qr_svg = std::move(offer->svg),
                         .qr_png = SecretText(to_base64(offer->png))};
  co_return answer;
}

Task<Result<BackupCodesAnswer>> FactorsApi::confirm_totp(Call& call, CodeInput input) {
  auto codes = co_await enrolment_.confirm_totp(*call.caller, std::move(input.code), call.visitor());
  if (!codes) co_return std::unexpected(std::move(codes.error()));
  BackupCodesAnswer answer{.backup_codes = std::move(*codes)};
  co_return answer;
}

Task<Result<NoContent>> FactorsApi::remove_totp(Call& call, PasswordAndCodeInput input) {
  const auto removed =
      co_await enrolment_.remove_totp(*call.caller, std::move(input.password), std::move(input.code), call.visitor());
  if (!removed) co_return std::unexpected(removed.error());
  co_return NoContent{};
}

Task<Result<BackupCodesAnswer>> FactorsApi::renew_backup_codes(Call& call, PasswordAndCodeInput input) {
  auto codes = co_await enrolment_.renew_backup_codes(*call.caller, std::move(input.password), std::move(input.code),
                                                      call.visitor());
  if (!codes) co_return std::unexpected(std::move(codes.error()));
  BackupCodesAnswer answer{.backup_codes = std::move(*codes)};
  co_return answer;
}

Task<Result<NoContent>> FactorsApi::reset(Call& call) {
  auto act = act_with_reason(call);
  if (!act) co_return std::unexpected(act.error());
  const auto reset = co_await enrolment_.reset(std::move(*act));
  if (!reset) co_return std::unexpected(reset.error());
  co_return NoContent{};
}

}  // namespace safawinet::api
