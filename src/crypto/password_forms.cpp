#include "crypto/password_forms.hpp"

#include <sodium.h>
#include <utf8proc.h>

#include <array>
#include <vector>

namespace safawinet {
namespace {

char32_t letter_of(char32_t c) {
  switch (c) {
    case U'0':
      return U'o';
    case U'1':
    case U'!':
    case U'|':
    case U'l':
      return U'i';
    case U'2':
      return U'z';
    case U'3':
    case U'\u20ac':
      return U'e';
    case U'4':
    case U'@':
      return U'a';
    case U'5':
    case U'$':
      return U's';
    case U'6':
    case U'9':
      return U'g';
    case U'7':
    case U'+':
      return U't';
    case U'8':
      return U'b';
    default:
      return c;
  }
}

bool is_letter_or_digit(utf8proc_int32_t c) {
  const auto category = utf8proc_category(c);
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) || category == UTF8PROC_CATEGORY_ND;
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string lowered;
  lowered.reserve(2 * text.size());  // some letters take more bytes; so no former copy is left behind
  const auto* at = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  auto left = static_cast<utf8proc_ssize_t>(text.size());
  while (left > 0) {
    utf8proc_int32_t c = 0;
    const auto size = utf8proc_iterate(at, left, &c);
    if (size <= 0) break;
    std::array<utf8proc_uint8_t, 4> bytes{};
    const auto encoded = utf8proc_encode_char(utf8proc_tolower(c), bytes.data());
    lowered.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(encoded));
    at += size;
    left -= size;
  }
  return lowered;
}

std::u32string guessable_form(std::string_view text, Separators separators) {
  constexpr auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT |
                                                          UTF8PROC_CASEFOLD | UTF8PROC_STRIPMARK);
  const auto* const bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  const auto size = static_cast<utf8proc_ssize_t>(text.size());
  const auto count = utf8proc_decompose(bytes, size, nullptr, 0, options);
  if (count <= 0) return {};
  std::vector<utf8proc_int32_t> points(static_cast<std::size_t>(count));
  utf8proc_decompose(bytes, size, points.data(), count, options);
  std::u32string form;
  form.reserve(points.size());
  for (const auto point : points) {
    if (separators == Separators::kept || is_letter_or_digit(point)) {
      form += letter_of(static_cast<char32_t>(point));
    }
  }
  sodium_memzero(points.data(), points.size() * sizeof points.front());
  return form;
}

}  // namespace safawinet
