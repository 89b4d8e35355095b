#include "cli/table.hpp"

#include <gtest/gtest.h>

#include <sstream>

#include "cli/text.hpp"

namespace safawinet::cli {
namespace {

class TableTest : public testing::Test {
 protected:
  Table make(std::vector<std::string> titles, std::size_t width) {
    return {std::move(titles), width, [this](std::string_view text) { printed_ += text; }};
  }
  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> all;
    std::istringstream in(printed_);
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }
  std::string printed_;
};

TEST_F(TableTest, AlignsColumnsByWhatTheyHold) {
  auto table = make({"ID", "NAME"}, 0);
  table.add({"1", "Ada"});
  table.add({"12345", "名前"});
  table.finish();
  EXPECT_EQ(printed_, "ID     NAME\n1      Ada\n12345  名前\n");
}

TEST_F(TableTest, WritesNothingWithoutRows) {
  auto table = make({"ID"}, 80);
  table.finish();
  EXPECT_EQ(printed_, "");
}

TEST_F(TableTest, FitsTheTerminalWhateverTheCellsHold) {
  for (const std::size_t width : {40U, 60U, 80U}) {
    printed_.clear();
    auto table = make({"A", "B", "C"}, width);
    table.add({std::string(100, 'a'), "short", std::string(50, 'c')});
    table.add({"1", "名名名名名名名名名名名名名名名名名名名名名名名名名名名名名名", "3"});
    table.finish();
    ASSERT_EQ(lines().size(), 3U);
    for (const auto& line : lines()) EXPECT_LE(width_of(line), width);
  }
}

constexpr auto kId = "01a22430-852c-77a9-9b81-9ebaa044760d";

TEST_F(TableTest, NeverCutsAnId) {
  for (const std::size_t width : {40U, 50U, 80U, 120U}) {
    printed_.clear();
    auto table = make({"ID", "DEVICE", "BEGAN", "EXPIRES", "USER AGENT"}, width);
    table.add({kId, "A telephone of hers", "2026-11-28 21:40:39Z", "2026-12-28 21:40:39Z", std::string(100, 'u')});
    table.finish();
    EXPECT_NE(printed_.find(kId), std::string::npos) << printed_;
    for (const auto& line : lines()) EXPECT_LE(width_of(line), width) << line;
  }
}

TEST_F(TableTest, LeavesColumnsOutFromTheRight) {
  auto table = make({"ID", "DEVICE", "BEGAN", "EXPIRES", "USER AGENT"}, 80);
  table.add({kId, "Phone", "2026-11-28 21:40:39Z", "2026-12-28 21:40:39Z", std::string(100, 'u')});
  table.finish();
  EXPECT_EQ(lines().front().find("USER AGENT"), std::string::npos);
  EXPECT_NE(lines().front().find("DEVICE"), std::string::npos);
}

TEST_F(TableTest, PrintsRecordsWhereNothingFitsBesideTheId) {
  auto table = make({"ID", "DEVICE", "NAME"}, 40);
  table.add({kId, "Phone of a long name", ""});
  table.add({kId, "Tablet", "Ada"});
  table.finish();
  const std::string id = kId;
  EXPECT_EQ(printed_, "ID: " + id + "\nDEVICE: Phone of a long name\n\nID: " + id + "\nDEVICE: Tablet\nNAME: Ada\n");
}

TEST_F(TableTest, CutsNothingWhereCellsStayWhole) {
  const std::string id(43, 'k');
  for (const std::size_t width : {40U, 60U, 80U, 100U}) {
    printed_.clear();
    auto table = Table(
        {"ID", "STATE", "SINCE"}, width, [this](std::string_view text) { printed_ += text; }, Table::Cells::stay_whole);
    table.add({id, "active", "2026-11-28 21:40:39Z"});
    table.finish();
    EXPECT_EQ(printed_,
              width < 80 ? "ID: " + id + "\nSTATE: active\nSINCE: 2026-11-28 21:40:39Z\n"
                         : "ID" + std::string(43, ' ') + "STATE   SINCE\n" + id + "  active  2026-11-28 21:40:39Z\n");
  }
}

TEST_F(TableTest, CutsNothingWhenPiped) {
  auto table = make({"A", "B"}, 0);
  table.add({std::string(500, 'a'), "b"});
  table.finish();
  EXPECT_EQ(lines().back(), std::string(500, 'a') + "  b");
}

TEST_F(TableTest, KeepsARowOnOneLine) {
  auto table = make({"A"}, 0);
  table.add({"one\ntwo\r\n\x1b[31m"});
  table.finish();
  EXPECT_EQ(lines().size(), 2U);
  EXPECT_EQ(lines().back(), "one\\ntwo\\r\\n\\x1b[31m");
}

TEST_F(TableTest, WritesLongListsAsTheyCome) {
  auto table = make({"N"}, 80);
  for (int row = 0; row < 1'000; ++row) table.add({std::to_string(row)});
  EXPECT_GT(lines().size(), 900U);
  table.finish();
  EXPECT_EQ(lines().size(), 1'001U);
  EXPECT_EQ(table.rows(), 1'000U);
}

}  // namespace
}  // namespace safawinet::cli
