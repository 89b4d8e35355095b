#include "http/fields.hpp"

#include <gtest/gtest.h>

#include <string>

#include "http/characters.hpp"

namespace safawinet::http {
namespace {

TEST(FieldLine, IsTakenApart) {
  Field field;
  EXPECT_FALSE(parse_field_line("X-Y:  a b\t", field));
  EXPECT_EQ(field.name, "X-Y");
  EXPECT_EQ(field.value, "a b");
  EXPECT_FALSE(parse_field_line("x:", field));
  EXPECT_EQ(field.value, "");
  EXPECT_FALSE(parse_field_line("x: \t ", field));
  EXPECT_EQ(field.value, "");
  EXPECT_FALSE(parse_field_line("x:a:b", field));
  EXPECT_EQ(field.value, "a:b");
  EXPECT_FALSE(parse_field_line("x: Z\xc3\xbcrich", field));
}

TEST(FieldLine, IsRefusedWhenParsersCouldDiffer) {
  using namespace std::string_view_literals;
  for (const std::string_view line : {" x: a"sv, "\tx: a"sv, "x : a"sv, "x\t: a"sv, ": a"sv, "x"sv, ""sv, "x y: a"sv,
                                      "x@y: a"sv, "x\xc3\xa9: a"sv, "x\0: a"sv, "x: a\0b"sv, "x: a\rb"sv, "x: a\x01"sv,
                                      "x: \x7f"sv, "x: \xff"sv, "x: \xc3"sv, "(x): a"sv, "\"x\": a"sv}) {
    Field field;
    EXPECT_TRUE(parse_field_line(line, field)) << line;
  }
}

TEST(FieldClass, KnowsWhatMayStandOnlyOnce) {
  EXPECT_EQ(classify_field("HOST").kind, FieldKind::host);
  EXPECT_EQ(classify_field("Content-Length").kind, FieldKind::content_length);
  EXPECT_EQ(classify_field("transfer-encoding").kind, FieldKind::transfer_encoding);
  EXPECT_EQ(classify_field("Expect").kind, FieldKind::expect);
  for (const std::string_view name :
       {"Authorization", "Cookie", "Origin", "Content-Type", "Idempotency-Key", "X-Request-Id", "X-Forwarded-For",
        "X-Real-IP", "Forwarded", "Host", "Content-Length", "Access-Control-Request-Method"}) {
    EXPECT_NE(classify_field(name).single_index, 0) << name;
  }
  for (const std::string_view name : {"Accept", "Via", "X-Unknown", "", "Hostt", "Hos", "Connection"}) {
    EXPECT_EQ(classify_field(name).single_index, 0) << name;
  }
  EXPECT_EQ(classify_field("connection").kind, FieldKind::connection);
  EXPECT_NE(classify_field("Origin").single_index, classify_field("Cookie").single_index);
  EXPECT_EQ(classify_field(std::string(1000, 'x')).kind, FieldKind::ordinary);
}

TEST(Utf8, IsTheShortestFormOfAScalarValue) {
  for (const std::string_view good :
       {"", "a", "\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  for (const std::string_view bad : {"\x80", "\xc1\xbf", "\xc2", "\xc2z", "\xe0\x9f\xbf", "\xed\xa0\x80",
                                     "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xff"}) {
    EXPECT_FALSE(is_utf8(bad)) << bad;
  }
}

TEST(Request, FindsAFieldWithoutRegardToCase) {
  Request request;
  request.fields = {{"Accept", "a"}, {"X-Request-ID", "b"}};
  EXPECT_EQ(request.field("x-request-id"), "b");
  EXPECT_FALSE(request.field("x-request"));
}

}  // namespace
}  // namespace safawinet::http
