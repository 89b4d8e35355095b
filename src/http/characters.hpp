// Which characters may stand where in a message (RFC 9110 section 5, RFC 3986 section 2), and text without regard to
// case.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/ascii.hpp"

namespace safawinet::http {

namespace character_class {
inline constexpr std::uint8_t token = 1;        // RFC 9110 section 5.6.2
inline constexpr std::uint8_t field_value = 2;  // RFC 9110 section 5.5: visible, space, tab, and the bytes from 0x80
inline constexpr std::uint8_t path = 4;         // RFC 3986 pchar without "%", and "/"
inline constexpr std::uint8_t query = 8;        // the same and "?"
inline constexpr std::uint8_t host = 16;        // names and IPv4 addresses: letters, digits, "-", ".", "_"
inline constexpr std::uint8_t digit = 32;
inline constexpr std::uint8_t hexadecimal = 64;

constexpr std::array<std::uint8_t, 256> make_table() {
  std::array<std::uint8_t, 256> table{};
  const auto mark = [&table](std::string_view characters, std::uint8_t classes) {
    for (const char character : characters) table[static_cast<unsigned char>(character)] |= classes;
  };
  for (std::size_t value = 0x20; value < 0x100; ++value) {
    if (value != 0x7f) table[value] |= field_value;
  }
  mark("\t", field_value);
  mark("0123456789", token | path | query | host | digit | hexadecimal);
  mark("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", token | path | query | host);
  mark("abcdefABCDEF", hexadecimal);
  mark("!#$%&'*+-.^_`|~", token);
  mark("-._~!$&'()*+,;=:@/", path | query);
  mark("?", query);
  mark("-._", host);
  return table;
}
inline constexpr std::array<std::uint8_t, 256> table = make_table();
}  // namespace character_class

constexpr bool is_in_class(char character, std::uint8_t classes) {
  return (character_class::table[static_cast<unsigned char>(character)] & classes) != 0;
}

// Whether every character is in the class; true for the empty text.
constexpr bool all_in_class(std::string_view text, std::uint8_t classes) {
  for (const char character : text) {
    if (!is_in_class(character, classes)) return false;
  }
  return true;
}

constexpr bool is_token(std::string_view text) { return !text.empty() && all_in_class(text, character_class::token); }

using safawinet::equals_ignoring_case;
using safawinet::to_lower;

// The value of a hexadecimal digit; the caller has checked that it is one.
constexpr unsigned hexadecimal_value(char digit) {
  return static_cast<unsigned>(digit <= '9' ? digit - '0' : to_lower(digit) - 'a' + 10);
}

// Whether the bytes are UTF-8 as RFC 3629 has it: shortest form, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

}  // namespace safawinet::http
