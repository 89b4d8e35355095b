// /v1/email: what became of mail, and what operators do about it.
#pragma once

#include "api/call.hpp"
#include "api/email_bodies.hpp"
#include "bounces/bounces.hpp"
#include "bounces/mail_desk.hpp"
#include "bounces/reputation_guard.hpp"

namespace safawinet::api {

class EmailApi {
 public:
  struct Parts {
    Bounces& bounces;
    MailDesk& desk;
    ReputationGuard& guard;
    AccountService& accounts;
    const Letters& letters;
    const Clock& clock;
  };
  explicit EmailApi(Parts parts) : parts_(parts) {}

  // ?hours=24 (1..336)
  Task<Result<MailStatisticsAnswer>> statistics(Call& call);

  // ?email= &kind=bounce|complaint
  Task<Result<BouncePage>> list_bounces(Call& call);
  Task<Result<BounceItem>> record_bounce(Call& call, RecordBounceInput input);

  // ?query=
  Task<Result<SuppressionPage>> list_suppressions(Call& call);
  Task<Result<SuppressionItem>> suppress(Call& call, SuppressInput input);
  // ?email= &reason=
  Task<Result<NoContent>> lift_suppression(Call& call);

  // ?failing=true
  Task<Result<OutboxPage>> list_outbox(Call& call);
  Task<Result<NoContent>> retry(Call& call, ReasonInput input);
  // ?reason=
  Task<Result<NoContent>> drop(Call& call);

  Task<Result<MailItem>> get_mail(Call& call);
  Task<Result<MailPage>> history_of_user(Call& call);

  // ?kind= &locale=
  Task<Result<MailPreviewAnswer>> preview(Call& call);
  Task<Result<MailItem>> send_test(Call& call, SendTestInput input);

 private:
  Parts parts_;
};

}  // namespace safawinet::api
