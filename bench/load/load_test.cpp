#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "load/answer.hpp"
#include "load/histogram.hpp"
#include "load/options.hpp"

namespace safawinet::bench {
namespace {

TEST(Histogram, ReadsNothingAsZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.percentile(99), 0U);
  EXPECT_EQ(histogram.mean(), 0.0);
}

TEST(Histogram, NeverFlattersAndIsAtMostOnePercentTooHigh) {
  Histogram histogram;
  std::vector<std::uint64_t> values;
  std::mt19937_64 random(7);
  for (int count = 0; count < 20'000; ++count) {
    values.push_back(random() >> (20 + random() % 44));
    histogram.record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double percent : {1.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(static_cast<double>(values.size()) * percent / 100.0));
    const std::uint64_t exact = std::min(values[rank - 1], std::uint64_t{1} << 42U);
    EXPECT_GE(histogram.percentile(percent), exact) << percent;
    EXPECT_LE(static_cast<double>(histogram.percentile(percent)), static_cast<double>(exact) * 1.01 + 1) << percent;
  }
}

TEST(Histogram, KeepsSmallValuesExactly) {
  for (std::uint64_t value : {0U, 1U, 127U, 128U, 255U}) {
    Histogram histogram;
    histogram.record(value);
    histogram.record(1'000'000);
    EXPECT_EQ(histogram.percentile(50), value);
  }
}

TEST(Histogram, MergesAsIfOneHadRecordedAll) {
  Histogram one;
  Histogram other;
  for (std::uint64_t value = 0; value < 1000; ++value) (value % 2 == 0 ? one : other).record(value * 1000);
  one.merge(other);
  EXPECT_EQ(one.count(), 1000U);
  EXPECT_EQ(one.max(), 999'000U);
  EXPECT_NEAR(static_cast<double>(one.percentile(50)), 499'000, 5'000);
}

TEST(Answer, IsIncompleteUntilItsLastByte) {
  const std::string bytes = "HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length: 5\r\n\r\nhello";
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    Answer answer;
    EXPECT_EQ(read_answer(bytes.substr(0, size), answer), Reading::incomplete) << size;
  }
  Answer answer;
  ASSERT_EQ(read_answer(bytes, answer), Reading::complete);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "hello");
  EXPECT_EQ(answer.size, bytes.size());
  EXPECT_TRUE(answer.keeps_connection);
}

TEST(Answer, NoticesThatTheConnectionEnds) {
  Answer answer;
  ASSERT_EQ(read_answer("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", answer),
            Reading::complete);
  EXPECT_EQ(answer.status, 400);
  EXPECT_FALSE(answer.keeps_connection);
}

TEST(Answer, HasNoBodyWhenItsStatusSaysSo) {
  Answer answer;
  ASSERT_EQ(read_answer("HTTP/1.1 204 No Content\r\n\r\n", answer), Reading::complete);
  EXPECT_TRUE(answer.body.empty());
}

TEST(Answer, IsUnreadableWhenItsEndIsUnknown) {
  Answer answer;
  EXPECT_EQ(read_answer("HTTP/1.1 200 OK\r\n\r\n", answer), Reading::unreadable);
  EXPECT_EQ(read_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", answer), Reading::unreadable);
  EXPECT_EQ(read_answer("HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n", answer), Reading::unreadable);
  EXPECT_EQ(read_answer("SSH-2.0-x\r\n\r\n", answer), Reading::unreadable);
}

TEST(JsonText, IsFoundByItsWholeName) {
  const std::string_view body = R"({"xrefreshToken":"no","accessToken" : "a.b","refreshToken":"sf_rt_1"})";
  EXPECT_EQ(find_json_text(body, "refreshToken"), "sf_rt_1");
  EXPECT_EQ(find_json_text(body, "accessToken"), "a.b");
  EXPECT_EQ(find_json_text(body, "user"), std::nullopt);
  EXPECT_EQ(find_json_text(R"({"refreshToken":null})", "refreshToken"), std::nullopt);
}

TEST(Token, HoldsNothingThatCouldEndAHeaderOrAString) {
  EXPECT_TRUE(is_token("sf_rt_AZaz09-_"));
  for (const std::string_view text : {"", "a b", "a\"", "a\r\n", "a\\"}) EXPECT_FALSE(is_token(text));
}

TEST(Loopback, IsAllThatIsPutUnderLoad) {
  for (const char* address : {"127.0.0.1", "127.8.9.1", "::1"}) EXPECT_TRUE(is_loopback(address)) << address;
  for (const char* address : {"localhost", "10.0.0.1", "128.0.0.1", "0.0.0.0", "::", "::ffff:127.0.0.1", ""}) {
    EXPECT_FALSE(is_loopback(address)) << address;
  }
}

}  // namespace
}  // namespace safawinet::bench
