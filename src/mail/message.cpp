#include "mail/message.hpp"

#include <algorithm>
#include <array>
#include <ctime>

#include "base/ascii.hpp"
#include "base/encoding.hpp"

namespace safawinet {
namespace {

constexpr std::size_t kLineLimit = 76;     // RFC 2045 section 6.7, without the line end
constexpr std::size_t kLongestLine = 998;  // RFC 5322 section 2.1.1, without the line end
constexpr std::size_t kEncodedWordBytes =
    39;  // of UTF-8: 64 characters as a word (RFC 2047 section 2), behind a header's name

std::string rfc5322_date(Time time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  // Not strftime's names, which depend on the locale.
  static constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::array<char, 32> rest{};
  std::strftime(rest.data(), rest.size(), " %Y %H:%M:%S +0000", &parts);
  std::array<char, 4> day{};
  std::strftime(day.data(), day.size(), "%d", &parts);
  return std::string(kDays.at(static_cast<std::size_t>(parts.tm_wday))) + ", " + day.data() + " " +
         kMonths.at(static_cast<std::size_t>(parts.tm_mon)) + rest.data();
}

// Line ends and other control characters become spaces, so that no header can be added.
std::string one_line(std::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return line;
}

// How many bytes of valid UTF-8 fit into `limit` without cutting a character.
std::size_t whole_characters(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text.size();
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80) --limit;
  return limit;
}

// RFC 2047 section 5: words in base64, each on a line of its own.
std::string encoded_words(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto size = std::max<std::size_t>(1, whole_characters(text, kEncodedWordBytes));
    if (!out.empty()) out += "\r\n ";
    out += "=?UTF-8?B?" + to_base64(as_bytes(text.substr(0, size))) + "?=";
    text.remove_prefix(size);
  }
  return out;
}

// An unstructured header (RFC 5322 section 2.2.1), folded at spaces.
std::string unstructured(std::string_view name, std::string_view value) {
  const std::string text = one_line(value);
  std::string out = std::string(name) + ":";
  // What looks like an encoded word and is none would be shown as something else.
  if (!is_ascii(text) || text.find("=?") != std::string::npos) return out + " " + encoded_words(text) + "\r\n";
  std::size_t line = out.size();
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(' ', 1), rest.size());
    const auto word = rest.substr(0, end);
    const bool starts = out.size() == name.size() + 1;
    const std::size_t needed = word.size() + (starts && !word.starts_with(' ') ? 1 : 0);
    // A line of nothing but spaces would end the header for some readers.
    const bool may_fold = !starts && word.starts_with(' ') && word.find_first_not_of(' ') != std::string_view::npos;
    if (may_fold && line + needed > kLineLimit) {
      out += "\r\n";
      line = 0;
    }
    if (starts && !word.starts_with(' ')) out += ' ';
    out += word;
    line += needed;
    rest.remove_prefix(end);
  }
  return out + "\r\n";
}

// A display name (RFC 5322 section 3.4): a quoted string, or encoded words.
std::string phrase(std::string_view name) {
  const std::string text = one_line(name);
  if (!is_ascii(text)) return encoded_words(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string mailbox(const Sender& sender) {
  const std::string address = one_line(sender.address);
  return sender.name.empty() ? address : phrase(sender.name) + "\r\n <" + address + ">";
}

// Seven bits and short lines, readable where it is ASCII (RFC 2045 section 6.7).
std::string quoted_printable(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  std::size_t line = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\r') continue;
    if (c == '\n') {
      out += "\r\n";
      line = 0;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    const bool ends_line = i + 1 == text.size() || text[i + 1] == '\n' || text[i + 1] == '\r';
    const bool is_literal = (byte > 0x20 && byte < 0x7F && c != '=') || ((c == ' ' || c == '\t') && !ends_line);
    // A line that begins with a dot, or with "From ", is changed by some servers.
    const bool is_risky = line == 0 && (c == '.' || text.substr(i).starts_with("From "));
    const std::size_t size = is_literal && !is_risky ? 1 : 3;
    if (line + size > kLineLimit - 1) {
      out += "=\r\n";
      line = 0;
    }
    if (size == 1) {
      out += c;
    } else {
      out += '=';
      out += kHex[byte >> 4U];
      out += kHex[byte & 0xFU];
    }
    line += size;
  }
  if (line != 0) out += "\r\n";
  return out;
}

// Whether it may be sent as it is: whoever greps a message for a link then finds it whole.
bool needs_no_encoding(std::string_view text) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    const bool is_plain = std::ranges::all_of(line, [](char c) { return c >= 0x20 && c < 0x7F; });
    if (!is_plain || line.size() > kLongestLine || line.starts_with("From ") || line.ends_with(' ')) return false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return true;
}

std::string with_crlf(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') out += '\r';
    out += c;
  }
  if (!text.empty() && !text.ends_with('\n')) out += "\r\n";
  return out;
}

std::string text_part(std::string_view subtype, std::string_view content) {
  const bool is_plain = needs_no_encoding(content);
  std::string out = "Content-Type: text/" + std::string(subtype) + "; charset=utf-8\r\n";
  out += "Content-Transfer-Encoding: " + std::string(is_plain ? "7bit" : "quoted-printable") + "\r\n\r\n";
  return out + (is_plain ? with_crlf(content) : quoted_printable(content));
}

}  // namespace

Sender Sender::parse(std::string_view text) {
  const auto open = text.rfind('<');
  if (open == std::string_view::npos) return {.name = {}, .address = std::string(text)};
  const auto close = text.find('>', open);
  auto name = text.substr(0, open);
  while (name.starts_with(' ')) name.remove_prefix(1);
  while (name.ends_with(' ')) name.remove_suffix(1);
  if (name.size() >= 2 && name.starts_with('"') && name.ends_with('"')) name = name.substr(1, name.size() - 2);
  return {.name = std::string(name), .address = std::string(text.substr(open + 1, close - open - 1))};
}

std::string_view Sender::domain() const {
  const auto at = address.rfind('@');
  return at == std::string::npos ? std::string_view("localhost") : std::string_view(address).substr(at + 1);
}

std::string message_id_of(const Uuid& id, const Sender& from) {
  return "<" + id.text() + "@" + one_line(from.domain()) + ">";
}

std::string to_rfc5322(const Uuid& id, const Mail& mail, const Sender& from, Time date,
                       std::string_view list_unsubscribe) {
  std::string out = "From: " + mailbox(from) + "\r\n";
  out += "To: " + one_line(mail.to) + "\r\n";
  out += unstructured("Subject", mail.subject);
  out += "Date: " + rfc5322_date(date) + "\r\n";
  out += "Message-ID: " + message_id_of(id, from) + "\r\n";
  out += "Auto-Submitted: auto-generated\r\n";  // RFC 3834: no vacation notices, please
  if (!list_unsubscribe.empty() && !is_security_mail(mail.kind))
    out += "List-Unsubscribe: <" + one_line(list_unsubscribe) + ">\r\n";
  out += "MIME-Version: 1.0\r\n";
  if (mail.html.empty()) return out + text_part("plain", mail.text);
  // A new id, and "=_", which stands in no quoted-printable text (RFC 2045 section 6.7, at its end).
  const std::string boundary = "=_" + id.text();
  out += "Content-Type: multipart/alternative;\r\n boundary=\"" + boundary + "\"\r\n\r\n";
  out += "--" + boundary + "\r\n" + text_part("plain", mail.text);
  out += "--" + boundary + "\r\n" + text_part("html", mail.html);
  return out + "--" + boundary + "--\r\n";
}

}  // namespace safawinet
