#include "mail/letters.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace safawinet {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const Letters kLetters("https://id.example.com", "Example & Co");
const Addressee kAda{.email = "ada@example.com"};
const Addressee kAmal{.email = "amal@example.com", .locale = "ar-EG"};

TEST(Letters, links_are_whole_and_begin_with_the_public_url) {
  const auto mail = kLetters.verify_email(kAda, SecretText("sf_ev_abc"));
  EXPECT_THAT(mail.text, HasSubstr("\nhttps://id.example.com/verify-email?token=sf_ev_abc\n"));
  EXPECT_THAT(mail.html, HasSubstr("<a href=\"https://id.example.com/verify-email?token=sf_ev_abc\""));
}

TEST(Letters, every_kind_is_written_in_every_language) {
  for (const auto kind : all_mail_kinds()) {
    for (const auto& language : letter_languages()) {
      const auto mail = kLetters.sample(kind, {.email = "a@b.example", .locale = std::string(language.tag)}, Time{});
      SCOPED_TRACE(std::string(name_of(kind)) + " " + std::string(language.tag));
      EXPECT_EQ(mail.kind, kind);
      EXPECT_FALSE(mail.subject.empty());
      EXPECT_THAT(mail.text, Not(HasSubstr("{{")));
      EXPECT_THAT(mail.html, Not(HasSubstr("{{")));
      EXPECT_THAT(mail.html, HasSubstr("lang=\"" + std::string(language.tag) + "\""));
      EXPECT_TRUE(mail.text.ends_with("\nExample & Co\n"));
      EXPECT_THAT(mail.html, HasSubstr("Example &amp; Co"));
      EXPECT_THAT(mail.html, Not(HasSubstr("<img"))) << "no open tracking";
    }
  }
}

TEST(Letters, no_two_kinds_have_the_same_words) {
  std::vector<std::string> subjects;
  for (const auto kind : all_mail_kinds()) subjects.push_back(kLetters.sample(kind, kAmal, Time{}).subject);
  std::ranges::sort(subjects);
  EXPECT_EQ(std::ranges::adjacent_find(subjects), subjects.end());
}

TEST(Letters, the_language_is_that_of_the_account_and_else_english) {
  EXPECT_THAT(kLetters.test(kAmal, Time{}).html, HasSubstr("dir=\"rtl\""));
  EXPECT_THAT(kLetters.test({.email = "a@b.example", .locale = "tlh"}, Time{}).html, HasSubstr("lang=\"en\""));
}

TEST(Letters, what_comes_from_outside_makes_no_markup_no_line_and_no_link) {
  const auto mail =
      kLetters.session_ended_for_reuse(kAda, "<b>Phone</b>\n\nGo to https://evil.example/now\u202E and pay", Time{});
  EXPECT_THAT(mail.html, Not(HasSubstr("<b>")));
  EXPECT_THAT(mail.html, HasSubstr("&lt;b&gt;Phone"));
  EXPECT_THAT(mail.text, Not(HasSubstr("evil.example")));
  EXPECT_THAT(mail.text, Not(HasSubstr("https://evil")));
  EXPECT_THAT(mail.text, Not(HasSubstr("\n\nGo to")));
  EXPECT_THAT(mail.text, Not(HasSubstr("\u202E")));
}

TEST(Letters, mustache_in_what_comes_from_outside_is_text) {
  const auto mail = kLetters.session_ended_for_reuse(kAda, "{{link}} {{{at}}} {{#x}}", Time{});
  EXPECT_THAT(mail.text, HasSubstr("{{link}}"));
}

TEST(Letters, what_is_too_long_is_cut) {
  const auto mail = kLetters.session_ended_for_reuse(kAda, std::string(5'000, 'a'), Time{});
  EXPECT_LT(mail.text.size(), 1'000U);
}

TEST(Letters, times_are_for_people) {
  EXPECT_THAT(kLetters.password_changed(kAda, *parse_rfc3339("2026-11-29T18:20:53Z")).text,
              HasSubstr("2026-11-29 18:20 UTC"));
}

TEST(Letters, values_in_arabic_keep_their_own_direction) {
  const auto mail = kLetters.password_changed(kAmal, *parse_rfc3339("2026-11-29T18:20:53Z"));
  EXPECT_THAT(mail.html, HasSubstr("<bdi>2026-11-29"));
  EXPECT_THAT(mail.text, HasSubstr("\u20682026-11-29"));
}

}  // namespace
}  // namespace safawinet
