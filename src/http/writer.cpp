#include "http/writer.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <stdexcept>

#include "http/characters.hpp"

namespace safawinet::http {
namespace {

struct Reason {
  unsigned status;
  std::string_view text;
};

// RFC 9110 section 15 and RFC 6585; the most frequent first.
constexpr std::array reasons = {
    Reason{200, "OK"},
    Reason{201, "Created"},
    Reason{202, "Accepted"},
    Reason{204, "No Content"},
    Reason{206, "Partial Content"},
    Reason{301, "Moved Permanently"},
    Reason{302, "Found"},
    Reason{303, "See Other"},
    Reason{304, "Not Modified"},
    Reason{307, "Temporary Redirect"},
    Reason{308, "Permanent Redirect"},
    Reason{400, "Bad Request"},
    Reason{401, "Unauthorized"},
    Reason{403, "Forbidden"},
    Reason{404, "Not Found"},
    Reason{405, "Method Not Allowed"},
    Reason{406, "Not Acceptable"},
    Reason{408, "Request Timeout"},
    Reason{409, "Conflict"},
    Reason{410, "Gone"},
    Reason{411, "Length Required"},
    Reason{412, "Precondition Failed"},
    Reason{413, "Content Too Large"},
    Reason{414, "URI Too Long"},
    Reason{415, "Unsupported Media Type"},
    Reason{417, "Expectation Failed"},
    Reason{421, "Misdirected Request"},
    Reason{422, "Unprocessable Content"},
    Reason{425, "Too Early"},
    Reason{428, "Precondition Required"},
    Reason{429, "Too Many Requests"},
    Reason{431, "Request Header Fields Too Large"},
    Reason{451, "Unavailable For Legal Reasons"},
    Reason{500, "Internal Server Error"},
    Reason{501, "Not Implemented"},
    Reason{502, "Bad Gateway"},
    Reason{503, "Service Unavailable"},
    Reason{504, "Gateway Timeout"},
    Reason{505, "HTTP Version Not Supported"},
};

void append_number(std::string& out, std::size_t number) {
  std::array<char, 20> digits;
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  out.append(digits.data(), result.ptr);
}

void append_padded(std::string& out, unsigned number) {
  out.push_back(static_cast<char>('0' + number / 10));
  out.push_back(static_cast<char>('0' + number % 10));
}

bool may_have_body(const Response& response) { return response.status != 204 && response.status != 304; }

bool belongs_to_writer(std::string_view name) {
  for (const std::string_view own : {"content-length", "content-type", "transfer-encoding", "connection", "date"}) {
    if (equals_ignoring_case(name, own)) return true;
  }
  return false;
}

// A line feed that reached a field value would let its author write the rest of the response.
void check(const Response& response) {
  if (response.status < 200 || response.status > 599) throw std::invalid_argument("the status is no final status");
  if (!all_in_class(response.content_type, character_class::field_value)) {
    throw std::invalid_argument("the content type is no field value");
  }
  if (response.stream && (!may_have_body(response) || !response.body.empty())) {
    throw std::invalid_argument("a stream where no body may be, or beside one");
  }
  for (const auto& [name, value] : response.fields) {
    if (!is_token(name) || belongs_to_writer(name)) throw std::invalid_argument("the field may not be set: " + name);
    if (!all_in_class(value, character_class::field_value)) throw std::invalid_argument("no field value: " + name);
  }
}

}  // namespace

std::string_view reason_of(unsigned status) {
  for (const Reason& reason : reasons) {
    if (reason.status == status) return reason.text;
  }
  return "Unknown";
}

std::string to_imf_fixdate(std::time_t seconds) {
  constexpr std::array<std::string_view, 7> days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
  const auto midnight = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(midnight);
  const std::chrono::hh_mm_ss clock(time - midnight);
  std::string text(days[std::chrono::weekday(midnight).c_encoding()]);
  text.append(", ");
  append_padded(text, static_cast<unsigned>(date.day()));
  text.append(" ").append(months[static_cast<unsigned>(date.month()) - 1]).append(" ");
  append_padded(text, static_cast<unsigned>(static_cast<int>(date.year()) / 100));
  append_padded(text, static_cast<unsigned>(static_cast<int>(date.year()) % 100));
  text.append(" ");
  append_padded(text, static_cast<unsigned>(clock.hours().count()));
  text.append(":");
  append_padded(text, static_cast<unsigned>(clock.minutes().count()));
  text.append(":");
  append_padded(text, static_cast<unsigned>(clock.seconds().count()));
  text.append(" GMT");
  return text;
}

void append_chunk(std::string& out, std::string_view piece) {
  if (piece.empty()) return;
  std::array<char, 16> digits;
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), piece.size(), 16);
  out.append(digits.data(), result.ptr).append("\r\n").append(piece).append("\r\n");
}

void Writer::append(std::string& out, const Response& response, Method method, Persistence persistence,
                    StreamFraming framing) {
  check(response);
  const bool has_length = may_have_body(response) && !response.stream;
  out.append("HTTP/1.1 ");
  append_number(out, response.status);
  out.append(" ").append(reason_of(response.status)).append("\r\nDate: ").append(date()).append("\r\n");
  if (!response.content_type.empty()) out.append("Content-Type: ").append(response.content_type).append("\r\n");
  if (has_length) {
    out.append("Content-Length: ");
    append_number(out, response.body.size());
    out.append("\r\n");
  }
  if (response.stream && framing == StreamFraming::chunked) out.append("Transfer-Encoding: chunked\r\n");
  out.append(response.common_fields);
  for (const auto& [name, value] : response.fields) out.append(name).append(": ").append(value).append("\r\n");
  if (persistence == Persistence::close) out.append("Connection: close\r\n");
  if (persistence == Persistence::keep_alive_http_1_0) out.append("Connection: keep-alive\r\n");
  out.append("\r\n");
  if (has_length && method != Method::head) out.append(response.body);
}

std::string_view Writer::date() {
  const std::time_t now = std::time(nullptr);
  if (now != date_seconds_) {
    date_ = to_imf_fixdate(now);
    date_seconds_ = now;
  }
  return date_;
}

}  // namespace safawinet::http
