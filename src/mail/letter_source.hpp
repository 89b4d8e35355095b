// One source of a letter, and its two forms: plain text, and HTML for those who show it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace safawinet {

enum class Direction { left_to_right, right_to_left };

struct Language {
  std::string_view tag;  // BCP 47
  Direction direction = Direction::left_to_right;
};

// Mustache, in blocks with an empty line between them. A block is a paragraph, whose line ends are nothing but spaces,
// or one of
//   -> {{link}} Words    a link: in the text the address on a line of its own, in HTML the words
//   == {{code}}          something to be copied
// There is no raw interpolation: what goes in is escaped for where it goes.
struct LetterSource {
  std::string_view subject;
  std::string_view body;
};

// What goes into a source, by name. `trusted` is ours (links, times); everything else may have been written by anybody:
// it becomes one line of at most 100 characters, with no control characters, and with nothing that mail programs take
// for a link.
class LetterValues {
 public:
  LetterValues& trusted(std::string_view name, std::string value);
  LetterValues& untrusted(std::string_view name, std::string_view value);
  // Shows the sections of that name.
  LetterValues& flag(std::string_view name);

 private:
  friend struct LetterWriter;
  std::vector<std::pair<std::string, std::string>> values_;
  std::vector<std::string> flags_;
};

struct WrittenLetter {
  std::string subject;
  std::string text;
  std::string html;
};

// `service`: whom the mail is from, below the text.
WrittenLetter write_letter(const LetterSource& source, const LetterValues& values, const Language& language,
                           std::string_view service);

}  // namespace safawinet
