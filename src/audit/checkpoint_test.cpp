#include "audit/checkpoint.hpp"

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <array>
#include <csignal>
#include <fstream>

#include "base/testing_folder.hpp"

namespace safawinet {
namespace {

std::array<std::uint8_t, 32> seed_of(std::uint8_t value) {
  std::array<std::uint8_t, 32> seed{};
  seed.fill(value);
  return seed;
}

constexpr Time kNow{std::chrono::seconds(1'700'000'000)};

class CheckpointTest : public ::testing::Test {
 protected:
  AuditCheckpoint make(std::int64_t position) const { return key_.sign({.position = position, .link = "abc"}, kNow); }

  testing::TemporaryFolder folder_;
  CheckpointKey key_{seed_of(3)};
  CheckpointFile file_{folder_.path() / "checkpoints.jsonl"};
};

TEST_F(CheckpointTest, the_signature_covers_position_link_and_time) {
  const auto good = make(7);
  EXPECT_TRUE(key_.verify(good));
  auto bad = good;
  bad.point.position = 8;
  EXPECT_FALSE(key_.verify(bad));
  bad = good;
  bad.point.link = "abd";
  EXPECT_FALSE(key_.verify(bad));
  bad = good;
  bad.at += std::chrono::microseconds(1);
  EXPECT_FALSE(key_.verify(bad));
  bad = good;
  bad.signature.clear();
  EXPECT_FALSE(key_.verify(bad));
  EXPECT_FALSE(CheckpointKey(seed_of(4)).verify(good));
}

TEST_F(CheckpointTest, the_same_master_key_signs_with_the_same_key) {
  EXPECT_EQ(CheckpointKey(seed_of(3)).public_key(), key_.public_key());
  EXPECT_NE(CheckpointKey(seed_of(4)).public_key(), key_.public_key());
}

TEST_F(CheckpointTest, a_line_gives_back_what_was_signed) {
  const auto line = to_line(make(7), key_.public_key());
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto read = parse_checkpoint(line);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->point.position, 7);
  EXPECT_TRUE(key_.verify(*read));
  for (const auto* nonsense : {"", "{}", "[]", "null", "{\"position\":1}",
                               R"({"position":"1","link":"","at":"2023-11-14T22:13:20Z","signature":""})",
                               R"({"position":1,"link":"","at":"yesterday","signature":""})"}) {
    EXPECT_FALSE(parse_checkpoint(nonsense)) << nonsense;
  }
}

TEST_F(CheckpointTest, the_file_gives_its_newest_lines_whatever_stands_between_them) {
  EXPECT_TRUE(file_.newest(10).empty());
  for (std::int64_t position = 1; position <= 1'000; ++position)
    file_.append(to_line(make(position), key_.public_key()));
  std::ofstream(file_.path(), std::ios::app) << "{\"half\": a li\n";
  file_.append(to_line(make(1'001), key_.public_key()));
  const auto newest = file_.newest(10);
  ASSERT_EQ(newest.size(), 10U);
  EXPECT_EQ(newest.front().point.position, 992);
  EXPECT_EQ(newest.back().point.position, 1'001);
}

// Writes as if the disk had room up to this size of a file.
class DiskOfSize {
 public:
  explicit DiskOfSize(std::uintmax_t bytes) : handler_before_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limited{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limited);
  }
  DiskOfSize(const DiskOfSize&) = delete;
  DiskOfSize& operator=(const DiskOfSize&) = delete;
  ~DiskOfSize() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_before_);
  }

 private:
  rlimit before_{};
  void (*handler_before_)(int);
};

TEST_F(CheckpointTest, a_full_disk_leaves_no_half_line_behind) {
  const auto line = to_line(make(1), key_.public_key());
  file_.append(line);
  {
    const DiskOfSize small(line.size() + 20);
    EXPECT_THROW(file_.append(to_line(make(2), key_.public_key())), std::system_error);
  }
  file_.append(to_line(make(3), key_.public_key()));
  const auto newest = file_.newest(5);
  ASSERT_EQ(newest.size(), 2U);
  EXPECT_EQ(newest.back().point.position, 3);
}

TEST_F(CheckpointTest, half_a_line_does_not_swallow_the_next_one) {
  std::ofstream(file_.path()) << R"({"event":"audit-checkpoint","position":99,"link":"abc)";
  file_.append(to_line(make(7), key_.public_key()));
  const auto newest = file_.newest(5);
  ASSERT_EQ(newest.size(), 1U);
  EXPECT_EQ(newest.front().point.position, 7);
}

TEST_F(CheckpointTest, what_was_lost_is_remembered_however_much_comes_after_it) {
  file_.append(to_lost_line(make(5), key_.public_key()));
  for (std::int64_t position = 6; position < 300; ++position) {
    file_.append(to_line(make(position), key_.public_key()));
  }
  EXPECT_EQ(file_.newest(200).front().point.position, 100);
  const auto lost = file_.lost(200);
  ASSERT_EQ(lost.size(), 1U);
  EXPECT_EQ(lost.front().point.position, 5);
  EXPECT_TRUE(key_.verify(lost.front()));
  EXPECT_TRUE(file_.lost(0).empty());
}

TEST_F(CheckpointTest, a_file_that_cannot_be_written_says_so) {
  const CheckpointFile nowhere(folder_.path() / "missing" / "file");
  EXPECT_THROW(nowhere.append("x"), std::system_error);
  EXPECT_TRUE(nowhere.newest(5).empty());
}

}  // namespace
}  // namespace safawinet
