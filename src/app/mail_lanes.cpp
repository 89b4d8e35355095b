#include "app/mail_lanes.hpp"

#include <cstdlib>
#include <string>
#include <utility>

#include "app/start_failure.hpp"
#include "aws/credential_source.hpp"
#include "mail/ses_transport.hpp"
#include "mail/smtp_transport.hpp"

namespace safawinet::app {
namespace {

constexpr std::uint16_t kSubmissionPort = 587;   // RFC 6409
constexpr std::uint16_t kSubmissionsPort = 465;  // RFC 8314
constexpr std::uint16_t kRelayPort = 25;         // RFC 5321

SmtpSecurity security_of(config::SmtpSecurityKind kind) {
  switch (kind) {
    case config::SmtpSecurityKind::starttls:
      return SmtpSecurity::starttls;
    case config::SmtpSecurityKind::tls:
      return SmtpSecurity::tls;
    case config::SmtpSecurityKind::none:
      return SmtpSecurity::none;
  }
  std::unreachable();
}

std::uint16_t usual_port_of(SmtpSecurity security) {
  switch (security) {
    case SmtpSecurity::starttls:
      return kSubmissionPort;
    case SmtpSecurity::tls:
      return kSubmissionsPort;
    case SmtpSecurity::none:
      return kRelayPort;
  }
  std::unreachable();
}

SmtpRelay relay_of(const config::Settings& settings) {
  const auto& mail = settings.mail;
  SmtpRelay relay{.host = mail.smtp_host,
                  .port = mail.smtp_port,
                  .security = security_of(mail.smtp_security),
                  .user = mail.smtp_user,
                  .password = mail.smtp_password,
                  .ca_file = settings.tls.ca_file};
  if (relay.port == 0) relay.port = usual_port_of(relay.security);
  return relay;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets any
  return value == nullptr ? std::string() : std::string(value);
}

std::unique_ptr<MailTransport> make_file_transport(const config::Settings& settings, const Sender& from) {
  try {
    return std::make_unique<FileTransport>(settings.mail.directory, from, settings.mail.list_unsubscribe);
  } catch (const std::exception& error) {
    throw StartFailure(kExitFailed, std::string("cannot use the mail folder (mail.directory): ") + error.what());
  }
}

}  // namespace

MailLanes make_mail_lanes(const config::Settings& settings, const MailWorker::Parts& parts) {
  const auto& mail = settings.mail;
  const auto from = Sender::parse(mail.from);
  MailLanes lanes;
  const auto has_to_stop = [&pool = parts.pool] { return pool.is_stopping(); };
  const auto add = [&](std::unique_ptr<MailTransport> transport) {
    lanes.push_back(std::make_unique<MailWorker>(parts, std::move(transport)));
  };
  switch (mail.transport) {
    case config::MailTransportKind::file:
      add(make_file_transport(settings, from));
      break;
    case config::MailTransportKind::smtp:
      for (std::size_t i = 0; i < mail.connections; ++i) {
        add(std::make_unique<SmtpTransport>(relay_of(settings), from, mail.list_unsubscribe, has_to_stop));
      }
      break;
    case config::MailTransportKind::ses: {
      const auto credentials = std::make_shared<aws::CredentialSource>(environment, parts.clock, has_to_stop);
      for (std::size_t i = 0; i < mail.connections; ++i) {
        SesAccess access{.region = mail.ses_region,
                         .endpoint = mail.ses_endpoint,
                         .configuration_set = mail.ses_configuration_set,
                         .ca_file = settings.tls.ca_file};
        add(std::make_unique<SesTransport>(std::move(access), from, mail.list_unsubscribe, credentials, parts.clock,
                                           has_to_stop));
      }
      break;
    }
  }
  return lanes;
}

std::string service_name_of(const config::Settings& settings) {
  const auto from = Sender::parse(settings.mail.from);
  return from.name.empty() ? std::string(from.domain()) : from.name;
}

}  // namespace safawinet::app
