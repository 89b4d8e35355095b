// C++ names as JSON names, at compile time: email_verified -> emailVerified, account_deleted -> account-deleted.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace safawinet::json_names {

// Text whose size is known to the compiler.
template <std::size_t Size>
struct FixedText {
  std::array<char, Size> characters{};
  constexpr operator std::string_view() const { return {characters.data(), Size}; }  // NOLINT: is text in every way
};

// A trailing underscore is how C++ code avoids a keyword (`delete_`); it is not part of the name.
constexpr std::string_view without_trailing_underscore(std::string_view name) {
  return name.ends_with('_') ? name.substr(0, name.size() - 1) : name;
}

constexpr std::size_t camel_case_size(std::string_view name) {
  std::size_t size = 0;
  for (const char c : without_trailing_underscore(name)) size += c == '_' ? 0 : 1;
  return size;
}

constexpr void put_camel_case(std::string_view name, char* out) {
  bool starts_word = false;
  for (const char c : without_trailing_underscore(name)) {
    if (c == '_') {
      starts_word = true;
      continue;
    }
    const bool raise = starts_word && c >= 'a' && c <= 'z';
    *out++ = raise ? static_cast<char>(c - 'a' + 'A') : c;
    starts_word = false;
  }
}

// The JSON name of a described member (`Descriptor::name`): "emailVerified".
template <class Descriptor>
inline constexpr auto kCamelCase = [] {
  FixedText<camel_case_size(Descriptor::name)> text;
  put_camel_case(Descriptor::name, text.characters.data());
  return text;
}();

// What the encoder writes in front of the member's value: `,"emailVerified":`.
template <class Descriptor>
inline constexpr auto kMemberPrefix = [] {
  constexpr std::size_t size = camel_case_size(Descriptor::name);
  FixedText<size + 4> text;
  text.characters[0] = ',';
  text.characters[1] = '"';
  put_camel_case(Descriptor::name, text.characters.data() + 2);
  text.characters[size + 2] = '"';
  text.characters[size + 3] = ':';
  return text;
}();

// The JSON spelling of a described enumerator: "account-deleted".
template <class Descriptor>
inline constexpr auto kKebabCase = [] {
  constexpr std::string_view name = without_trailing_underscore(Descriptor::name);
  FixedText<name.size()> text;
  for (std::size_t i = 0; i < name.size(); ++i) text.characters[i] = name[i] == '_' ? '-' : name[i];
  return text;
}();

}  // namespace safawinet::json_names
