#include "http/chunked.hpp"

#include <gtest/gtest.h>

namespace safawinet::http {
namespace {

struct Outcome {
  std::string result;  // "complete", "more" or a status
  std::string body;
  std::string rest;  // what was not used up
};

Outcome decode(std::string_view input, const ChunkedLimits& limits) {
  ChunkedDecoder decoder;
  decoder.start(limits);
  Outcome outcome;
  std::size_t consumed = 0;
  switch (decoder.feed(input, outcome.body, consumed)) {
    case ChunkedDecoder::Progress::need_more:
      outcome.result = "more";
      break;
    case ChunkedDecoder::Progress::complete:
      outcome.result = "complete";
      break;
    case ChunkedDecoder::Progress::refused:
      outcome.result = std::to_string(decoder.refusal().status);
      break;
  }
  outcome.rest = input.substr(consumed);
  return outcome;
}

Outcome decode(std::string_view input) {
  ChunkedLimits limits;
  limits.body_bytes = 1000;
  return decode(input, limits);
}

TEST(ChunkedDecoder, DecodesAndLeavesTheNextMessage) {
  const Outcome outcome = decode("5\r\nhello\r\n00A;last\r\n, world!!!\r\n0\r\n\r\nGET /");
  EXPECT_EQ(outcome.result, "complete");
  EXPECT_EQ(outcome.body, "hello, world!!!");
  EXPECT_EQ(outcome.rest, "GET /");
}

TEST(ChunkedDecoder, KeepsALineUntilItHasEnded) {
  EXPECT_EQ(decode("5\r\nhello\r\n1").rest, "1");
  EXPECT_EQ(decode("5\r\nhello\r").rest, "\r");
  EXPECT_EQ(decode("5\r\nhel").result, "more");
  EXPECT_EQ(decode("0\r\nA: b").rest, "A: b");
}

TEST(ChunkedDecoder, RefusesSizesThatParsersReadDifferently) {
  for (const std::string_view size :
       {"", " 1", "1 ", "+1", "-1", "0x1", "1h", "1_0", "1,1", "\t1", "1\t", "00000000000000001", "g", "1\x0b"}) {
    EXPECT_EQ(decode(std::string(size) + "\r\nx\r\n0\r\n\r\n").result, "400") << size;
  }
  EXPECT_EQ(decode("0000000000000001\r\nx\r\n0\r\n\r\n").result, "complete");
}

TEST(ChunkedDecoder, RefusesOtherLineEnds) {
  for (const std::string_view input :
       {"1\nx\r\n0\r\n\r\n", "1\r\nx\n0\r\n\r\n", "1\r\nx\r0\r\n\r\n", "1\r\nxy\r\n0\r\n\r\n", "1\r\rx\r\n0\r\n\r\n",
        "1\r\nx\r\n0\n\r\n", "1\r\nx\r\n0\r\n\n", "0\r\nA: b\n\r\n", "1\r\n\r\nx0\r\n\r\n",
        "0\r\nA: b\rc: d\r\n\r\n"}) {
    EXPECT_EQ(decode(input).result, "400") << input;
  }
}

TEST(ChunkedDecoder, IgnoresExtensionsThatAreInTheGrammarAndRefusesOthers) {
  for (const std::string_view good : {";a", ";a=b", ";a=\"b;c \\\" \t\"", ";a;b=c;d", ";a=\"\""}) {
    EXPECT_EQ(decode("1" + std::string(good) + "\r\nx\r\n0\r\n\r\n").body, "x") << good;
    EXPECT_EQ(decode("1" + std::string(good) + "\r\nx\r\n0\r\n\r\n").result, "complete") << good;
  }
  for (const std::string_view bad : {";", "; a", " ;a", ";a=", ";=b", ";a=\"b", ";a=\"b\"c", ";a b", ";a=\"\\", ";\x01",
                                     ";a=\"\x01\"", ";a\r", ";a=b="}) {
    EXPECT_EQ(decode("1" + std::string(bad) + "\r\nx\r\n0\r\n\r\n").result, "400") << bad;
  }
}

TEST(ChunkedDecoder, DropsTrailersThatAreHarmlessAndRefusesOthers) {
  EXPECT_EQ(decode("0\r\nX-Checksum: 1\r\nX-Other:\r\n\r\n").result, "complete");
  for (const std::string_view bad :
       {"Content-Length: 1", "Transfer-Encoding: chunked", "Host: b", "Authorization: Bearer x", "Connection: close",
        "X-Forwarded-For: 1.2.3.4", " folded", "a b: c", ": c", "nothing", "A: \x01"}) {
    EXPECT_EQ(decode("0\r\n" + std::string(bad) + "\r\n\r\n").result, "400") << bad;
  }
}

TEST(ChunkedDecoder, KeepsItsLimits) {
  ChunkedLimits limits;
  limits.body_bytes = 4;
  limits.size_line_bytes = 8;
  limits.extension_bytes = 7;
  limits.trailer_bytes = 12;
  limits.trailer_fields = 2;
  EXPECT_EQ(decode("4\r\nabcd\r\n0\r\n\r\n", limits).result, "complete");
  EXPECT_EQ(decode("5\r\n", limits).result, "413");
  EXPECT_EQ(decode("3\r\nabc\r\n2\r\n", limits).result, "413");
  EXPECT_EQ(decode("ffffffffffffffff\r\n", {.body_bytes = 1000}).result, "413");
  EXPECT_EQ(decode("3\r\nabc\r\nffffffffffffffff\r\n", {.body_bytes = 1000}).result, "413");
  EXPECT_EQ(decode("1;abcdef\r\nx\r\n0\r\n\r\n", limits).result, "complete");
  EXPECT_EQ(decode("1;abcdefg\r\nx\r\n0\r\n\r\n", limits).result, "400");
  EXPECT_EQ(decode("1;abcdefgh", limits).result, "400");
  EXPECT_EQ(decode("1;abc\r\nx\r\n1;abc\r\ny\r\n0\r\n\r\n", limits).result, "400");
  EXPECT_EQ(decode("0\r\nA: b\r\nC: d\r\n\r\n", limits).result, "complete");
  EXPECT_EQ(decode("0\r\nA: b\r\nC: dd\r\n\r\n", limits).result, "400");
  EXPECT_EQ(decode("0\r\nA:\r\nB:\r\nC:\r\n\r\n", {.body_bytes = 1, .trailer_fields = 2}).result, "400");
}

}  // namespace
}  // namespace safawinet::http
