// Field lines (RFC 9110 section 5, RFC 9112 section 5) and what the reader must know about some of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/message.hpp"
#include "http/refusal.hpp"

namespace safawinet::http {

// Reads one field line, without its CRLF. Refused: folded lines, white space before the colon, names that are no token,
// control characters and text that is not UTF-8 in the value.
std::optional<Refusal> parse_field_line(std::string_view line, Field& field);

// Fields that the reader acts on have a number of their own; the other numbers only tell one single-valued field from
// another.
enum class FieldKind : std::uint8_t { ordinary, connection, host, content_length, transfer_encoding, expect, single };

struct FieldClass {
  FieldKind kind = FieldKind::ordinary;
  std::uint8_t single_index = 0;  // below 64; 0: may be repeated
};

// What a field is to the reader. A field that identifies someone or frames the message, and any other field of which
// one part of a system might take the first line and another the last, may stand only once.
FieldClass classify_field(std::string_view name);

}  // namespace safawinet::http
