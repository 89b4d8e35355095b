#include "cli/import_source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/testing_folder.hpp"
#include "cli/failure.hpp"

namespace safawinet::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;

class ImportSourceTest : public ::testing::Test {
 protected:
  std::string file(std::string_view content) {
    const auto path = folder_.path() / "users";
    std::ofstream(path, std::ios::binary) << content;
    return path.string();
  }
  // "2 {"email":"ada@example.com"}", "3: is no JSON object"
  std::vector<std::string> read(ImportFormat format, std::string_view content) {
    ImportSource source(file(content), format);
    std::vector<std::string> records;
    while (const auto record = source.next()) {
      const auto line = std::to_string(record->line);
      records.push_back(record->user ? line + " " + boost::json::serialize(*record->user)
                                     : line + ": " + record->user.error());
    }
    return records;
  }
  std::vector<std::string> lines(std::string_view content) { return read(ImportFormat::json_lines, content); }
  std::vector<std::string> csv(std::string_view content) { return read(ImportFormat::csv, content); }

  testing::TemporaryFolder folder_;
};

TEST_F(ImportSourceTest, JsonLinesAreReadWithTheirNumbersAndBlankOnesArePassedOver) {
  EXPECT_THAT(lines("\xef\xbb\xbf{\"email\":\"a\"}\n\n  \r\n{\"email\":\"b\"}\r\n{\"email\":\"c\"}"),
              ElementsAre(R"(1 {"email":"a"})", R"(4 {"email":"b"})", R"(5 {"email":"c"})"));
  EXPECT_THAT(lines(""), ElementsAre());
}

TEST_F(ImportSourceTest, ALineThatIsNoUserIsToldAndTheNextOneIsRead) {
  const auto records =
      lines("{\n[]\n{\"email\":{\"a\":1}}\n\xff\n" + std::string(100'000, 'x') + "\n{\"email\":\"b\"}\n");
  ASSERT_EQ(records.size(), 6U);
  EXPECT_THAT(records[0], HasSubstr("1: is no JSON"));
  EXPECT_EQ(records[1], "2: is no JSON object");
  EXPECT_EQ(records[2], "3: has a list or an object in it");
  EXPECT_THAT(records[3], HasSubstr("4: is no JSON"));
  EXPECT_EQ(records[4], "5: is longer than 16384 bytes");
  EXPECT_EQ(records[5], R"(6 {"email":"b"})");
}

TEST_F(ImportSourceTest, CsvHasItsColumnsNamedAndTruthsBecomeTruths) {
  EXPECT_THAT(csv("email,emailVerified,name\r\na@b.c,true,Ada\r\nd@e.f,f,\r\n"),
              ElementsAre(R"(2 {"email":"a@b.c","emailVerified":true,"name":"Ada"})",
                          R"(3 {"email":"d@e.f","emailVerified":false})"));
  EXPECT_THAT(csv("email,isActive\na@b.c,perhaps\n"),
              ElementsAre("2: isActive must be one of true, t, 1, false, f, 0"));
}

TEST_F(ImportSourceTest, CsvMayHaveCommasAndQuotesInQuotes) {
  EXPECT_THAT(csv("email,name\na,\"Ada, \"\"the\"\" one\"\nc,C\n"),
              ElementsAre(R"(2 {"email":"a","name":"Ada, \"the\" one"})", R"(3 {"email":"c","name":"C"})"));
}

TEST_F(ImportSourceTest, AQuotationMarkTooManyCostsItsOwnLineAndNoOther) {
  EXPECT_THAT(
      csv("email,name\na,6\" A\nb,B\nc,\"C\nd,D\ne,\"two\nlines\"\nf,F\n"),
      ElementsAre("2: has a quotation mark in a value that does not begin with one", R"(3 {"email":"b","name":"B"})",
                  "4: has a quotation mark that does not end on its line", R"(5 {"email":"d","name":"D"})",
                  "6: has a quotation mark that does not end on its line",
                  "7: has a quotation mark in a value that does not begin with one", R"(8 {"email":"f","name":"F"})"));
}

TEST_F(ImportSourceTest, CsvThatIsBrokenIsToldLineByLine) {
  EXPECT_THAT(csv("email,name\na\nb,B,x\nc,\"C\" x\nd,\xff\ne,E\nf,\"no end\n"),
              ElementsAre("2: has 1 values, and not 2", "3: has 3 values, and not 2",
                          "4: has something behind a quotation mark that ends a value", "5: is not UTF-8, or has a NUL",
                          R"(6 {"email":"e","name":"E"})", "7: has a quotation mark that does not end on its line"));
}

TEST_F(ImportSourceTest, ColumnsThatThereAreNotAreRefused) {
  for (const auto* content : {"email,password\n", "email,email\n", "\"email\n", "e-mail\n", "\xff\n", ",\n"}) {
    EXPECT_THROW(csv(content), Failure) << content;
  }
}

TEST_F(ImportSourceTest, ThePlaceTellsWhetherTheFileIsTheSameUpToIt) {
  const auto place = [](const std::string& path, int records) {
    ImportSource source(path, ImportFormat::json_lines);
    for (int i = 0; i < records; ++i) source.next();
    return source.place();
  };
  const auto first = place(file("{\"email\":\"a\"}\n{\"email\":\"b\"}\n"), 1);
  EXPECT_EQ(first.line, 1U);
  EXPECT_EQ(first.bytes, 14U);
  EXPECT_EQ(place(file("{\"email\":\"a\"}\n{\"email\":\"c\"}\n"), 1), first);
  EXPECT_NE(place(file("{\"email\":\"x\"}\n{\"email\":\"b\"}\n"), 1), first);
}

TEST(CsvValues, AreWhatRfc4180SaysOfOneLine) {
  EXPECT_THAT(csv_values("a,b,c"), Optional(ElementsAre("a", "b", "c")));
  EXPECT_THAT(csv_values("a,,"), Optional(ElementsAre("a", "", "")));
  EXPECT_THAT(csv_values(""), Optional(ElementsAre("")));
  EXPECT_THAT(csv_values("\"\",\"a\"\"b\",\"c,d\""), Optional(ElementsAre("", "a\"b", "c,d")));
  for (const auto* bad : {"\"", "a\"b", "\"a\"b", "\"a", "a,\"b"}) EXPECT_FALSE(csv_values(bad)) << bad;
}

}  // namespace
}  // namespace safawinet::cli
