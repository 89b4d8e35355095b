// Where Amazon tells what became of mail: SNS posts here what SES publishes.
#pragma once

#include "api/call.hpp"
#include "api/route.hpp"
#include "api/types.hpp"
#include "aws/sns.hpp"
#include "bounces/bounces.hpp"

namespace safawinet::api {

class EmailEventsApi {
 public:
  struct Parts {
    aws::SnsVerifier& verifier;
    Bounces& bounces;
    Log& log;
  };
  explicit EmailEventsApi(Parts parts) : parts_(parts) {}

  // Whoever calls it proves by a signature that it is Amazon. 200 once it is on disk what follows of it, also for what
  // was told before; 4xx for what is wrong, and will be wrong again; 503 for SNS to try again.
  Task<Result<http::Response>> take(Call& call);

 private:
  Parts parts_;
};

// Its body is JSON as text/plain: it is read as it is.
inline constexpr std::string_view kSesEventsPath = "/v1/email/events/ses";
inline constexpr std::size_t kSnsBodyBytes = std::size_t{256} * 1024;  // of other bodies less are taken

Endpoint email_events_endpoint(EmailEventsApi* api);

}  // namespace safawinet::api
