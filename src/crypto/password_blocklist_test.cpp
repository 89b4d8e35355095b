#include "crypto/password_blocklist.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/testing_folder.hpp"
#include "crypto/password_policy.hpp"

namespace safawinet {
namespace {

class PasswordBlocklistTest : public ::testing::Test {
 protected:
  std::filesystem::path file(std::string_view content) {
    const auto path = folder_.path() / "blocklist.txt";
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  static std::string faults(const PasswordBlocklist& list, std::string_view raw) {
    const auto accepted = PasswordPolicy(PasswordRules{.minimum_length = 8, .blocklist = &list}).accept(raw, {});
    std::string codes;
    if (accepted) return codes;
    for (const auto& fault : accepted.error()) codes += (codes.empty() ? "" : " ") + fault.code;
    return codes;
  }

  testing::TemporaryFolder folder_;
};

TEST_F(PasswordBlocklistTest, RefusesWhatIsInTheFileInAnyCaseComposureAndDecoration) {
  const auto list =
      PasswordBlocklist::read(file("Glacier Untidy Mosaic\r\nJu\xcc\x88rgens Fahrrad im Keller\n\n"
                                   "\xd0\x96\xd1\x83\xd1\x80\xd0\xb0\xd0\xb2\xd0\xbb\xd0\xb8\xd0\xba 42 na nebe"));
  ASSERT_TRUE(list);
  EXPECT_EQ(list->size(), 3U);
  EXPECT_EQ(list->passed_over(), 0U);
  for (const auto* raw : {"Glacier Untidy Mosaic", "glacier untidy mosaic", "GLACIER UNTIDY MOSAIC2026",
                          "glacier untidy mosaic!!", "J\xc3\xbcrgens Fahrrad im Keller",
                          "\xd0\xb6\xd0\xa3\xd1\x80\xd0\xb0\xd0\xb2\xd0\xbb\xd0\xb8\xd0\xba 42 NA NEBE"}) {
    EXPECT_EQ(faults(*list, raw), "too-common") << raw;
  }
  EXPECT_EQ(faults(*list, "glacier untidy mosaics of tubas"), "");
  EXPECT_EQ(faults(*list, "password"), "too-common");  // the built-in list goes on
}

TEST_F(PasswordBlocklistTest, PassesOverWhatCanBeNoPasswordAndCountsIt) {
  const auto list =
      PasswordBlocklist::read(file("abc\n\xff\xfe latin\n" + std::string(300, 'x') + "\nabcd\nabcd\nABCD\n"));
  ASSERT_TRUE(list);
  EXPECT_EQ(list->size(), 1U);
  EXPECT_EQ(list->passed_over(), 3U);
  EXPECT_TRUE(list->contains("abcd"));
  EXPECT_FALSE(list->contains("abc"));
  EXPECT_FALSE(list->contains(""));
}

TEST_F(PasswordBlocklistTest, SaysWhyItCannotBeRead) {
  EXPECT_EQ(PasswordBlocklist::read(folder_.path()).error(), "is no file");
  EXPECT_EQ(PasswordBlocklist::read(folder_.path() / "none").error(), "cannot be read: No such file or directory");
  EXPECT_EQ(PasswordBlocklist::read(file("")).error(), "holds no password");
  EXPECT_EQ(PasswordBlocklist::read(file("\n\nabc\n")).error(), "holds no password");
  const auto large = file("abcd\n");
  std::filesystem::resize_file(large, kBlocklistLimitBytes + 1);  // with a hole: it takes no place
  EXPECT_EQ(PasswordBlocklist::read(large).error(), "is larger than 256 MiB");
}

TEST_F(PasswordBlocklistTest, FindsEachOfManyAndNoOther) {
  std::string content;
  for (int i = 0; i < 100'000; ++i) content += "word-" + std::to_string(i) + "\n";
  const auto list = PasswordBlocklist::read(file(content));
  ASSERT_TRUE(list);
  EXPECT_EQ(list->size(), 100'000U);
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_TRUE(list->contains("word-" + std::to_string(i)));
    ASSERT_FALSE(list->contains("ward-" + std::to_string(i)));
  }
}

}  // namespace
}  // namespace safawinet
