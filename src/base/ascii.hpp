// Text of which the ASCII letters alone have a case, and ASCII alone is printed: names of protocols, hosts, headers,
// what other programs say. Of what people write, and of whole Unicode, something else has to take care.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace safawinet {

constexpr bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

inline std::string to_lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) { return to_lower(c); });
  return lower;
}

constexpr bool equals_ignoring_case(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, [](char a, char b) { return to_lower(a) == to_lower(b); });
}

constexpr bool contains_ignoring_case(std::string_view text, std::string_view lower) {
  return !std::ranges::search(text, lower, {}, [](char c) { return to_lower(c); }).empty();
}

// What is kept of a text that others sent, for the log and the database: of so many bytes at the most, and with '?' for
// whatever is no printable ASCII.
inline std::string printable(std::string_view text, std::size_t limit) {
  std::string kept(text.substr(0, limit));
  std::ranges::replace_if(kept, [](char c) { return c < 0x20 || c > 0x7E; }, '?');
  return kept;
}

}  // namespace safawinet
