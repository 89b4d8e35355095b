// Responses as bytes (RFC 9112 section 4).
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

#include "http/message.hpp"

namespace safawinet::http {

inline constexpr std::string_view continue_response = "HTTP/1.1 100 Continue\r\n\r\n";

// The reason phrase of a status; "Unknown" where the registry has none that we use.
std::string_view reason_of(unsigned status);

// The time as the field Date has it (RFC 9110 section 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT".
std::string to_imf_fixdate(std::time_t seconds);

// What the connection says about itself after this response.
enum class Persistence { keep_alive, keep_alive_http_1_0, close };

// How the end of a body is told whose length is not known (RFC 9112 section 6.3): by its last chunk, or, to a client of
// HTTP/1.0, by the end of the connection.
enum class StreamFraming { chunked, until_close };

// A piece of a chunked body; an empty one adds nothing.
void append_chunk(std::string& out, std::string_view piece);
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

// Writes responses one after the other, with a Date that is formatted once per second. Threading: none; one for each
// loop.
class Writer {
 public:
  // Appends head and body to `out`. `method` is that of the request: the answer to HEAD has no body, but the length of
  // it. 204 and 304 have neither body nor length. Of a response with a stream the head is written, framed as told.
  // Throws std::invalid_argument for what would corrupt the message: an interim or impossible status, a field that is
  // no field, fields that belong to the writer (Content-Length, Content-Type, Transfer-Encoding, Connection, Date), and
  // a stream where no body may be or beside one; `out` is then as it was.
  void append(std::string& out, const Response& response, Method method, Persistence persistence,
              StreamFraming framing = StreamFraming::chunked);

 private:
  std::string_view date();

  std::time_t date_seconds_ = -1;
  std::string date_;
};

}  // namespace safawinet::http
