#include "factors/totp.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/testing.hpp"

namespace safawinet {
namespace {

using testing::ManualClock;

constexpr std::string_view kRfcSecret = "12345678901234567890";

std::string code(std::int64_t step, unsigned digits = kTotpDigits) {
  return std::string(totp_code(as_bytes(kRfcSecret), step, digits).reveal());
}

Time at(std::int64_t seconds) { return Time(std::chrono::seconds(seconds)); }

TEST(Totp, GivesTheValuesOfRfc4226AppendixD) {
  const std::vector<std::string> values{"755224", "287082", "359152", "969429", "338314",
                                        "254676", "287922", "162583", "399871", "520489"};
  for (std::size_t counter = 0; counter < values.size(); ++counter) {
    EXPECT_EQ(code(static_cast<std::int64_t>(counter)), values[counter]) << counter;
  }
}

TEST(Totp, GivesTheValuesOfRfc6238AppendixBForSha1) {
  const std::vector<std::pair<std::int64_t, std::string>> values{{59, "94287082"},
                                                                 {1'111'111'109, "07081804"},
                                                                 {1'111'111'111, "14050471"},
                                                                 {1'234'567'890, "89005924"},
                                                                 {2'000'000'000, "69279037"},
                                                                 {20'000'000'000, "65353130"}};
  for (const auto& [seconds, value] : values) {
    EXPECT_EQ(code(totp_step_of(at(seconds)), 8), value) << seconds;
    EXPECT_EQ(code(totp_step_of(at(seconds))), value.substr(2)) << "six digits are the last six of eight";
  }
}

TEST(Totp, TakesTheCodesOfOneStepToEitherSide) {
  ManualClock clock;
  const auto now = totp_step_of(clock.now());
  for (const std::int64_t away : {-1, 0, 1}) {
    EXPECT_EQ(find_totp_step(as_bytes(kRfcSecret), code(now + away), clock.now(), {}), now + away);
  }
  for (const std::int64_t away : {-3, -2, 2, 3}) {
    EXPECT_EQ(find_totp_step(as_bytes(kRfcSecret), code(now + away), clock.now(), {}), std::nullopt);
  }
  EXPECT_EQ(find_totp_step(as_bytes(kRfcSecret), "", clock.now(), {}), std::nullopt);
  EXPECT_EQ(find_totp_step(as_bytes(kRfcSecret), "1234567", clock.now(), {}), std::nullopt);
}

TEST(Totp, TakesEachStepOnceAndNoneBeforeOneThatWasTaken) {
  ManualClock clock;
  const auto now = totp_step_of(clock.now());
  UsedSteps used;
  used.add(now);
  EXPECT_TRUE(used.refuses(now, clock.now()));
  EXPECT_TRUE(used.refuses(now - 1, clock.now()));
  EXPECT_FALSE(used.refuses(now + 1, clock.now()));
}

TEST(Totp, IsNotLockedOutByAClockThatJumpedYearsAheadAndCameBack) {
  const ManualClock clock;
  const auto later = clock.now() + std::chrono::days(3 * 365);
  UsedSteps used;
  used.add(totp_step_of(clock.now()));
  used.add(totp_step_of(later));  // taken while the clock was wrong
  const auto back = clock.now() + kTotpStep;
  EXPECT_FALSE(used.refuses(totp_step_of(back), back)) << "the next one is taken";
  EXPECT_TRUE(used.refuses(totp_step_of(clock.now()), back)) << "the one before the jump is used";
  EXPECT_TRUE(used.refuses(totp_step_of(later), later)) << "and so is the one of the jump, were it to come again";
}

TEST(Totp, IsNotFooledByAClockThatWentBackAndIsRightAgain) {
  const ManualClock clock;
  const auto earlier = clock.now() - std::chrono::days(3 * 365);
  UsedSteps used;
  used.add(totp_step_of(clock.now()));
  EXPECT_FALSE(used.refuses(totp_step_of(earlier), earlier));
  used.add(totp_step_of(earlier));
  EXPECT_TRUE(used.refuses(totp_step_of(clock.now()), clock.now()));
}

TEST(Totp, ForgetsNoStepThatCouldComeAgainHoweverManyJumpsThereAre) {
  const ManualClock clock;
  const auto now = totp_step_of(clock.now());
  UsedSteps used;
  used.add(now);
  for (std::int64_t i = 1; i < static_cast<std::int64_t>(UsedSteps::kRemembered); ++i) used.add(now + i * 1'000'000);
  EXPECT_TRUE(used.refuses(now, clock.now()));
}

TEST(UsedStepsText, IsReadAgain) {
  UsedSteps used;
  EXPECT_EQ(used.text(), "");
  for (std::int64_t step = 1; step <= 20; ++step) used.add(step);
  EXPECT_EQ(used.text(), "5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20");
  EXPECT_EQ(UsedSteps::parse(used.text()).text(), used.text());
  EXPECT_EQ(UsedSteps::parse("").text(), "");
  for (const auto* text : {"a", ",1", "1;2", "1,,2"}) {
    EXPECT_THROW(UsedSteps::parse(text), std::runtime_error) << text;
  }
}

TEST(TotpUri, SaysAllThatAnAppHasToKnow) {
  EXPECT_EQ(totp_secret_text(as_bytes(kRfcSecret)).reveal(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
  EXPECT_EQ(totp_uri(as_bytes(kRfcSecret), "id.example.com:8080", "ada+x@example.com").reveal(),
            "otpauth://totp/id.example.com%3A8080:ada%2Bx%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
            "&issuer=id.example.com%3A8080&algorithm=SHA1&digits=6&period=30");
}

}  // namespace
}  // namespace safawinet
