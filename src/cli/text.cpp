#include "cli/text.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

namespace safawinet::cli {
namespace {

struct Character {
  std::int32_t code = 0;  // negative: not UTF-8
  std::size_t size = 1;   // bytes
};

Character first_of(std::string_view text) {
  utf8proc_int32_t code = 0;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  const auto size = utf8proc_iterate(bytes, static_cast<utf8proc_ssize_t>(text.size()), &code);
  if (size <= 0) return {.code = -1, .size = 1};
  return {.code = code, .size = static_cast<std::size_t>(size)};
}

// Controls, formats (direction, joiners, tags), separators of lines and paragraphs, private use, unassigned, what a
// terminal shows nothing for (variation selectors, the grapheme joiner); the Hangul and Braille blanks look like
// nothing, too.
bool is_harmless(std::int32_t code) {
  if (code == ' ') return true;
  const auto category = utf8proc_category(code);
  const bool is_hidden = category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
                         category == UTF8PROC_CATEGORY_CS || category == UTF8PROC_CATEGORY_CO ||
                         category == UTF8PROC_CATEGORY_CN || category == UTF8PROC_CATEGORY_ZL ||
                         category == UTF8PROC_CATEGORY_ZP || category == UTF8PROC_CATEGORY_ZS;
  return !is_hidden && !utf8proc_get_property(code)->ignorable && code != 0x2800;
}

std::string formatted(const char* format, unsigned value) {
  std::array<char, 16> text{};
  const auto size = std::snprintf(text.data(), text.size(), format, value);
  return {text.data(), static_cast<std::size_t>(size)};
}

std::string escaped(std::int32_t code) {
  switch (code) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      break;
  }
  const auto value = static_cast<unsigned>(code);
  if (value < 0x80) return formatted("\\x%02x", value);
  return value > 0xFFFF ? formatted("\\U%08x", value) : formatted("\\u%04x", value);
}

std::string escaped_in_json(std::int32_t code) {
  const auto value = static_cast<unsigned>(code);
  if (value <= 0xFFFF) return formatted("\\u%04x", value);
  const auto offset = value - 0x10000;
  return formatted("\\u%04x", 0xD800 + (offset >> 10)) + formatted("\\u%04x", 0xDC00 + (offset & 0x3FF));
}

}  // namespace

std::string inert(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto character = first_of(text);
    if (character.code < 0) {
      out += formatted("\\x%02x", static_cast<unsigned char>(text.front()));
    } else if (is_harmless(character.code)) {
      out += text.substr(0, character.size);
    } else {
      out += escaped(character.code);
    }
    text.remove_prefix(character.size);
  }
  return out;
}

std::string inert_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  while (!json.empty()) {
    const auto character = first_of(json);
    if (character.code < 0) {
      out += "\\ufffd";
    } else if (character.code == '\n' || is_harmless(character.code)) {
      out += json.substr(0, character.size);
    } else {
      out += escaped_in_json(character.code);
    }
    json.remove_prefix(character.size);
  }
  return out;
}

std::string shell_word(std::string_view text) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("@%+=:,./_-").find(c) != std::string_view::npos;
  };
  if (!text.empty() && std::ranges::all_of(text, is_plain)) return std::string(text);
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string readable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto character = first_of(text);
    const bool is_control = character.code < ' ' && character.code != '\n' && character.code != '\r' &&
                            character.code != '\t';  // negative: not UTF-8
    out += is_control ? "?" : text.substr(0, character.size);
    text.remove_prefix(character.size);
  }
  return out;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto character = first_of(text);
    if (character.code < 0) return false;
    text.remove_prefix(character.size);
  }
  return true;
}

std::size_t width_of(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const auto character = first_of(text);
    columns += character.code < 0 ? 1 : static_cast<std::size_t>(utf8proc_charwidth(character.code));
    text.remove_prefix(character.size);
  }
  return columns;
}

std::string shortened(std::string_view text, std::size_t columns) {
  if (width_of(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  std::size_t used = 0;
  std::size_t bytes = 0;
  while (bytes < text.size()) {
    const auto character = first_of(text.substr(bytes));
    const auto width = character.code < 0 ? 1 : static_cast<std::size_t>(utf8proc_charwidth(character.code));
    if (used + width > columns - 1) break;
    used += width;
    bytes += character.size;
  }
  return std::string(text.substr(0, bytes)) + "…";
}

}  // namespace safawinet::cli
