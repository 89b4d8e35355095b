#include "factors/backup_code.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <string>

#include "base/testing.hpp"

namespace safawinet {
namespace {

const std::regex kForm("[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}");

TEST(BackupCode, ComesInTensEachOnceAndReadable) {
  testing::SeededRandom random;
  const auto codes = make_backup_codes(random);
  std::set<std::string> texts;
  for (const auto& code : codes) {
    EXPECT_TRUE(std::regex_match(std::string(code.reveal()), kForm)) << code.reveal();
    texts.insert(std::string(code.reveal()));
  }
  EXPECT_EQ(texts.size(), kBackupCodes);
}

TEST(BackupCode, IsReadHoweverItIsTyped) {
  for (const auto* typed : {"7KQM-3XWD-PF2H", "7kqm3xwdpf2h", " 7KQM 3XWD PF2H ", "7-K-Q-M3XWDPF2H"}) {
    const auto parsed = parse_backup_code(typed);
    ASSERT_TRUE(parsed) << typed;
    EXPECT_EQ(parsed->reveal(), "7KQM-3XWD-PF2H");
  }
}

TEST(BackupCode, IsNothingElse) {
  for (const auto* typed : {"", "123456", "7KQM-3XWD-PF2", "7KQM-3XWD-PF2HH", "7KQM-3XWD-PF20", "7KQM-3XWD-PFI2",
                            "7KQM_3XWD_PF2H", "7KQM-3XWD-PF2\xc3\x84"}) {
    EXPECT_FALSE(parse_backup_code(typed)) << typed;
  }
}

TEST(BackupCode, IsStoredKeyedAndForOneUser) {
  testing::SeededRandom random;
  testing::ManualClock clock;
  const Bytes one(32, 1);
  const Bytes other(32, 2);
  const auto user = UserId::make(clock, random);
  const auto code = parse_backup_code("7KQM-3XWD-PF2H").value();
  const auto mac = mac_of_backup_code(MacKey(one), user, code);
  EXPECT_EQ(mac.size(), 43U);
  EXPECT_EQ(mac, mac_of_backup_code(MacKey(one), user, code));
  EXPECT_NE(mac, mac_of_backup_code(MacKey(other), user, code));
  EXPECT_NE(mac, mac_of_backup_code(MacKey(one), UserId::make(clock, random), code));
}

}  // namespace
}  // namespace safawinet
