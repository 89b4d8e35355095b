#include "sessions/revocation_cursor.hpp"

#include <gtest/gtest.h>

#include "base/encoding.hpp"

namespace safawinet {
namespace {

MacKey key_of(std::uint8_t byte) { return MacKey(Bytes(MacKey::kBytes, byte)); }

RevocationCursor cursor_with(std::optional<DatabaseSnapshot> from, std::optional<DatabaseSnapshot> up_to) {
  return {.history = {1, 2, 3, 4, 5, 6, 7, 255},
          .opened_at = Time(std::chrono::seconds(1'795'000'000)),
          .seq = 123'456'789'012,
          .from = std::move(from),
          .up_to = std::move(up_to)};
}

TEST(DatabaseSnapshot, is_read_as_the_database_writes_it) {
  for (const std::string text : {"1:1:", "10:20:10,14,15", "5:5:", "18446744073709551614:18446744073709551615:"}) {
    const auto snapshot = DatabaseSnapshot::parse(text);
    ASSERT_TRUE(snapshot) << text;
    EXPECT_EQ(snapshot->text(), text);
  }
  EXPECT_EQ(DatabaseSnapshot::parse("10:20:14")->running, std::vector<std::uint64_t>{14});
}

TEST(DatabaseSnapshot, is_nothing_else) {
  for (const std::string_view text :
       {"", ":", "10", "a:b:", "20:10:", "10:20:9", "10:20:15,14", "10:20:x", "10:20:1 "}) {
    EXPECT_FALSE(DatabaseSnapshot::parse(text)) << text;
  }
}

TEST(RevocationCursor, comes_back_as_it_was) {
  const DatabaseSnapshot quiet{.xmin = 700, .xmax = 700, .running = {}};
  const DatabaseSnapshot busy{.xmin = 700, .xmax = 100'000, .running = {700, 701, 99'999}};
  for (const auto& cursor :
       {cursor_with({}, {}), cursor_with(quiet, {}), cursor_with({}, busy), cursor_with(quiet, busy)}) {
    EXPECT_EQ(RevocationCursor::parse(cursor.format(key_of(1)), key_of(1)), cursor);
  }
}

TEST(RevocationCursor, of_another_key_or_altered_anywhere_is_none) {
  const auto text = cursor_with(DatabaseSnapshot{.xmin = 7, .xmax = 9, .running = {8}}, {}).format(key_of(1));
  EXPECT_FALSE(RevocationCursor::parse(text, key_of(2)));
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto altered = text;
    altered[i] = altered[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(RevocationCursor::parse(altered, key_of(1))) << i;
    EXPECT_FALSE(RevocationCursor::parse(text.substr(0, i), key_of(1))) << i;
  }
  EXPECT_FALSE(RevocationCursor::parse(std::string(1'000'000, 'A'), key_of(1)));
}

TEST(RevocationCursor, fits_into_a_request_line_although_a_thousand_transactions_are_open) {
  DatabaseSnapshot busy{.xmin = 123'456'789'012, .xmax = 123'456'789'012 + 100'000, .running = {}};
  for (std::uint64_t i = 0; i < 1'000; ++i) busy.running.push_back(busy.xmin + 100 * i);
  EXPECT_LT(cursor_with(busy, busy).format(key_of(1)).size(), 3'000U);
}

}  // namespace
}  // namespace safawinet
