#include "cli/text.hpp"

#include <gtest/gtest.h>

namespace safawinet::cli {
namespace {

TEST(Inert, LeavesOrdinaryTextOfAnyScriptAsItIs) {
  for (const std::string text : {"Ada Lovelace", "Zoë", "名前", "שלום", "e\u0301", "a\\b", "<b>'\"&"}) {
    EXPECT_EQ(inert(text), text);
  }
}

TEST(Inert, ShowsControlCharactersAndEscapeSequences) {
  EXPECT_EQ(inert("a\r\nb\tc"), "a\\r\\nb\\tc");
  EXPECT_EQ(inert("\x1b[2J\x07"), "\\x1b[2J\\x07");
  EXPECT_EQ(inert(std::string("\0", 1)), "\\x00");
  EXPECT_EQ(inert("\x7f"), "\\x7f");
  EXPECT_EQ(inert("\u009b31m"), "\\u009b31m");
}

TEST(Inert, ShowsWhatTurnsOrHidesText) {
  EXPECT_EQ(inert("\u202egpj.exe"), "\\u202egpj.exe");
  EXPECT_EQ(inert("\u2066x\u2069"), "\\u2066x\\u2069");
  EXPECT_EQ(inert("a\u200bb\u00adc\ufeff"), "a\\u200bb\\u00adc\\ufeff");
  EXPECT_EQ(inert("a\u2028b"), "a\\u2028b");
  EXPECT_EQ(inert("\U000E0041"), "\\U000e0041");
  EXPECT_EQ(inert("\u00a0\u3000\u3164"), "\\u00a0\\u3000\\u3164");
}

TEST(Inert, ShowsWhatATerminalShowsNothingFor) {
  EXPECT_EQ(inert("a\u034fb\ufe0f"), "a\\u034fb\\ufe0f");
  EXPECT_EQ(inert("\u17b4\u180b\U000E0100"), "\\u17b4\\u180b\\U000e0100");
}

TEST(ShellWord, PutsInQuotesWhatAShellWouldTakeApart) {
  EXPECT_EQ(shell_word("ada@example.com"), "ada@example.com");
  EXPECT_EQ(shell_word("a;b's"), "'a;b'\\''s'");
  EXPECT_EQ(shell_word(""), "''");
}

TEST(Readable, KeepsTheSizeAndReplacesWhatIsNoText) {
  EXPECT_EQ(readable(std::string("a\0b\xff\x1b\n\tZoë", 11)), std::string("a?b??\n\tZoë", 11));
}

TEST(Inert, ShowsBytesThatAreNotUtf8) {
  EXPECT_EQ(inert("a\xff\xc3"), "a\\xff\\xc3");
  EXPECT_EQ(inert("\xed\xa0\x80"), "\\xed\\xa0\\x80");
}

TEST(InertJson, EscapesInsideStringsAndChangesNoMeaning) {
  EXPECT_EQ(inert_json("{\"a\":\"\u202e\u009b\x7f\"}"), "{\"a\":\"\\u202e\\u009b\\u007f\"}");
  EXPECT_EQ(inert_json("\"\U000E0041\""), "\"\\udb40\\udc41\"");
  EXPECT_EQ(inert_json("[\"Zoë\",\"名\"]\n"), "[\"Zoë\",\"名\"]\n");
}

TEST(Width, CountsColumnsAndNotBytes) {
  EXPECT_EQ(width_of("abc"), 3U);
  EXPECT_EQ(width_of("Zoë"), 3U);
  EXPECT_EQ(width_of("名前"), 4U);
  EXPECT_EQ(width_of("e\u0301"), 1U);
}

TEST(Shortened, NeverTakesMoreColumnsThanThereAre) {
  EXPECT_EQ(shortened("abcdef", 6), "abcdef");
  EXPECT_EQ(shortened("abcdefg", 6), "abcde…");
  EXPECT_EQ(shortened("名前名前", 6), "名前…");
  EXPECT_EQ(shortened("abc", 1), "…");
  EXPECT_EQ(shortened("abc", 0), "");
  for (std::size_t columns = 1; columns < 12; ++columns)
    EXPECT_LE(width_of(shortened("名a前b名c前d", columns)), columns);
}

}  // namespace
}  // namespace safawinet::cli
