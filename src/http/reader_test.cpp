#include "http/reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace safawinet::http {
namespace {

using testing::ElementsAre;
using Progress = Reader::Progress;

// What came of one message: "complete", "more" or the status of the refusal.
std::string outcome_of(Progress progress, const Reader& reader) {
  switch (progress) {
    case Progress::need_more:
      return "more";
    case Progress::head_complete:
      return "head";
    case Progress::complete:
      return "complete";
    case Progress::refused:
      break;
  }
  return std::to_string(reader.refusal().status);
}

// One request as text, with everything that a handler sees.
std::string text_of(const Reader& reader) {
  Request request;
  reader.fill(request);
  std::string text(name_of(request.method));
  text.append(" ").append(request.target).append(" path=").append(request.path).append(" query=").append(request.query);
  for (const Field& field : request.fields) text.append(" ").append(field.name).append("=").append(field.value);
  return text.append(" body=").append(request.body);
}

struct Script {
  std::vector<std::string> requests;
  std::string end;  // of what follows them: "more" or the status of a refusal
};

// Reads everything, `piece` bytes at a time.
Script read_all(std::string_view bytes, std::size_t piece, const Limits& limits = {}) {
  Reader reader(limits);
  Script script;
  while (true) {
    const Progress progress = reader.advance();
    if (progress == Progress::head_complete) continue;
    if (progress == Progress::complete) {
      script.requests.push_back(text_of(reader));
      reader.next();
      continue;
    }
    script.end = outcome_of(progress, reader);
    if (progress == Progress::refused || bytes.empty()) return script;
    const std::string_view taken = bytes.substr(0, piece);
    std::ranges::copy(taken, reader.space(taken.size()).begin());
    reader.commit(taken.size());
    bytes.remove_prefix(taken.size());
  }
}

// The outcome of the first message, which must not depend on how it is cut.
std::string outcome(std::string_view bytes, const Limits& limits = {}) {
  const Script whole = read_all(bytes, bytes.size() + 1, limits);
  for (const std::size_t piece : {1UZ, 2UZ, 7UZ}) {
    const Script cut = read_all(bytes, piece, limits);
    EXPECT_EQ(cut.requests, whole.requests) << bytes;
    EXPECT_EQ(cut.end, whole.end) << bytes;
  }
  return whole.requests.empty() ? whole.end : whole.requests.front();
}

std::string get_with(std::string_view lines) { return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n"; }

TEST(Reader, TellsWhatTheHandlerSees) {
  EXPECT_EQ(outcome("GET /a%20b?c=%2F HTTP/1.1\r\nHost: example.org\r\nX-Y:\t z \t\r\n\r\n"),
            "GET /a%20b?c=%2F path=/a b query=c=%2F Host=example.org X-Y=z body=");
  EXPECT_EQ(outcome("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"),
            "POST /x path=/x query= Host=a Content-Length=5 body=hello");
  EXPECT_EQ(outcome("PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=y\r\nhel\r\n02\r\nlo\r\n0\r\n"
                    "X-Trailer: dropped\r\n\r\n"),
            "PUT /x path=/x query= Host=a Transfer-Encoding=Chunked body=hello");
  EXPECT_EQ(outcome("GET http://A.example:80?x HTTP/1.1\r\nHost: a.example:80\r\n\r\n"), "400");
  EXPECT_EQ(outcome("GET http://A.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n"),
            "GET / path=/ query= Host=a.example:80 body=");
  EXPECT_EQ(outcome("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), "OPTIONS * path=* query= Host=a body=");
}

TEST(Reader, ReadsOneRequestAfterTheOther) {
  const std::string_view bytes =
      "\r\nPOST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"
      "POST /2 HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n"
      "\r\nGET /3 HTTP/1.1\r\nHost: c\r\n\r\n";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    const Script script = read_all(bytes, piece);
    EXPECT_THAT(script.requests, ElementsAre("POST /1 path=/1 query= Host=a Content-Length=2 body=ab",
                                             "POST /2 path=/2 query= Host=b Transfer-Encoding=chunked body=c",
                                             "GET /3 path=/3 query= Host=c body="));
    EXPECT_EQ(script.end, "more");
  }
}

TEST(Reader, NothingBehindARefusalIsRead) {
  const Script script = read_all("GET /1 HTTP/1.1\nHost: a\n\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n", 1000);
  EXPECT_TRUE(script.requests.empty());
  EXPECT_EQ(script.end, "400");
}

TEST(Reader, RefusesARequestLineBeforeItsFieldsHaveCome) {
  EXPECT_EQ(outcome("get / HTTP/1.1\r\n"), "501");
  EXPECT_EQ(outcome("GET / HTTP/2.0\r\n"), "505");
  EXPECT_EQ(outcome("GET  / HTTP/1.1\r\n"), "400");
  EXPECT_EQ(outcome("\x16\x03\x01"), "400");
  EXPECT_EQ(outcome("\n"), "400");
  EXPECT_EQ(outcome("\r\n\r\n"), "400");
}

TEST(Reader, KeepsItsLimitsToTheByte) {
  Limits limits;
  limits.request_line_bytes = 20;
  limits.head_bytes = 60;
  limits.fields = 3;
  EXPECT_THAT(outcome("GET /23456 HTTP/1.1\r\nHost: a\r\n\r\n", limits), testing::StartsWith("GET"));
  EXPECT_THAT(outcome("GET /234567 HTTP/1.1\r\nHost: a\r\n\r\n", limits), testing::StartsWith("GET"));
  EXPECT_EQ(outcome("GET /2345678 HTTP/1.1\r\nHost: a\r\n\r\n", limits), "414");
  EXPECT_EQ(outcome("GET /2345678901234567890", limits), "414");
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";  // 25 bytes
  EXPECT_THAT(outcome(head + "X: " + std::string(28, 'x') + "\r\n\r\n", limits), testing::StartsWith("GET"));
  EXPECT_EQ(outcome(head + "X: " + std::string(29, 'x') + "\r\n\r\n", limits), "431");
  EXPECT_EQ(outcome(head + "X: " + std::string(99, 'x'), limits), "431");
  EXPECT_THAT(outcome(head + "A:\r\nB:\r\n\r\n", limits), testing::StartsWith("GET"));
  EXPECT_EQ(outcome(head + "A:\r\nB:\r\nC:\r\n\r\n", limits), "431");
}

TEST(Reader, RefusesABodyByItsAnnouncedLengthAlone) {
  Limits limits;
  limits.body_bytes = 4;
  limits.body_bytes_of = [](std::string_view path) {
    return path == "/web hook" ? std::optional<std::size_t>(6) : std::nullopt;
  };
  const auto post = [](std::string_view path, std::string_view framing) {
    return "POST " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(framing);
  };
  EXPECT_THAT(outcome(post("/", "Content-Length: 4\r\n\r\n1234"), limits), testing::EndsWith("body=1234"));
  EXPECT_EQ(outcome(post("/", "Content-Length: 5\r\n\r\n"), limits), "413");
  EXPECT_THAT(outcome(post("/web%20hook", "Content-Length: 6\r\n\r\n123456"), limits),
              testing::EndsWith("body=123456"));
  EXPECT_EQ(outcome(post("/web%20hook", "Content-Length: 7\r\n\r\n"), limits), "413");
  EXPECT_EQ(outcome(post("/", "Content-Length: 999999999999999999\r\n\r\n"), limits), "413");
  EXPECT_EQ(outcome(post("/", "Content-Length: 9999999999999999999\r\n\r\n"), limits), "400");
  EXPECT_EQ(outcome(post("/", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\n"), limits), "413");
  EXPECT_THAT(outcome(post("/", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"), limits),
              testing::EndsWith("body=abcd"));
}

TEST(Reader, KeepsTheConnectionAsTheClientAsks) {
  const auto keeps_alive = [](std::string_view bytes) {
    const Limits limits;
    Reader reader(limits);
    std::ranges::copy(bytes, reader.space(bytes.size()).begin());
    reader.commit(bytes.size());
    EXPECT_EQ(reader.advance(), Progress::complete) << bytes;
    return reader.keeps_alive();
  };
  EXPECT_TRUE(keeps_alive(get_with("")));
  EXPECT_FALSE(keeps_alive(get_with("Connection: foo , CLOSE\r\n")));
  EXPECT_FALSE(keeps_alive(get_with("Connection: keep-alive\r\nConnection: close\r\n")));
  EXPECT_FALSE(keeps_alive("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(keeps_alive("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
  EXPECT_FALSE(keeps_alive("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"));
}

TEST(Reader, AsksForTheBodyOnlyWhenTheClientWaits) {
  const auto awaits_continue = [](std::string_view bytes) {
    const Limits limits;
    Reader reader(limits);
    std::ranges::copy(bytes, reader.space(bytes.size()).begin());
    reader.commit(bytes.size());
    return reader.advance() == Progress::head_complete && reader.awaits_continue();
  };
  const std::string expecting = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n";
  EXPECT_TRUE(awaits_continue(expecting + "Content-Length: 1\r\n\r\n"));
  EXPECT_TRUE(awaits_continue(expecting + "Transfer-Encoding: chunked\r\n\r\n"));
  EXPECT_FALSE(awaits_continue(expecting + "Content-Length: 2\r\n\r\nx"));
  EXPECT_FALSE(awaits_continue(expecting + "Content-Length: 0\r\n\r\n"));
  EXPECT_FALSE(awaits_continue(expecting + "Content-Length: 70000\r\n\r\n"));
  EXPECT_FALSE(awaits_continue("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"));
}

TEST(Reader, TakesBackTheRoomOfWhatItHasDecoded) {
  Limits limits;
  limits.body_bytes = 64 * 1024;
  std::string bytes = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int chunk = 0; chunk < 64 * 1024; ++chunk) bytes += "1\r\nx\r\n";
  bytes += "0\r\n\r\n";
  Reader reader(limits);
  std::string_view rest = bytes;
  std::size_t largest = 0;
  Progress progress = reader.advance();
  while (progress == Progress::need_more || progress == Progress::head_complete) {
    if (progress == Progress::need_more) {
      const std::span<char> space = reader.space();
      largest = std::max(largest, space.size());
      const std::string_view taken = rest.substr(0, space.size());
      std::ranges::copy(taken, space.begin());
      reader.commit(taken.size());
      rest.remove_prefix(taken.size());
    }
    progress = reader.advance();
  }
  ASSERT_EQ(progress, Progress::complete);
  Request request;
  reader.fill(request);
  EXPECT_EQ(request.body, std::string(64 * 1024, 'x'));
  EXPECT_LE(largest, 8 * 1024U);
}

}  // namespace
}  // namespace safawinet::http
