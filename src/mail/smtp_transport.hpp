// Mail by SMTP (RFC 5321) to one relay.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/secret.hpp"
#include "mail/transport.hpp"

namespace safawinet {

class CurlHandle;

enum class SmtpSecurity {
  starttls,  // RFC 3207, required: never in the clear
  tls,       // from the first byte (RFC 8314)
  none,
};

struct SmtpRelay {
  std::string host;
  std::uint16_t port = 587;
  SmtpSecurity security = SmtpSecurity::starttls;
  std::string user;               // empty: no AUTH
  SecretText password;            //
  std::filesystem::path ca_file;  // empty: the system's authorities
};

// Keeps its connection open between mails. The certificate must be the host's; TLS is 1.2 or later.
class SmtpTransport final : public MailTransport {
 public:
  // `has_to_stop` is asked now and then: what is under way fails when it says so; empty: never.
  SmtpTransport(SmtpRelay relay, Sender from, std::string list_unsubscribe, std::function<bool()> has_to_stop = {});
  ~SmtpTransport() override;

  Handover send(const Uuid& id, const Mail& mail, Time date) override;

 private:
  SmtpRelay relay_;
  Sender from_;
  std::string list_unsubscribe_;
  std::unique_ptr<CurlHandle> handle_;
  bool takes_utf8_ = false;  // the server at the other end of the connection that is open
};

// What the last thing was that we said before the server's last reply.
enum class SmtpStage { greeting, sender, recipient, data };

// What a reply that is not positive means for the mail: by its enhanced status code (RFC 3463) where it has one, else
// by its code and stage (RFC 5321 section 4.2). `reply` is one line, such as "550 5.1.1 no such user".
Handover judge_smtp_reply(SmtpStage stage, std::string_view reply);

}  // namespace safawinet
