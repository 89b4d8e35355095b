// Inside src/crypto only: what two spellings of a word have in common for whoever guesses.
#pragma once

#include <string>
#include <string_view>

namespace safawinet {

// UTF-8 in lower case, of every script. What is not UTF-8 ends there.
std::string lower_case(std::string_view text);

enum class Separators { kept, dropped };

// Without case, marks and compatibility forms, and with what is written for letters ("0", "@", "$", "!") as those
// letters: "R\u00d6SAMUND3" and "rosamunde" are the same. One spelling for both sides of a comparison, not a
// translation. `dropped`: of letters and digits alone. Empty for what is not UTF-8. The caller wipes it where it is
// secret.
std::u32string guessable_form(std::string_view text, Separators separators);

}  // namespace safawinet
