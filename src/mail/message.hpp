// A mail as it goes over the wire: RFC 5322 with MIME (RFC 2045 to 2047), in seven bits, so that no server on its way
// has to understand more; an address with UTF-8 alone stands in it as it is (RFC 6532).
#pragma once

#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "mail/mail.hpp"

namespace safawinet {

// "Name <address>" or a bare address, taken apart.
struct Sender {
  std::string name;  // empty: none
  std::string address;

  static Sender parse(std::string_view text);
  // Behind the @, in the spelling of the setting; "localhost" where there is none.
  [[nodiscard]] std::string_view domain() const;
};

// The envelope's identity, the same at every try, so that who receives the mail twice can tell (RFC 5322 section
// 3.6.4).
std::string message_id_of(const Uuid& id, const Sender& from);

// The whole message with CRLF line ends. Text that is plain ASCII stands in it as it is, with whole links; else it is
// quoted-printable. Text and
// HTML are two parts of one multipart/alternative (RFC 2046 section 5.1.4); a mail without HTML is one text. Whatever
// stands in subject, address or names, it makes no header of its own.
//
// `list_unsubscribe`: the address (a URL or mailto:) of RFC 2369; it stands in mail that one can do without. Empty: in
// none.
std::string to_rfc5322(const Uuid& id, const Mail& mail, const Sender& from, Time date,
                       std::string_view list_unsubscribe = {});

}  // namespace safawinet
