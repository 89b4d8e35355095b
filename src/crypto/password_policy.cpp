#include "crypto/password_policy.hpp"

#include <sodium.h>
#include <zxcvbn.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/secret.hpp"
#include "crypto/common_passwords.hpp"
#include "crypto/password_forms.hpp"

namespace safawinet {
namespace {

// zxcvbn's time grows faster than its input. What lies beyond could only make a password stronger.
constexpr std::size_t kEstimatedBytes = 100;

constexpr std::string_view kProduct = "safawinet";
constexpr std::size_t kContextWordLeast = 4;   // shorter ones occur in good passwords by chance
constexpr std::size_t kContextWordLimit = 64;  // bytes
constexpr std::size_t kContextWordsLimit = 32;
constexpr std::size_t kLeastBesideContext = 8;
constexpr std::size_t kDecorationLimit = 4;

// Bytes of other scripts count as letters.
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80; }
bool is_word_character(char c) { return is_letter(c) || (c >= '0' && c <= '9'); }

void add_word(std::vector<std::string>& words, std::string_view word) {
  if (word.size() < kContextWordLeast || word.size() > kContextWordLimit || words.size() >= kContextWordsLimit) return;
  if (std::ranges::find(words, word) == words.end()) words.emplace_back(word);
}

// The whole text, each word in it, and the letters of each: "lovelace1815", "lovelace".
void add_words_of(std::vector<std::string>& words, std::string_view text) {
  const std::string lowered = lower_case(text);
  add_word(words, lowered);
  for (bool (*const belongs)(char) : {is_word_character, is_letter}) {
    for (auto at = lowered.begin(); at != lowered.end();) {
      const auto begin = std::find_if(at, lowered.end(), belongs);
      at = std::find_if_not(begin, lowered.end(), belongs);
      add_word(words, std::string_view(begin, at));
    }
  }
}

std::vector<std::string> context_words(const PasswordContext& context, const std::vector<std::string>& services) {
  std::vector<std::string> words;
  add_word(words, kProduct);
  const auto at = context.email.find('@');
  add_words_of(words, context.email.substr(0, at));
  if (at != std::string_view::npos) add_words_of(words, context.email.substr(at + 1));
  add_words_of(words, context.name);
  for (const auto& service : services) add_words_of(words, service);
  return words;
}

// A form of the password that is wiped.
class SecretForm {
 public:
  SecretForm(std::string_view text, Separators separators) : form_(guessable_form(text, separators)) {}
  ~SecretForm() {
    form_.resize(form_.capacity());  // what was taken out has left the rest behind the end
    sodium_memzero(form_.data(), form_.size() * sizeof(char32_t));
  }
  SecretForm(const SecretForm&) = delete;
  SecretForm& operator=(const SecretForm&) = delete;

  void take_out(const std::u32string& word) {
    for (auto at = form_.find(word); at != std::u32string::npos; at = form_.find(word, at)) {
      form_.erase(at, word.size());
      has_word_ = true;
    }
  }
  [[nodiscard]] bool is_mostly_words() const { return has_word_ && form_.size() < kLeastBesideContext; }

 private:
  std::u32string form_;
  bool has_word_ = false;
};

// Forwards and backwards. Longest first, so that taking one out does not break a longer one that holds it.
std::vector<std::u32string> forms_of(const std::vector<std::string>& words, Separators separators) {
  std::vector<std::u32string> forms;
  for (const auto& word : words) {
    auto form = guessable_form(word, separators);
    if (form.size() < kContextWordLeast) continue;
    forms.emplace_back(form.rbegin(), form.rend());
    forms.push_back(std::move(form));
  }
  std::ranges::sort(forms, std::greater(), &std::u32string::size);
  return forms;
}

// "R0samund3-2026", "ednumasor1234" and "r.o.s.a.m.u.n.d.e" are little more than "Rosamunde".
bool is_mostly_context(const PasswordText& password, const std::vector<std::string>& words) {
  for (const auto separators : {Separators::kept, Separators::dropped}) {
    SecretForm rest(password.reveal(), separators);
    for (const auto& form : forms_of(words, separators)) rest.take_out(form);
    if (rest.is_mostly_words()) return true;
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

PasswordPolicy::PasswordPolicy(PasswordRules rules) : rules_(std::move(rules)) {
  if (rules_.minimum_length < kPasswordMinimumWithSecondFactor || rules_.minimum_length > kPasswordLimit) {
    throw std::invalid_argument("the minimum length of passwords is between 8 and 256");
  }
}

std::vector<PasswordFault> PasswordPolicy::check(const PasswordText& password, const PasswordContext& context) const {
  std::vector<PasswordFault> faults;
  if (password.length() < rules_.minimum_length) {
    faults.push_back({.code = "too-short",
                      .detail = "A password has at least " + std::to_string(rules_.minimum_length) + " characters."});
  }
  const SecretText lowered(lower_case(password.reveal()));
  if (is_common(lowered)) {
    faults.push_back({.code = "too-common", .detail = "This is one of the passwords that are tried first everywhere."});
    return faults;
  }
  const auto words = context_words(context, rules_.service_names);
  if (is_mostly_context(password, words)) {
    faults.push_back(
        {.code = "too-easy-to-guess",
         .detail = "This is little more than your name, your e-mail address or the name of this service."});
  } else if (estimated_bits(password, words) < kPasswordLeastBits) {
    faults.push_back({.code = "too-easy-to-guess",
                      .detail = "This would be guessed quickly. A few words that do not belong together are better."});
  }
  return faults;
}

// "Password2026!" is "password" with the usual decoration.
bool PasswordPolicy::is_common(const SecretText& lowered) const {
  const auto is_listed = [&](std::string_view text) {
    return is_common_password(text) || (rules_.blocklist != nullptr && rules_.blocklist->contains(text));
  };
  std::string_view text = lowered.reveal();
  if (is_listed(text)) return true;
  for (std::size_t i = 0; i < kDecorationLimit && !text.empty() && !is_letter(text.back()); ++i) {
    text.remove_suffix(1);
    if (is_listed(text)) return true;
  }
  return false;
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
