// The chunked transfer coding (RFC 9112 section 7.1), decoded strictly.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "http/refusal.hpp"

namespace safawinet::http {

struct ChunkedLimits {
  std::size_t body_bytes = 0;
  std::size_t size_line_bytes = 256;       // a chunk size with its extensions
  std::size_t extension_bytes = 4 * 1024;  // in all size lines of a message
  std::size_t trailer_bytes = 4 * 1024;
  std::size_t trailer_fields = 32;
};

// Decodes one body piece by piece. A chunk size has 1 to 16 hexadecimal digits, lines end with CRLF exactly, extensions
// must be in the grammar (without the white space that it tolerates) and are ignored. Trailer fields are checked as
// field lines and dropped, never merged; one that would frame or identify the message is refused.
class ChunkedDecoder {
 public:
  enum class Progress { need_more, complete, refused };

  void start(const ChunkedLimits& limits);
  // Reads from `input` as far as it goes, appends the data to `body`, and sets `consumed` to how much it has used up.
  // The rest (a line that has not ended, or the next message) is to be given again, in front of what comes after it.
  Progress feed(std::string_view input, std::string& body, std::size_t& consumed);
  [[nodiscard]] const Refusal& refusal() const { return refusal_; }

 private:
  enum class Expecting { size_line, data, end_of_data, trailer_line };

  Progress refuse(const Refusal& refusal);
  std::optional<Refusal> read_size_line(std::string_view line, std::size_t body_bytes);
  std::optional<Refusal> read_trailer_line(std::string_view line);

  ChunkedLimits limits_;
  Expecting expecting_ = Expecting::size_line;
  std::size_t chunk_left_ = 0;
  std::size_t extension_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::size_t trailer_fields_ = 0;
  Refusal refusal_;
};

}  // namespace safawinet::http
