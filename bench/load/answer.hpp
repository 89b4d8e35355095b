// Reads just as much of an HTTP/1.1 answer (RFC 9112) as a load generator needs: where it ends, its status, its body.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace safawinet::bench {

enum class Reading { incomplete, complete, unreadable };

struct Answer {
  int status = 0;
  bool keeps_connection = true;
  std::string_view body;  // points into the bytes that were read
  std::size_t size = 0;   // of the whole answer: the next one begins here
};

// Answers are framed by Content-Length (or have no body by their status); chunked ones are `unreadable`, since our
// server never sends them. `answer` is filled when the reading is complete.
Reading read_answer(std::string_view bytes, Answer& answer);

// The text of `"name":"…"` in a JSON object, without unescaping; none when it is absent or not a string.
std::optional<std::string_view> find_json_text(std::string_view json, std::string_view name);

// Whether it is a token in the sense of RFC 6750 (b64token): it can stand in a header and in a JSON string as it is.
bool is_token(std::string_view text);

}  // namespace safawinet::bench
