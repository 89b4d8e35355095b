#include "accounts/email_address.hpp"

#include <algorithm>

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
  if (!all_parts(text.substr(0, at), is_atom) || !all_parts(text.substr(at + 1), is_label)) return std::nullopt;
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
