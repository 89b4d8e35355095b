#include "http/writer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace safawinet::http {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string written(const Response& response, Method method = Method::get,
                    Persistence persistence = Persistence::keep_alive) {
  Writer writer;
  std::string out;
  writer.append(out, response, method, persistence);
  // The date is the only part that is not the same each time.
  const std::size_t date = out.find("Date: ");
  out.erase(date, out.find("\r\n", date) + 2 - date);
  return out;
}

TEST(Writer, WritesHeadAndBody) {
  Response response;
  response.status = 201;
  response.content_type = "application/json";
  response.body = "{}";
  response.with("Location", "/v1/things/1");
  EXPECT_EQ(written(response),
            "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 2\r\nLocation: "
            "/v1/things/1\r\n\r\n{}");
}

TEST(Writer, AnswersHeadWithTheLengthAndWithoutTheBody) {
  Response response;
  response.content_type = "text/plain";
  response.body = "hello";
  EXPECT_EQ(written(response, Method::head),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n");
}

TEST(Writer, SendsNoLengthWhereThereIsNoBody) {
  Response response;
  response.status = 204;
  response.body = "dropped";
  EXPECT_EQ(written(response), "HTTP/1.1 204 No Content\r\n\r\n");
  response.status = 304;
  EXPECT_EQ(written(response), "HTTP/1.1 304 Not Modified\r\n\r\n");
  response = Response();
  EXPECT_EQ(written(response), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

TEST(Writer, SaysWhatBecomesOfTheConnection) {
  const Response response;
  EXPECT_THAT(written(response), Not(HasSubstr("Connection")));
  EXPECT_THAT(written(response, Method::get, Persistence::close), HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_THAT(written(response, Method::get, Persistence::keep_alive_http_1_0),
              HasSubstr("\r\nConnection: keep-alive\r\n"));
}

TEST(Writer, WritesNothingThatWouldSplitTheResponse) {
  Writer writer;
  std::string out = "before";
  const auto refuses = [&writer, &out](const Response& response) {
    EXPECT_THROW(writer.append(out, response, Method::get, Persistence::keep_alive), std::invalid_argument);
    EXPECT_EQ(out, "before");
  };
  for (const std::string_view value : {"a\r\nb: c", "a\nb", "a\rb", "\x01"}) {
    Response response;
    response.with("X", std::string(value));
    refuses(response);
    response = Response();
    response.content_type = value;
    refuses(response);
  }
  for (const std::string_view name :
       {"", "a b", "a:", "a\r\n", "Content-Length", "transfer-encoding", "Connection", "DATE", "Content-Type"}) {
    Response response;
    response.with(std::string(name), "x");
    refuses(response);
  }
  for (const unsigned status : {0U, 100U, 101U, 199U, 600U}) {
    Response response;
    response.status = status;
    refuses(response);
  }
}

Response streamed() {
  Response response;
  response.content_type = "text/event-stream";
  response.stream = [](BodySink&) -> Task<void> { co_return; };
  return response;
}

TEST(Writer, SaysHowTheEndOfAStreamIsTold) {
  EXPECT_EQ(written(streamed()),
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(written(streamed(), Method::head), written(streamed()));
  Writer writer;
  std::string out;
  writer.append(out, streamed(), Method::get, Persistence::close, StreamFraming::until_close);
  EXPECT_THAT(out, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_THAT(out, Not(HasSubstr("Transfer-Encoding")));
  EXPECT_THAT(out, Not(HasSubstr("Content-Length")));
}

TEST(Writer, RefusesAStreamWhereNoBodyMayBe) {
  Writer writer;
  std::string out;
  for (const unsigned status : {204U, 304U}) {
    Response response = streamed();
    response.status = status;
    EXPECT_THROW(writer.append(out, response, Method::get, Persistence::keep_alive), std::invalid_argument);
  }
  Response response = streamed();
  response.body = "beside it";
  EXPECT_THROW(writer.append(out, response, Method::get, Persistence::keep_alive), std::invalid_argument);
  EXPECT_EQ(out, "");
}

TEST(Writer, WritesChunksOfWhichOnlyTheLastIsEmpty) {
  std::string out;
  append_chunk(out, "abc");
  append_chunk(out, "");
  append_chunk(out, std::string(26, 'x'));
  out.append(last_chunk);
  EXPECT_EQ(out, "3\r\nabc\r\n1a\r\n" + std::string(26, 'x') + "\r\n0\r\n\r\n");
}

TEST(Writer, DatesResponsesAsTheStandardHasIt) {
  EXPECT_EQ(to_imf_fixdate(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(to_imf_fixdate(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(to_imf_fixdate(4107542400), "Mon, 01 Mar 2100 00:00:00 GMT");
  Writer writer;
  std::string out;
  writer.append(out, Response(), Method::get, Persistence::keep_alive);
  EXPECT_THAT(out, HasSubstr("\r\nDate: "));
}

TEST(Reason, IsThatOfTheRegistry) {
  EXPECT_EQ(reason_of(422), "Unprocessable Content");
  EXPECT_EQ(reason_of(299), "Unknown");
}

}  // namespace
}  // namespace safawinet::http
