#include "accounts/email_address.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "base/ascii.hpp"

namespace safawinet {
namespace {

constexpr std::size_t kAddressLimit = 254;
constexpr std::size_t kLocalPartLimit = 64;
constexpr std::size_t kLabelLimit = 63;

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// RFC 5322 section 3.2.3
bool is_atom_character(char c) {
  return is_letter_or_digit(c) || std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}

bool is_atom(std::string_view part) { return !part.empty() && std::ranges::all_of(part, is_atom_character); }

// Cyrillic and Greek look like Latin: beside it they are somebody's trick. (ISO 15924 has more; these three are taken
// for each other.)
enum class Script { latin, greek, cyrillic, other };
Script script_of(utf8proc_int32_t character) {
  if (character < 0x250 || (character >= 0x1E00 && character < 0x1F00)) return Script::latin;
  if ((character >= 0x370 && character < 0x400) || (character >= 0x1F00 && character < 0x2000)) return Script::greek;
  if (character >= 0x400 && character < 0x530) return Script::cyrillic;
  return Script::other;
}

bool is_letter_mark_or_digit(utf8proc_category_t category) {
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_MC) || category == UTF8PROC_CATEGORY_ND;
}

// Unchanged when it is folded, ASCII aside.
bool is_folded(std::string_view text) {
  utf8proc_uint8_t* folded = nullptr;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT |
                                                      UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                 static_cast<utf8proc_ssize_t>(text.size()), &folded, options);
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owned(folded, std::free);
  if (size < 0 || static_cast<std::size_t>(size) != text.size()) return false;
  return std::equal(text.begin(), text.end(), folded, [](char c, utf8proc_uint8_t f) {
    const auto byte = static_cast<utf8proc_uint8_t>(c);
    return byte == f || (byte < 0x80 && (byte | 0x20U) == f);
  });
}

bool is_international_local_part(std::string_view text) {
  bool has_dot = true;  // one may not begin with it
  std::optional<Script> script;
  for (auto rest = text; !rest.empty();) {
    utf8proc_int32_t character = 0;
    const auto size = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(rest.data()),
                                       static_cast<utf8proc_ssize_t>(rest.size()), &character);
    if (size <= 0) return false;
    const bool is_dot = character == '.';
    const bool is_plain = character < 0x80 && is_atom_character(static_cast<char>(character));
    if (is_dot ? has_dot : !is_plain && (character < 0x80 || !is_letter_mark_or_digit(utf8proc_category(character)))) {
      return false;
    }
    const bool is_letter = character >= 0x80 || (character | 0x20) >= 'a';
    if (is_letter && is_letter_mark_or_digit(utf8proc_category(character))) {
      const auto its = script_of(character);
      if (script && *script != its) return false;
      script = its;
    }
    has_dot = is_dot;
    rest.remove_prefix(static_cast<std::size_t>(size));
  }
  return !has_dot && is_folded(text);
}

bool is_label(std::string_view part) {
  return !part.empty() && part.size() <= kLabelLimit && part.front() != '-' && part.back() != '-' &&
         std::ranges::all_of(part, [](char c) { return is_letter_or_digit(c) || c == '-'; });
}

template <class Check>
bool all_parts(std::string_view text, Check check) {
  for (;;) {
    const auto dot = text.find('.');
    if (!check(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

}  // namespace

std::optional<EmailAddress> EmailAddress::parse(std::string_view text) {
  if (text.size() > kAddressLimit) return std::nullopt;
  const auto at = text.find('@');
  if (at == std::string_view::npos || at > kLocalPartLimit) return std::nullopt;
  const auto local_part = text.substr(0, at);
  const bool is_local_part =
      is_ascii(local_part) ? all_parts(local_part, is_atom) : is_international_local_part(local_part);
  if (!is_local_part || !all_parts(text.substr(at + 1), is_label)) return std::nullopt;
  return EmailAddress(std::string(text));
}

std::string EmailAddress::key() const {
  std::string key = text_;
  for (char& c : key) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return key;
}

}  // namespace safawinet
