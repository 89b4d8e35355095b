// How mail leaves.
#pragma once

#include <filesystem>
#include <string>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "mail/mail.hpp"

namespace safawinet {

class MailTransport {
 public:
  virtual ~MailTransport() = default;
  // Returns when the mail has been handed over. Sending the same id twice delivers it once. Throws std::exception, with
  // the reason, when it could not be sent.
  virtual void send(const Uuid& id, const Mail& mail, Time date) = 0;
};

// Writes one .eml file (RFC 5322) for each mail, by rename, so that nobody sees half of one.
class FileTransport final : public MailTransport {
 public:
  // Makes the folder (0700) if there is none.
  FileTransport(std::filesystem::path folder, std::string from);

  void send(const Uuid& id, const Mail& mail, Time date) override;

 private:
  std::filesystem::path folder_;
  std::string from_;
};

// The whole message, with CRLF line ends.
std::string to_rfc5322(const Uuid& id, const Mail& mail, const std::string& from, Time date);

}  // namespace safawinet
