#include "observe/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include <limits>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"

namespace safawinet {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class LogTest : public ::testing::Test {
 protected:
  // What is on stderr when the action has ended.
  template <class Action>
  static std::vector<std::string> lines_of(Action action) {
    ::testing::internal::CaptureStderr();
    action();
    std::istringstream text(::testing::internal::GetCapturedStderr());
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }
  static boost::json::object parse(const std::string& line) { return boost::json::parse(line).as_object(); }

  Log log_{LogLevel::info};
};

TEST_F(LogTest, an_event_is_one_line_of_json_at_once) {
  const auto lines = lines_of([&] {
    log_.event(LogLevel::warning, "mail-failed",
               {{"to", "ada@example.com"}, {"attempt", std::int64_t{3}}, {"durationMs", 1.5}, {"willRetry", true}});
  });
  ASSERT_THAT(lines, SizeIs(1));
  const auto event = parse(lines[0]);
  EXPECT_TRUE(parse_rfc3339(std::string(event.at("time").as_string())));
  EXPECT_EQ(event.at("level"), "warning");
  EXPECT_EQ(event.at("event"), "mail-failed");
  EXPECT_EQ(event.at("to"), "ada@example.com");
  EXPECT_EQ(event.at("attempt"), 3);
  EXPECT_EQ(event.at("durationMs"), 1.5);
  EXPECT_EQ(event.at("willRetry"), true);
}

TEST_F(LogTest, no_text_breaks_out_of_its_line_or_its_string) {
  const std::string hostile = "a\"b\\c\nd\re\x01\x7f\xFF\xE2\x80\xA8 {\"level\":\"error\"}";
  const auto lines = lines_of([&] { log_.event(LogLevel::info, "x", {{"text", hostile}}); });
  ASSERT_THAT(lines, SizeIs(1));
  const auto event = parse(lines[0]);
  EXPECT_EQ(event.at("level"), "info");
  EXPECT_EQ(event.size(), 4U);
}

TEST_F(LogTest, numbers_beyond_the_ordinary_stay_readable) {
  const auto lines = lines_of([&] {
    log_.event(LogLevel::info, "x",
               {{"least", std::numeric_limits<std::int64_t>::min()}, {"small", 0.0004}, {"large", 123456789.25}});
  });
  ASSERT_THAT(lines, SizeIs(1));
  const auto event = parse(lines[0]);
  EXPECT_EQ(event.at("least"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(event.at("large"), 123456789.25);
}

TEST_F(LogTest, what_is_below_the_least_level_is_not_written) {
  Log quiet(LogLevel::error);
  EXPECT_THAT(lines_of([&] {
                quiet.event(LogLevel::debug, "a");
                quiet.event(LogLevel::info, "b");
                quiet.event(LogLevel::warning, "c");
                quiet.frequent("d", {});
                quiet.flush();
              }),
              IsEmpty());
  EXPECT_THAT(lines_of([&] { quiet.event(LogLevel::error, "e"); }), SizeIs(1));
}

TEST_F(LogTest, frequent_lines_wait_for_the_next_flush_or_event) {
  EXPECT_THAT(lines_of([&] { log_.frequent("request", {}); }), IsEmpty());
  EXPECT_THAT(lines_of([&] { log_.flush(); }), SizeIs(1));
  EXPECT_THAT(lines_of([&] {
                log_.frequent("request", {});
                log_.event(LogLevel::info, "listening");
              }),
              SizeIs(2));
}

TEST_F(LogTest, the_lines_of_many_threads_stay_whole) {
  const auto lines = lines_of([&] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([this] {
        const std::string text(100, 'x');
        for (int line = 0; line < 500; ++line) log_.frequent("request", {{"text", text}});
      });
    }
    for (auto& thread : threads) thread.join();
    log_.flush();
  });
  ASSERT_THAT(lines, SizeIs(2'000));
  for (const auto& line : lines) EXPECT_EQ(parse(line).at("event"), "request");
}

}  // namespace
}  // namespace safawinet
