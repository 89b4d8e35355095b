// How mail leaves.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "mail/mail.hpp"
#include "mail/message.hpp"

namespace safawinet {

// What became of handing a mail over.
struct Handover {
  enum class Kind {
    taken,              // by a server that has promised to deliver it
    later,              // not now; it is tried again
    recipient_refused,  // never to this address: a bounce, for good if it is about the mailbox
    message_refused,    // never this mail, whoever gets it
  } kind = Kind::taken;
  std::string detail{};             // what the server said, for operators; empty where it was taken
  std::string provider_id{};        // by which feedback will name the mail; empty: none
  bool is_servers_trouble = false;  // of `later`: other mails will fare no better
  bool is_about_mailbox = false;    // the server has said so of the recipient's mailbox, in so many words (RFC 3463)
};

// Threading: a transport is used by one thread at a time, and may block it for as long as kLongestSend.
class MailTransport {
 public:
  virtual ~MailTransport() = default;
  // Sending the same id twice gives the receiver the same Message-ID. Throws std::exception, with the reason, when
  // nobody could be asked: as `later`, by the server's trouble.
  virtual Handover send(const Uuid& id, const Mail& mail, Time date) = 0;
};
inline constexpr std::chrono::seconds kLongestSend{30};

// Writes one .eml file (RFC 5322) for each mail, by rename, so that nobody sees half of one; the same id gives the same
// file.
class FileTransport final : public MailTransport {
 public:
  // Makes the folder (0700) if there is none.
  FileTransport(std::filesystem::path folder, Sender from, std::string list_unsubscribe = {});

  Handover send(const Uuid& id, const Mail& mail, Time date) override;

 private:
  std::filesystem::path folder_;
  Sender from_;
  std::string list_unsubscribe_;
};

}  // namespace safawinet
