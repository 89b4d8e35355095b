#include "cli/when.hpp"

#include <gtest/gtest.h>

#include "cli/failure.hpp"

namespace safawinet::cli {
namespace {

const Time kNow = parse_rfc3339("2026-11-28T12:00:00Z").value();

std::string read(std::string_view text, Direction direction = Direction::past) {
  const auto moment = parse_when(text, kNow, direction);
  return moment ? to_rfc3339(*moment).substr(0, 19) : "none";
}

TEST(When, ReadsDistancesDaysAndTimes) {
  EXPECT_EQ(read("30m"), "2026-11-28T11:30:00");
  EXPECT_EQ(read("12h"), "2026-11-28T00:00:00");
  EXPECT_EQ(read("7d"), "2026-11-21T12:00:00");
  EXPECT_EQ(read("2w"), "2026-11-14T12:00:00");
  EXPECT_EQ(read("90s"), "2026-11-28T11:58:30");
  EXPECT_EQ(read("90d", Direction::future), "2027-02-26T12:00:00");
  EXPECT_EQ(read("2026-01-02"), "2026-01-02T00:00:00");
  EXPECT_EQ(read("2026-01-02T03:04:05Z"), "2026-01-02T03:04:05");
}

TEST(When, RefusesWhatItWouldHaveToGuess) {
  for (const auto* text : {"", "d", "7", "7 d", "-7d", "7y", "yesterday", "2026-13-01", "2026-01-02 03:04", "1.5h",
                           "99999999999999999999d", "9223372036854775807w"}) {
    EXPECT_EQ(read(text), "none") << text;
  }
}

TEST(When, ReadsLengths) {
  EXPECT_EQ(seconds_of_length("2h", "--for"), 7'200);
  EXPECT_EQ(seconds_of_length("0s", "--for"), 0);
  for (const auto* text : {"", "2", "h", "-2h", "2026-11-28", "2 h", "2H"}) {
    EXPECT_THROW(seconds_of_length(text, "--for"), Failure) << text;
  }
}

}  // namespace
}  // namespace safawinet::cli
