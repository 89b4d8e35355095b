#include "mail/message.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace safawinet {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const Sender kFrom = Sender::parse("Example \"Accounts\" <no-reply@example.com>");

std::string message_of(const Mail& mail, std::string_view unsubscribe = {}) {
  return to_rfc5322(Uuid{}, mail, kFrom, Time{}, unsubscribe);
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = text.find("\r\n");
    if (end == std::string_view::npos) break;
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 2);
  }
  EXPECT_TRUE(text.empty()) << "a line does not end in CRLF";
  return lines;
}

TEST(Message, a_header_cannot_be_smuggled_in) {
  const auto text = message_of({.to = "a@b.example\r\nBcc: x@y.example", .subject = "a\r\nX: y", .text = ""});
  EXPECT_THAT(text, Not(HasSubstr("\r\nBcc:")));
  EXPECT_THAT(text, Not(HasSubstr("\r\nX:")));
}

TEST(Message, the_date_is_in_the_form_of_the_rfc) {
  const auto text = message_of({.to = "a@b.example", .subject = "Grüße", .text = ""});
  EXPECT_THAT(text, HasSubstr("Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"));
  EXPECT_THAT(text, HasSubstr("Subject: =?UTF-8?B?R3LDvMOfZQ==?=\r\n"));
}

TEST(Message, its_id_is_that_of_the_mail_at_the_senders_domain) {
  EXPECT_THAT(message_of({.to = "a@b.example", .subject = "x", .text = ""}),
              HasSubstr("Message-ID: <00000000-0000-0000-0000-000000000000@example.com>\r\n"));
}

TEST(Message, text_that_is_plain_stands_in_it_as_it_is) {
  const std::string link = "https://id.example.com/verify-email?token=" + std::string(300, 'x');
  const auto text = message_of({.to = "a@b.example", .subject = "x", .text = "Open\n\n" + link + "\n"});
  EXPECT_THAT(text, HasSubstr("Content-Transfer-Encoding: 7bit\r\n\r\nOpen\r\n\r\n" + link + "\r\n"));
}

TEST(Message, other_text_is_seven_bits_and_short_lines) {
  std::string arabic;
  for (int i = 0; i < 100; ++i) arabic += "مرحبا ";
  const auto text = message_of({.to = "a@b.example",
                                .subject = arabic,
                                .text = "a trailing space \n.a dot\nFrom here\n=\n" + arabic + "\n",
                                .html = "<p>" + arabic + "</p>\n"});
  EXPECT_TRUE(std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
  for (const auto& line : lines_of(text)) EXPECT_LE(line.size(), 78U) << line;
  EXPECT_THAT(text, HasSubstr("a trailing space=20\r\n=2Ea dot\r\n=46rom here\r\n=3D\r\n"));
}

TEST(Message, with_html_it_is_two_parts_of_which_the_last_is_the_better) {
  const auto text = message_of({.to = "a@b.example", .subject = "x", .text = "plain\n", .html = "<p>html</p>\n"});
  EXPECT_THAT(text, HasSubstr("Content-Type: multipart/alternative;\r\n boundary=\"=_0"));
  EXPECT_LT(text.find("text/plain"), text.find("text/html"));
  EXPECT_TRUE(text.ends_with("--\r\n"));
}

TEST(Message, what_looks_encoded_and_is_not_is_shown_as_it_is) {
  const auto text = message_of({.to = "a@b.example", .subject = "=?UTF-8?B?R3LDvMOfZQ==?=", .text = ""});
  EXPECT_THAT(text, Not(HasSubstr("Subject: =?UTF-8?B?R3LDvMOfZQ==?=\r\n")));
}

TEST(Message, a_long_subject_is_folded_at_its_spaces) {
  std::string subject;
  for (int i = 0; i < 40; ++i) subject += "word" + std::to_string(i) + " ";
  const auto text = message_of({.to = "a@b.example", .subject = subject, .text = ""});
  for (const auto& line : lines_of(text)) EXPECT_LE(line.size(), 78U) << line;
  EXPECT_THAT(text, HasSubstr("\r\n word"));
}

TEST(Message, it_names_a_way_out_where_one_is_given) {
  EXPECT_THAT(message_of({.to = "a@b.example", .subject = "x", .text = ""}, "mailto:out@example.com"),
              HasSubstr("List-Unsubscribe: <mailto:out@example.com>\r\n"));
  EXPECT_THAT(message_of({.to = "a@b.example", .subject = "x", .text = ""}), Not(HasSubstr("List-Unsubscribe")));
}

TEST(Sender, a_name_is_quoted_and_an_address_needs_none) {
  EXPECT_THAT(message_of({.to = "a@b.example", .subject = "x", .text = ""}),
              HasSubstr("From: \"Example \\\"Accounts\\\"\"\r\n <no-reply@example.com>\r\n"));
  EXPECT_EQ(Sender::parse("no-reply@example.com").address, "no-reply@example.com");
  EXPECT_EQ(Sender::parse("\"Quoted\" <a@b.example>").name, "Quoted");
}

}  // namespace
}  // namespace safawinet
