#include "mail/transport.hpp"

#include <array>
#include <ctime>
#include <utility>

#include "base/encoding.hpp"
#include "base/file.hpp"

namespace safawinet {
namespace {

// RFC 5322 section 3.3, always in UTC.
std::string rfc5322_date(Time time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  static constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::array<char, 64> text{};
  std::strftime(text.data(), text.size(), "%d %%s %Y %H:%M:%S +0000", &parts);
  std::string out = std::string(kDays[static_cast<std::size_t>(parts.tm_wday)]) + ", " + text.data();
  out.replace(out.find("%s"), 2, kMonths[static_cast<std::size_t>(parts.tm_mon)]);
  return out;
}

bool is_ascii(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

// RFC 2047 where needed; line ends become spaces, so that no header can be added.
std::string header_text(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return is_ascii(text) ? text : "=?UTF-8?B?" + to_base64(as_bytes(text)) + "?=";
}

std::string with_crlf(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\r') continue;
    if (c == '\n') out += '\r';
    out += c;
  }
  return out;
}

}  // namespace

FileTransport::FileTransport(std::filesystem::path folder, std::string from)
    : folder_(std::move(folder)), from_(std::move(from)) {
  if (std::filesystem::create_directories(folder_)) {
    std::filesystem::permissions(folder_, std::filesystem::perms::owner_all);
  }
}

void FileTransport::send(const Uuid& id, const Mail& mail, Time date) {
  replace_file(folder_ / (id.text() + ".eml"), to_rfc5322(id, mail, from_, date));
}

std::string to_rfc5322(const Uuid& id, const Mail& mail, const std::string& from, Time date) {
  std::string out;
  out += "From: " + header_text(from) + "\r\n";
  out += "To: " + header_text(mail.to) + "\r\n";
  out += "Subject: " + header_text(mail.subject) + "\r\n";
  out += "Date: " + rfc5322_date(date) + "\r\n";
  out += "Message-ID: <" + id.text() + "@safawinet>\r\n";
  out += "Auto-Submitted: auto-generated\r\n";  // RFC 3834: no vacation notices, please
  out += "MIME-Version: 1.0\r\n";
  out += "Content-Type: text/plain; charset=utf-8\r\n";
  out += "Content-Transfer-Encoding: 8bit\r\n\r\n";
  out += with_crlf(mail.text);
  return out;
}

}  // namespace safawinet
