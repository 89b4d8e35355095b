#include "accounts/email_address.hpp"

#include <gtest/gtest.h>

namespace safawinet {
namespace {

TEST(EmailAddress, takes_ordinary_addresses_as_they_are_written) {
  for (const auto* text :
       {"ada@example.com", "Ada.Lovelace@Example.com", "a@b", "first+tag@example.co.uk", "o'brien@example.ie",
        "!#$%&'*+-/=?^_`{|}~@example.com", "1@2.3", "admin@localhost", "x@xn--bcher-kva.example"}) {
    const auto address = EmailAddress::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->text(), text);
  }
}

TEST(EmailAddress, refuses_what_is_none_or_of_a_form_that_we_do_not_take) {
  for (const auto* text : {"",
                           "@",
                           "ada",
                           "ada@",
                           "@example.com",
                           "ada@@example.com",
                           "ada@example..com",
                           "ada@.example.com",
                           "ada@example.com.",
                           ".ada@example.com",
                           "ada.@example.com",
                           "a..da@example.com",
                           "ada lovelace@example.com",
                           "ada@exa mple.com",
                           " ada@example.com",
                           "ada@example.com ",
                           "\"ada\"@example.com",
                           "ada(x)@example.com",
                           "ada@[192.0.2.1]",
                           "ada@-example.com",
                           "ada@example-.com",
                           "ada@exam_ple.com",
                           "Ada <ada@example.com>",
                           "ada@example.com\n",
                           "ada\r\nBcc: eve@example.com",
                           "ada@\xC3\xA4.example",
                           "ada@example.com,eve@example.com"}) {
    EXPECT_FALSE(EmailAddress::parse(text)) << text;
  }
  EXPECT_FALSE(EmailAddress::parse(std::string_view("ada\0@example.com", 16)));
}

TEST(EmailAddress, takes_local_parts_of_other_scripts) {
  for (const auto* text : {"jürgen@example.com", "почта.первая@example.com", "δοκιμή1@example.com", "用户@example.com",
                           "بريد@example.com", "Jürgen.M+1@example.com"}) {
    const auto address = EmailAddress::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->text(), text);
  }
}

TEST(EmailAddress, refuses_what_is_or_looks_like_another_spelling_of_somebody_elses) {
  for (const auto* text : {"аda@example.com",           // a Cyrillic a
                           "αda@example.com",           // a Greek one
                           "\u212Aate@example.com",     // the sign of Kelvin, which folds to k
                           "JÜRGEN@example.com",        // not folded
                           "ju\u0308rgen@example.com",  // not composed
                           "ﬁn@example.com",            // a ligature
                           "a\u200Bda@example.com",     // an invisible space
                           "a\u202Eda@example.com",     // a turn of direction
                           "ａda@example.com",          // full width
                           "ü..x@example.com", ".ü@example.com", "ü.@example.com", "ü x@example.com", "ü\n@example.com",
                           "\xFF\xFE@example.com", "ü\xC3@example.com", "☃@example.com"}) {
    EXPECT_FALSE(EmailAddress::parse(text)) << text;
  }
}

TEST(EmailAddress, takes_each_part_up_to_its_longest) {
  const std::string local(64, 'a');
  const std::string label(63, 'b');
  EXPECT_TRUE(EmailAddress::parse(local + "@example.com"));
  EXPECT_FALSE(EmailAddress::parse(local + "a@example.com"));
  EXPECT_TRUE(EmailAddress::parse("ada@" + label + ".com"));
  EXPECT_FALSE(EmailAddress::parse("ada@" + label + "b.com"));
  // 64 + 1 + 3 * 63 + 2 dots = 256
  const auto whole = local + "@" + label + "." + label + "." + label;
  EXPECT_TRUE(EmailAddress::parse(whole.substr(0, 254)));
  EXPECT_FALSE(EmailAddress::parse(whole.substr(0, 255)));
}

TEST(EmailAddress, has_one_key_for_all_its_spellings) {
  EXPECT_EQ(EmailAddress::parse("ADA@Example.COM")->key(), "ada@example.com");
  EXPECT_EQ(EmailAddress::parse("ada@example.com")->key(), "ada@example.com");
  EXPECT_NE(EmailAddress::parse("ada+1@example.com")->key(), "ada@example.com") << "another mailbox";
}

}  // namespace
}  // namespace safawinet
