#include "crypto/password_policy.hpp"

#include <zxcvbn.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/secret.hpp"
#include "crypto/common_passwords.hpp"

namespace safawinet {
namespace {

// zxcvbn's time grows faster than its input. What lies beyond could only make a password stronger.
constexpr std::size_t kEstimatedBytes = 100;

constexpr std::string_view kProduct = "safawinet";
constexpr std::size_t kContextWordLeast = 4;  // shorter ones occur in good passwords by chance
constexpr std::size_t kContextWordLimit = 64;
constexpr std::size_t kContextWordsLimit = 16;
constexpr std::size_t kLeastBesideContext = 8;
constexpr std::size_t kDecorationLimit = 4;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// Bytes of other scripts count as letters.
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80; }
bool is_word_character(char c) { return is_letter(c) || (c >= '0' && c <= '9'); }

void add_word(std::vector<std::string>& words, std::string_view word) {
  if (word.size() < kContextWordLeast || word.size() > kContextWordLimit || words.size() >= kContextWordsLimit) return;
  if (std::ranges::find(words, word) == words.end()) words.emplace_back(word);
}

// The whole text and each word in it.
void add_words_of(std::vector<std::string>& words, std::string_view text) {
  const std::string lowered = lower(text);
  add_word(words, lowered);
  for (auto at = lowered.begin(); at != lowered.end();) {
    const auto begin = std::find_if(at, lowered.end(), is_word_character);
    at = std::find_if_not(begin, lowered.end(), is_word_character);
    add_word(words, std::string_view(begin, at));
  }
}

std::vector<std::string> context_words(const PasswordContext& context) {
  std::vector<std::string> words;
  add_word(words, kProduct);
  const auto at = context.email.find('@');
  add_words_of(words, context.email.substr(0, at));
  if (at != std::string_view::npos) add_words_of(words, context.email.substr(at + 1));
  add_words_of(words, context.name);
  // Longest first, so that taking one out does not break a longer one that holds it.
  std::ranges::sort(words, std::greater(), &std::string::size);
  return words;
}

std::size_t count_code_points(std::string_view utf8) {
  return static_cast<std::size_t>(std::ranges::count_if(utf8, [](char c) { return (c & 0xC0) != 0x80; }));
}

bool is_mostly_context(const SecretText& lowered, const std::vector<std::string>& words) {
  std::string rest(lowered.reveal());
  bool has_word = false;
  for (const auto& word : words) {
    for (auto at = rest.find(word); at != std::string::npos; at = rest.find(word, at)) {
      rest.erase(at, word.size());
      has_word = true;
    }
  }
  const auto left = count_code_points(rest);
  const SecretText wiped(std::move(rest));
  return has_word && left < kLeastBesideContext;
}

// "Password2026!" is "password" with the usual decoration.
bool is_common(const SecretText& lowered) {
  std::string_view text = lowered.reveal();
  if (is_common_password(text)) return true;
  for (std::size_t i = 0; i < kDecorationLimit && !text.empty() && !is_letter(text.back()); ++i) {
    text.remove_suffix(1);
    if (is_common_password(text)) return true;
  }
  return false;
}

double estimated_bits(const PasswordText& password, const std::vector<std::string>& words) {
  std::vector<const char*> dictionary;
  for (const auto& word : words) dictionary.push_back(word.c_str());
  dictionary.push_back(nullptr);
  std::string head(password.reveal().substr(0, kEstimatedBytes));
  const double bits = ZxcvbnMatch(head.c_str(), dictionary.data(), nullptr);
  const SecretText wiped(std::move(head));
  return bits;
}

}  // namespace

PasswordPolicy::PasswordPolicy(std::size_t minimum_length) : minimum_length_(minimum_length) {
  if (minimum_length < kPasswordMinimumWithSecondFactor || minimum_length > kPasswordLimit) {
    throw std::invalid_argument("the minimum length of passwords is between 8 and 256");
  }
}

std::vector<PasswordFault> PasswordPolicy::check(const PasswordText& password, const PasswordContext& context) const {
  std::vector<PasswordFault> faults;
  if (password.length() < minimum_length_) {
    faults.push_back(
        {.code = "too-short", .detail = "A password has at least " + std::to_string(minimum_length_) + " characters."});
  }
  const SecretText lowered(lower(password.reveal()));
  if (is_common(lowered)) {
    faults.push_back({.code = "too-common", .detail = "This is one of the passwords that are tried first everywhere."});
    return faults;
  }
  const auto words = context_words(context);
  if (is_mostly_context(lowered, words)) {
    faults.push_back(
        {.code = "too-easy-to-guess",
         .detail = "This is little more than your name, your e-mail address or the name of this service."});
  } else if (estimated_bits(password, words) < kPasswordLeastBits) {
    faults.push_back({.code = "too-easy-to-guess",
                      .detail = "This would be guessed quickly. A few words that do not belong together are better."});
  }
  return faults;
}

std::expected<PasswordText, std::vector<PasswordFault>> PasswordPolicy::accept(std::string_view raw,
                                                                               const PasswordContext& context) const {
  auto password = PasswordText::from(raw);
  if (!password) return std::unexpected(std::vector{password.error()});
  auto faults = check(*password, context);
  if (!faults.empty()) return std::unexpected(std::move(faults));
  return *std::move(password);
}

}  // namespace safawinet
