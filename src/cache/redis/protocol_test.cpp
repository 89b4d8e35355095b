#include "cache/redis/protocol.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace safawinet::redis {
namespace {

std::vector<Reply> read_all(std::string_view bytes, std::size_t piece) {
  ReplyReader reader;
  std::vector<Reply> replies;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    reader.feed(bytes.substr(at, piece));
    while (auto reply = reader.next()) replies.push_back(*std::move(reply));
  }
  return replies;
}

TEST(ProtocolTest, words_may_hold_any_bytes) {
  using namespace std::string_view_literals;
  constexpr std::array words{"SET"sv, "a b\r\n"sv, "\0"sv};
  EXPECT_EQ(format_command(words), "*3\r\n$3\r\nSET\r\n$5\r\na b\r\n\r\n$1\r\n\0\r\n"sv);
}

TEST(ProtocolTest, replies_are_read_however_they_are_cut) {
  constexpr std::string_view bytes = "+OK\r\n-OOM no room\r\n:-12\r\n$5\r\nab\r\nc\r\n$-1\r\n$0\r\n\r\n";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    const auto replies = read_all(bytes, piece);
    ASSERT_EQ(replies.size(), 6U) << piece;
    EXPECT_EQ(replies[0].kind, Reply::Kind::status);
    EXPECT_EQ(replies[0].text, "OK");
    EXPECT_EQ(replies[1].kind, Reply::Kind::error);
    EXPECT_EQ(replies[1].text, "OOM no room");
    EXPECT_EQ(replies[2].kind, Reply::Kind::integer);
    EXPECT_EQ(replies[2].number, -12);
    EXPECT_EQ(replies[3].kind, Reply::Kind::text);
    EXPECT_EQ(replies[3].text, "ab\r\nc");
    EXPECT_EQ(replies[4].kind, Reply::Kind::nil);
    EXPECT_EQ(replies[5].kind, Reply::Kind::text);
  }
}

TEST(ProtocolTest, what_is_no_reply_is_refused) {
  for (const std::string_view bytes :
       {"HTTP/1.1 200 OK\r\n", "\r\n", "!3\r\nabc\r\n", "%1\r\n", "\x16\x03\x01\x02", "$99999999999999999999\r\n",
        "$-2\r\n", "*1\r\n:1\r\n", "*0\r\n", "*2147483647\r\n", "*1\r\n*1\r\n*1\r\n"}) {
    EXPECT_THROW(read_all(bytes, bytes.size()), ProtocolError) << bytes;
  }
}

TEST(ProtocolTest, a_reply_without_end_is_refused_before_much_of_it_is_kept) {
  for (const std::string_view start : {"+", "$999999999\r\n"}) {
    ReplyReader reader;
    reader.feed(start);
    const std::string more(1000, 'x');
    const auto feed_much = [&] {
      for (std::size_t sent = 0; sent < 2 * kLongestReplyBytes; sent += more.size()) {
        reader.feed(more);
        EXPECT_FALSE(reader.next());
      }
    };
    EXPECT_THROW(feed_much(), ProtocolError) << start;
  }
}

TEST(ProtocolTest, many_replies_at_once_are_no_reply_without_end) {
  std::string bytes;
  for (int i = 0; i < 10'000; ++i) bytes += ":1\r\n";
  EXPECT_EQ(read_all(bytes, 4096).size(), 10'000U);
}

}  // namespace
}  // namespace safawinet::redis
