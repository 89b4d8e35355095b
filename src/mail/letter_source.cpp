#include "mail/letter_source.hpp"

#include <kainjow/mustache.hpp>

#include <algorithm>
#include <cstdint>
#include <stdexcept>

namespace safawinet {
namespace {

constexpr std::size_t kTextWidth = 76;                // code points
constexpr std::size_t kUntrustedLimit = 100;          // code points
constexpr std::string_view kIsolate = "\u2068";       // what follows has a direction of its own (UAX #9) …
constexpr std::string_view kEndOfIsolate = "\u2069";  // … until here
constexpr std::string_view kWordJoiner = "\u2060";    // invisible, and ends what looks like a host name

enum class Form { text, html };

struct Block {
  enum class Kind { paragraph, link, code } kind = Kind::paragraph;
  std::string content;
  std::string words{};  // of a link
};

std::vector<std::string> split_blocks(std::string_view body) {
  std::vector<std::string> blocks(1);
  while (!body.empty()) {
    const auto end = std::min(body.find('\n'), body.size());
    const auto line = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    if (line.empty()) {
      if (!blocks.back().empty()) blocks.emplace_back();
      continue;
    }
    if (!blocks.back().empty()) blocks.back() += ' ';
    blocks.back() += line;
  }
  if (blocks.back().empty()) blocks.pop_back();
  return blocks;
}

Block parse_block(const std::string& source) {
  if (source.starts_with("== ")) return {.kind = Block::Kind::code, .content = source.substr(3)};
  if (!source.starts_with("-> ")) return {.kind = Block::Kind::paragraph, .content = source};
  const auto space = source.find(' ', 3);
  if (space == std::string::npos) throw std::logic_error("a link without words: " + source);
  return {.kind = Block::Kind::link, .content = source.substr(3, space - 3), .words = source.substr(space + 1)};
}

std::string html_escape(const std::string& text) { return kainjow::mustache::html_escape(text); }

// How many bytes the character that begins here has.
std::size_t character_size(std::string_view text) {
  std::size_t size = 1;
  while (size < text.size() && (static_cast<std::uint8_t>(text[size]) & 0xC0U) == 0x80U) ++size;
  return size;
}

// Marks that turn the direction of what follows (U+202A to U+202E, U+2066 to U+2069), and line separators.
bool is_treacherous(std::string_view character) {
  if (character.size() == 1) return static_cast<std::uint8_t>(character[0]) < 0x20 || character[0] == 0x7F;
  if (character.size() == 2) return character[0] == '\xC2' && static_cast<std::uint8_t>(character[1]) < 0xA0;
  if (character.size() != 3 || character[0] != '\xE2') return false;
  const auto second = static_cast<std::uint8_t>(character[1]);
  const auto third = static_cast<std::uint8_t>(character[2]);
  return (second == 0x80 && third >= 0xA8 && third <= 0xAE) || (second == 0x81 && third >= 0xA6 && third <= 0xA9);
}

std::string made_harmless(std::string_view value) {
  std::string out;
  for (std::size_t characters = 0; !value.empty(); ++characters) {
    if (characters == kUntrustedLimit) return out + "\u2026";
    const auto character = value.substr(0, character_size(value));
    value.remove_prefix(character.size());
    if (is_treacherous(character)) {
      out += ' ';
      continue;
    }
    out += character;
    const bool is_separator = character == "." || character == ":" || character == "@";
    if (is_separator && !value.empty() && value.front() != ' ') out += kWordJoiner;
  }
  return out;
}

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<std::uint8_t>(c) & 0xC0U) != 0x80U; }));
}

std::string wrapped(std::string_view paragraph) {
  std::string out;
  std::size_t line = 0;
  while (!paragraph.empty()) {
    const auto end = std::min(paragraph.find(' '), paragraph.size());
    const auto word = paragraph.substr(0, end);
    paragraph.remove_prefix(std::min(end + 1, paragraph.size()));
    if (word.empty()) continue;
    const auto width = width_of(word);
    if (line != 0 && line + 1 + width > kTextWidth) {
      out += '\n';
      line = 0;
    }
    if (line != 0) {
      out += ' ';
      ++line;
    }
    out += word;
    line += width;
  }
  return out;
}

constexpr std::string_view kPageStyle =
    "margin:0;padding:24px 12px;background:#f4f5f7;color:#1f2430;"
    "font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif";
constexpr std::string_view kCardStyle =
    "max-width:34em;margin:0 auto;padding:24px 28px;background:#ffffff;border:1px solid #dfe2e8;border-radius:8px";
constexpr std::string_view kLinkStyle =
    "display:inline-block;padding:10px 18px;background:#1f4fd8;color:#ffffff;text-decoration:none;border-radius:6px";
constexpr std::string_view kCodeStyle =
    "font:15px/1.4 ui-monospace,Consolas,monospace;padding:8px 12px;background:#f4f5f7;border-radius:6px;"
    "word-break:break-all";

}  // namespace

LetterValues& LetterValues::trusted(std::string_view name, std::string value) {
  values_.emplace_back(name, std::move(value));
  return *this;
}

LetterValues& LetterValues::untrusted(std::string_view name, std::string_view value) {
  values_.emplace_back(name, made_harmless(value));
  return *this;
}

LetterValues& LetterValues::flag(std::string_view name) {
  flags_.emplace_back(name);
  return *this;
}

struct LetterWriter {
  const LetterValues& values;
  const Language& language;

  [[nodiscard]] std::string fill(std::string_view source, Form form, bool is_running_text) const {
    kainjow::mustache::mustache filled{std::string(source)};
    if (!filled.is_valid()) throw std::logic_error("a letter that is no mustache: " + filled.error_message());
    // In running text each value has a direction of its own, so that it leaves the sentence as it is.
    const bool isolates = is_running_text && language.direction == Direction::right_to_left;
    filled.set_custom_escape([form, isolates, is_running_text](const std::string& value) {
      if (form == Form::html) {
        return is_running_text ? "<bdi>" + html_escape(value) + "</bdi>" : html_escape(value);
      }
      return isolates ? std::string(kIsolate) + value + std::string(kEndOfIsolate) : value;
    });
    kainjow::mustache::data data;
    for (const auto& [name, value] : values.values_) data.set(name, value);
    for (const auto& name : values.flags_) data.set(name, kainjow::mustache::data::type::bool_true);
    return filled.render(data);
  }

  [[nodiscard]] std::string text_of(const Block& block) const {
    const bool is_running_text = block.kind == Block::Kind::paragraph;
    const auto filled = fill(block.content, Form::text, is_running_text);
    return is_running_text ? wrapped(filled) : filled;
  }

  [[nodiscard]] std::string html_of(const Block& block) const {
    switch (block.kind) {
      case Block::Kind::paragraph:
        return "<p>" + wrapped(fill(block.content, Form::html, true)) + "</p>";
      case Block::Kind::link:
        return "<p><a href=\"" + fill(block.content, Form::html, false) + "\"\nstyle=\"" + std::string(kLinkStyle) +
               "\">" + html_escape(block.words) + "</a></p>";
      case Block::Kind::code:
        return "<p style=\"" + std::string(kCodeStyle) + "\"\ndir=\"ltr\">" + fill(block.content, Form::html, false) +
               "</p>";
    }
    throw std::logic_error("no such kind of block");
  }

  [[nodiscard]] std::string page(std::string_view subject, std::string_view content, std::string_view service) const {
    const std::string_view direction = language.direction == Direction::right_to_left ? "rtl" : "ltr";
    std::string out = "<!doctype html>\n<html lang=\"" + std::string(language.tag) + "\" dir=\"";
    out.append(direction).append("\">\n<head>\n<meta charset=\"utf-8\">\n");
    out += "<meta name=\"viewport\" content=\"width=device-width\">\n";
    out += "<title>" + html_escape(std::string(subject)) + "</title>\n</head>\n";
    out.append("<body style=\"").append(kPageStyle).append("\">\n");
    out.append("<div style=\"").append(kCardStyle).append("\">\n").append(content);
    out += "<p style=\"margin-bottom:0;color:#5b6372;font-size:14px\">" + html_escape(std::string(service)) + "</p>\n";
    return out + "</div>\n</body>\n</html>\n";
  }
};

WrittenLetter write_letter(const LetterSource& source, const LetterValues& values, const Language& language,
                           std::string_view service) {
  const LetterWriter writer{.values = values, .language = language};
  WrittenLetter letter;
  letter.subject = writer.fill(source.subject, Form::text, false);
  std::string content;
  for (const auto& part : split_blocks(source.body)) {
    const auto block = parse_block(part);
    letter.text += writer.text_of(block) + "\n\n";
    content += writer.html_of(block) + "\n";
  }
  letter.text.append(service).append("\n");
  letter.html = writer.page(letter.subject, content, service);
  return letter;
}

}  // namespace safawinet
