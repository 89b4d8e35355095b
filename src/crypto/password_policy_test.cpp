#include "crypto/password_policy.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "crypto/common_passwords.hpp"

namespace safawinet {
namespace {

// The codes of all faults, joined by spaces.
std::string faults(std::string_view raw, std::size_t minimum = 8, const PasswordContext& context = {}) {
  const auto accepted = PasswordPolicy(minimum).accept(raw, context);
  std::string codes;
  if (accepted) return codes;
  for (const auto& fault : accepted.error()) codes += (codes.empty() ? "" : " ") + fault.code;
  return codes;
}

TEST(PasswordPolicy, AcceptsGoodPasswordsOfAnyComposition) {
  EXPECT_EQ(faults("glacier untidy mosaic", 15), "");
  EXPECT_EQ(faults("Zq4!vT9#", 8), "");
  EXPECT_EQ(faults("vfkwtzqmhdnbxrg", 15), "");
  EXPECT_EQ(faults("K\xc3\xbcrbiskern\xc3\xb6l im Fahrradkeller", 15), "");
  EXPECT_EQ(faults("\xe9\xbb\x84\xe6\x98\x8f\xe7\x9a\x84\xe7\x81\xaf\xe5\xa1\x94\xe4\xb8\x8b\xe6\xb2\xa1\xe6\x9c\x89"
                   "\xe8\x88\xb9\xe9\x9d\xa0\xe5\xb2\xb8\xe8\xbf\x87",
                   8),
            "");
}

TEST(PasswordPolicy, CountsTheMinimumInCodePoints) {
  EXPECT_EQ(faults("vT9#Zq4!vB2m&L", 15), "too-short");
  EXPECT_EQ(faults("vT9#Zq4!vB2m&LK", 15), "");
  EXPECT_EQ(faults("\xc3\xbcvT9#q4", 8), "too-short");  // eight bytes
  EXPECT_EQ(faults("", 8), "too-short too-easy-to-guess");
}

TEST(PasswordPolicy, RefusesTheUnreadableAndTheEndless) {
  EXPECT_EQ(faults("\xff\xff\xff\xff\xff\xff\xff\xff"), "not-unicode");
  EXPECT_EQ(faults(std::string(257, 'a')), "too-long");
}

TEST(PasswordPolicy, RefusesCommonPasswordsInAnyCaseAndDecoration) {
  for (const auto* raw : {"password", "PassWord", "password1", "Password2031!", "qwertyuiopasdfghjkl",
                          "1q2w3e4r5t6y7u8i9o0p", "123456789012345", "CorrectHorseBatteryStaple", "football!!!!"}) {
    EXPECT_EQ(faults(raw), "too-common") << raw;
  }
}

TEST(PasswordPolicy, RefusesWhatIsQuicklyGuessed) {
  for (const auto* raw : {"aaaaaaaaaaaaaaaaaaaaaaa", "abcabcabcabcabcabc", "letmein letmein letmein",
                          "zyxwvutsrqponmlkj", "passwordqwerty123", "monkeymonkeymonkey"}) {
    EXPECT_EQ(faults(raw, 15), "too-easy-to-guess") << raw;
  }
}

TEST(PasswordPolicy, RefusesWhatIsLittleMoreThanTheContext) {
  const PasswordContext context{.email = "Rosamunde.Pilcher@Lighthouse-keepers.example", .name = "Rosamunde Pilcher"};
  for (const auto* raw : {"rosamunde.pilcher", "RosamundePilcher1", "pilcher-rosamunde!", "rosamunderosamunde",
                          "Lighthouse-keepers1", "Safawinet-Safawinet", "safawinet2031!!!"}) {
    EXPECT_EQ(faults(raw, 15, context), "too-easy-to-guess") << raw;
  }
  EXPECT_EQ(faults("rosamunde hates gravel tubas", 15, context), "");
}

TEST(PasswordPolicy, RefusesTheContextInTheFormsThatAreTriedFirst) {
  const PasswordContext context{.email = "rosamunde1815@lighthouse.example", .name = "Rosamunde M\xc3\xbchlbauer"};
  for (const auto* raw : {
           "R0samund3!2026",                 // letters as digits and signs
           "ROSAMUNDE-1815",                 // case, a year
           "\303\251dnumasor_1234",          // backwards, with a mark
           "Muhlbauer2026!!",                // without its mark
           "M\xc3\x9cHLBAUER_1999",          // another script's case
           "r.o.s.a.m.u.n.d.e!",             // with separators
           "Rosamunde Rosamunde",            // twice
           "rosamunde*M\xc3\xbchlbauer!99",  // both
           "esuohthgil777777",               // the domain backwards
           "$4f4w1n3t2026!?",                // the service
           "rosamunde@1815.xy",
       }) {
    EXPECT_EQ(faults(raw, 8, context), "too-easy-to-guess") << raw;
  }
  for (const auto* raw :
       {"rosamunde counts nine gulls", "lighthouse on a paper moon", "M\xc3\xbchlstein und Bauernhof"}) {
    EXPECT_EQ(faults(raw, 8, context), "") << raw;
  }
}

TEST(PasswordPolicy, KnowsTheNamesOfTheService) {
  const PasswordPolicy policy(
      PasswordRules{.minimum_length = 8, .service_names = {"accounts.kettleworks.example", "Kettle Works"}});
  for (const auto* raw : {"kettleworks2026", "K3ttl3w0rks!!!", "skrowelttek-12", "accounts-kettle"}) {
    EXPECT_FALSE(policy.accept(raw, {})) << raw;
    EXPECT_TRUE(PasswordPolicy(8).accept("glacier untidy mosaic", {}));
  }
  EXPECT_TRUE(policy.accept("a kettle of nine storks", {}));
}

TEST(PasswordPolicy, ComparesTheNormalisedText) {
  const PasswordContext context{.email = "a@b.example", .name = "J\xc3\xbcrgensmann"};
  EXPECT_EQ(faults("Ju\xcc\x88rgensmann1234", 8, context), "too-easy-to-guess");
}

TEST(PasswordPolicy, TellsWithoutRepeatingThePassword) {
  const auto refused = PasswordPolicy(15).accept("Zq4!vT9#", {});
  ASSERT_FALSE(refused);
  for (const auto& fault : refused.error()) EXPECT_EQ(fault.detail.find("Zq4!vT9#"), std::string::npos);
}

// zxcvbn's time grows faster than its input, so the input is bounded; what lies beyond does not count.
TEST(PasswordPolicy, EstimatesTheFirstHundredBytesAlone) {
  EXPECT_EQ(faults(std::string(100, 'a') + "glacier untidy mosaic"), "too-easy-to-guess");
  EXPECT_EQ(faults(std::string(70, 'a') + "glacier untidy mosaic"), "");
}

TEST(PasswordPolicy, HasAMinimumOfItsOwnBetweenEightAndTheLimit) {
  EXPECT_THROW(PasswordPolicy(7), std::invalid_argument);
  EXPECT_THROW(PasswordPolicy(257), std::invalid_argument);
  EXPECT_NO_THROW(PasswordPolicy(8));
}

TEST(CommonPasswords, AreSortedLowerCaseAndLongEnoughToMatter) {
  const auto list = common_passwords();
  EXPECT_GT(list.size(), 500U);
  EXPECT_TRUE(std::ranges::is_sorted(list));
  EXPECT_EQ(std::ranges::adjacent_find(list), list.end());
  for (const auto word : list) {
    EXPECT_GE(word.size(), 8U) << word;
    EXPECT_TRUE(std::ranges::none_of(word, [](char c) { return c >= 'A' && c <= 'Z'; })) << word;
  }
}

}  // namespace
}  // namespace safawinet
