#include "http/chunked.hpp"

#include <algorithm>
#include <cstdint>

#include "http/characters.hpp"
#include "http/fields.hpp"

namespace safawinet::http {
namespace {

constexpr Refusal bad_size{400, "A chunk size is not valid."};
constexpr Refusal bad_extension{400, "A chunk extension is not valid."};
constexpr Refusal bad_end{400, "A chunk does not end with CRLF."};
constexpr Refusal bad_line_end{400, "A line ends without CRLF."};
constexpr Refusal too_much_framing{400, "The chunked body has too many extensions or trailers."};
constexpr Refusal bad_trailer{400, "A trailer has a field that may not stand there."};
constexpr Refusal too_large{413, "The request body is too large."};

constexpr std::size_t size_digits_at_most = 16;

// The length of the quoted string (RFC 9110 section 5.6.4) at the start of the text; 0: there is none.
std::size_t quoted_string_length(std::string_view text) {
  if (text.empty() || text.front() != '"') return 0;
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '"') return at + 1;
    if (text[at] == '\\') ++at;
    if (at == text.size() || !is_in_class(text[at], character_class::field_value)) return 0;
  }
  return 0;
}

std::size_t token_length(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size() && is_in_class(text[length], character_class::token)) ++length;
  return length;
}

// *( ";" token [ "=" ( token / quoted-string ) ] )
bool are_extensions(std::string_view text) {
  while (!text.empty()) {
    if (text.front() != ';') return false;
    text.remove_prefix(1);
    const std::size_t name = token_length(text);
    if (name == 0) return false;
    text.remove_prefix(name);
    if (text.empty() || text.front() != '=') continue;
    text.remove_prefix(1);
    const std::size_t value = std::max(token_length(text), quoted_string_length(text));
    if (value == 0) return false;
    text.remove_prefix(value);
  }
  return true;
}

}  // namespace

void ChunkedDecoder::start(const ChunkedLimits& limits) {
  *this = ChunkedDecoder();
  limits_ = limits;
}

ChunkedDecoder::Progress ChunkedDecoder::feed(std::string_view input, std::string& body, std::size_t& consumed) {
  consumed = 0;
  while (true) {
    const std::string_view rest = input.substr(consumed);
    if (expecting_ == Expecting::data) {
      const std::size_t taken = std::min(chunk_left_, rest.size());
      body.append(rest.substr(0, taken));
      consumed += taken;
      chunk_left_ -= taken;
      if (chunk_left_ > 0) return Progress::need_more;
      expecting_ = Expecting::end_of_data;
      continue;
    }
    if (expecting_ == Expecting::end_of_data) {
      if (!std::string_view("\r\n").starts_with(rest.substr(0, 2))) return refuse(bad_end);
      if (rest.size() < 2) return Progress::need_more;
      consumed += 2;
      expecting_ = Expecting::size_line;
      continue;
    }
    const bool is_size_line = expecting_ == Expecting::size_line;
    const std::size_t longest = is_size_line ? limits_.size_line_bytes : limits_.trailer_bytes;
    const std::size_t line_feed = rest.substr(0, longest + 2).find('\n');
    if (line_feed == std::string_view::npos) {
      return rest.size() >= longest + 2 ? refuse(too_much_framing) : Progress::need_more;
    }
    if (line_feed == 0 || rest[line_feed - 1] != '\r') return refuse(bad_line_end);
    const std::string_view line = rest.substr(0, line_feed - 1);
    consumed += line_feed + 1;
    if (!is_size_line && line.empty()) return Progress::complete;
    const auto refusal = is_size_line ? read_size_line(line, body.size()) : read_trailer_line(line);
    if (refusal) return refuse(*refusal);
  }
}

ChunkedDecoder::Progress ChunkedDecoder::refuse(const Refusal& refusal) {
  refusal_ = refusal;
  return Progress::refused;
}

std::optional<Refusal> ChunkedDecoder::read_size_line(std::string_view line, std::size_t body_bytes) {
  std::uint64_t size = 0;
  std::size_t digits = 0;
  while (digits < line.size() && is_in_class(line[digits], character_class::hexadecimal)) {
    if (digits == size_digits_at_most) return bad_size;
    size = size << 4 | hexadecimal_value(line[digits++]);
  }
  if (digits == 0) return bad_size;
  const std::string_view extensions = line.substr(digits);
  if (!are_extensions(extensions)) return bad_extension;
  extension_bytes_ += extensions.size();
  if (extension_bytes_ > limits_.extension_bytes) return too_much_framing;
  if (size > limits_.body_bytes || body_bytes > limits_.body_bytes - size) return too_large;
  chunk_left_ = static_cast<std::size_t>(size);
  expecting_ = size == 0 ? Expecting::trailer_line : Expecting::data;
  return std::nullopt;
}

std::optional<Refusal> ChunkedDecoder::read_trailer_line(std::string_view line) {
  trailer_bytes_ += line.size() + 2;
  trailer_fields_ += 1;
  if (trailer_bytes_ > limits_.trailer_bytes || trailer_fields_ > limits_.trailer_fields) return too_much_framing;
  Field field;
  if (const auto refusal = parse_field_line(line, field)) return refusal;
  if (classify_field(field.name).kind != FieldKind::ordinary) return bad_trailer;
  return std::nullopt;
}

}  // namespace safawinet::http
