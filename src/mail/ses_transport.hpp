// Mail by Amazon SES (API version 2, SendEmail with the whole message).
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "aws/credential_source.hpp"
#include "base/clock.hpp"
#include "fetch/fetch.hpp"
#include "mail/transport.hpp"

namespace safawinet {

struct SesAccess {
  std::string region;             // "eu-central-1"
  std::string endpoint;           // an origin; empty: Amazon's own of the region
  std::string configuration_set;  // that publishes events; empty: the identity's own
  std::filesystem::path ca_file;  // empty: the system's authorities
};

// The name of the tag that events carry back, with our id of the mail.
inline constexpr std::string_view kMailTag = "safawinet-mail";

// SES puts a Message-ID of its own into what it sends, so that a mail that is sent twice arrives as two.
class SesTransport final : public MailTransport {
 public:
  // `credentials` is shared between transports.
  SesTransport(SesAccess access, Sender from, std::string list_unsubscribe,
               std::shared_ptr<aws::CredentialSource> credentials, const Clock& clock,
               std::function<bool()> has_to_stop = {});

  Handover send(const Uuid& id, const Mail& mail, Time date) override;

 private:
  SesAccess access_;
  Sender from_;
  std::string list_unsubscribe_;
  std::shared_ptr<aws::CredentialSource> credentials_;
  const Clock& clock_;
  Fetcher fetcher_;
};

// What an answer of SendEmail means for the mail.
Handover judge_ses_answer(const FetchAnswer& answer);

}  // namespace safawinet
