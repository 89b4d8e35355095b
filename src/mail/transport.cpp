#include "mail/transport.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <system_error>
#include <utility>

#include "base/encoding.hpp"

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

[[noreturn]] void fail(const std::string& doing) { throw std::system_error(errno, std::generic_category(), doing); }

// The file and its name are on disk when this returns.
void write_durably(const std::filesystem::path& folder, const std::string& name, const std::string& content) {
  const auto temporary = folder / ("." + name + ".partial");
  const int file = ::open(temporary.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0) fail("cannot create " + temporary.string());
  std::size_t written = 0;
  while (written < content.size()) {
    const auto count = ::write(file, content.data() + written, content.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int reason = errno;
      ::close(file);
      ::unlink(temporary.c_str());
      errno = reason;
      fail("cannot write " + temporary.string());
    }
    written += static_cast<std::size_t>(count);
  }
  const bool is_synced = ::fsync(file) == 0;
  ::close(file);
  if (!is_synced) fail("cannot sync " + temporary.string());
  std::filesystem::rename(temporary, folder / name);
  const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory >= 0) {
    ::fsync(directory);
    ::close(directory);
  }
}

}  // namespace

FileTransport::FileTransport(std::filesystem::path folder, std::string from)
    : folder_(std::move(folder)), from_(std::move(from)) {
  if (std::filesystem::create_directories(folder_)) {
    std::filesystem::permissions(folder_, std::filesystem::perms::owner_all);
  }
}

void FileTransport::send(const Uuid& id, const Mail& mail, Time date) {
  write_durably(folder_, id.text() + ".eml", to_rfc5322(id, mail, from_, date));
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
