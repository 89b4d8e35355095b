#include "audit/audit_log.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/encoding.hpp"
#include "base/run_task.hpp"
#include "base/testing.hpp"
#include "sql/testing_engines.hpp"

namespace safawinet {
namespace {

class AuditLogTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  AuditEntry entry() {
    return {.action = "session.force-logout",
            .outcome = AuditOutcome::done,
            .actor = Actor::user(UserId::make(clock_, random_)),
            .target = "everybody",
            .reason = "it's \"the\" reason; 100 %",
            .origin = {.ip_address = "192.0.2.8", .network = {}, .user_agent = {}, .request_id = "r-1"}};
  }
  void record(AuditEntry one) { run_task(loop_, audit_.record(database_, std::move(one))); }
  sql::Row newest() {
    static constexpr sql::Statement select{
        "SELECT id, at, action, outcome, actor, target, reason, ip_address, request_id, mac FROM audit_log "
        "ORDER BY seq DESC LIMIT 1"};
    return run_task(loop_, database_.read(select)).front();
  }
  std::int64_t rows() {
    static constexpr sql::Statement count{"SELECT count(*) FROM audit_log"};
    return run_task(loop_, database_.read(count)).front().get<std::int64_t>(0);
  }
  // The MAC that a row with these columns must have: each with its length in front.
  static std::string mac_of(const MacKey& key, const sql::Row& row) {
    std::string message;
    for (std::size_t column = 0; column < 9; ++column) {
      const auto text = column == 1 ? to_rfc3339(row.get<Time>(1)) : row.get<std::string>(column);
      message += std::to_string(text.size()) + ":" + text;
    }
    return to_base64url(key.sign(as_bytes(message)));
  }

  testing::ManualClock clock_;
  testing::SeededRandom random_;
  EventLoop loop_{1};
  std::unique_ptr<sql::testing::TestDatabase> opened_ = GetParam().open({&loop_});
  sql::Database& database_ = opened_->database();
  MacKey key_{Bytes(MacKey::kBytes, 7)};
  AuditLog audit_{clock_, random_, key_};
};

TEST_P(AuditLogTest, an_entry_is_kept_as_it_was_given) {
  const auto one = entry();
  record(one);
  const auto row = newest();
  EXPECT_EQ(row.get<Time>(1), clock_.now());
  EXPECT_EQ(row.get<std::string>(2), "session.force-logout");
  EXPECT_EQ(row.get<std::string>(3), "done");
  EXPECT_EQ(row.get<std::string>(4), one.actor.text);
  EXPECT_EQ(row.get<std::string>(5), "everybody");
  EXPECT_EQ(row.get<std::string>(6), one.reason);
  EXPECT_EQ(row.get<std::string>(7), "192.0.2.8");
  EXPECT_EQ(row.get<std::string>(8), "r-1");
  auto refused = entry();
  refused.outcome = AuditOutcome::refused;
  record(refused);
  EXPECT_EQ(newest().get<std::string>(3), "refused");
}

TEST_P(AuditLogTest, it_is_written_with_its_transaction_or_not_at_all) {
  for (const bool commit : {true, false}) {
    auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
      auto one = entry();
      co_await audit_.record(transaction, std::move(one));
      if (!commit) co_return refuse(ErrorCode::conflict);
      co_return true;
    };
    run_task(loop_, database_.transact(std::move(body)));
  }
  EXPECT_EQ(rows(), 1);
}

TEST_P(AuditLogTest, the_mac_covers_every_column) {
  record(entry());
  EXPECT_EQ(newest().get<std::string>(9), mac_of(key_, newest()));
  for (const std::string change :
       {"id = 'ffffffff-ffff-ffff-ffff-ffffffffffff'", "at = '2026-01-02T03:04:05.000006Z'", "action = action || 'x'",
        "outcome = 'refused'", "actor = actor || 'x'", "target = target || 'x'", "reason = reason || 'x'",
        "ip_address = ip_address || 'x'", "request_id = request_id || 'x'"}) {
    record(entry());
    opened_->run_by_hand("UPDATE audit_log SET " + change + " WHERE seq = (SELECT max(seq) FROM audit_log)");
    EXPECT_NE(newest().get<std::string>(9), mac_of(key_, newest())) << change;
  }
}

TEST_P(AuditLogTest, what_moves_from_one_column_to_the_next_changes_the_mac) {
  auto one = entry();
  one.target = "ab";
  one.reason = "c";
  record(one);
  opened_->run_by_hand("UPDATE audit_log SET target = 'a', reason = 'bc'");
  EXPECT_NE(newest().get<std::string>(9), mac_of(key_, newest()));
}

TEST_P(AuditLogTest, another_key_gives_another_mac) {
  record(entry());
  const MacKey other(Bytes(MacKey::kBytes, 8));
  EXPECT_NE(newest().get<std::string>(9), mac_of(other, newest()));
}

TEST_P(AuditLogTest, equal_entries_are_different_rows) {
  const auto one = entry();
  std::set<std::string> macs;
  for (int i = 0; i < 3; ++i) {
    record(one);
    macs.insert(newest().get<std::string>(9));
  }
  EXPECT_EQ(macs.size(), 3U);
}

INSTANTIATE_TEST_SUITE_P(Engines, AuditLogTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
