#include "audit/audit_log.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "audit/audit_entry.hpp"
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
        "SELECT id, at, action, outcome, actor, target, reason, ip_address, request_id, salt, personal, mac FROM "
        "audit_log "
        "ORDER BY seq DESC LIMIT 1"};
    return run_task(loop_, database_.read(select)).front();
  }
  std::int64_t rows() {
    static constexpr sql::Statement count{"SELECT count(*) FROM audit_log"};
    return run_task(loop_, database_.read(count)).front().get<std::int64_t>(0);
  }
  static AuditRow as_entry(const sql::Row& row) {
    return {.id = row.get<AuditEntryId>(0),
            .at = row.get<Time>(1),
            .action = row.get<std::string>(2),
            .outcome = row.get<std::string>(3),
            .actor = row.get<std::string>(4),
            .target = row.get<std::string>(5),
            .reason = row.get<std::string>(6),
            .ip_address = row.get<std::string>(7),
            .request_id = row.get<std::string>(8),
            .salt = row.find<std::string>(9),
            .personal = row.get<std::string>(10),
            .mac = row.get<std::string>(11)};
  }
  std::string fault_of_newest(const MacKey& key) { return fault_of(key, as_entry(newest())); }

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

TEST_P(AuditLogTest, a_change_of_any_column_is_found) {
  record(entry());
  EXPECT_EQ(fault_of_newest(key_), "");
  for (const std::string change :
       {"id = 'ffffffff-ffff-ffff-ffff-ffffffffffff'", "at = '2026-01-02T03:04:05.000006Z'", "action = action || 'x'",
        "outcome = 'refused'", "actor = actor || 'x'", "target = target || 'x'", "reason = reason || 'x'",
        "ip_address = ip_address || 'x'", "request_id = request_id || 'x'", "salt = salt || 'x'", "salt = NULL",
        "personal = personal || 'x'", "personal = ''", "mac = mac || 'x'"}) {
    record(entry());
    opened_->run_by_hand("UPDATE audit_log SET " + change + " WHERE seq = (SELECT max(seq) FROM audit_log)");
    EXPECT_NE(fault_of_newest(key_), "") << change;
  }
}

TEST_P(AuditLogTest, what_moves_from_one_column_to_the_next_is_found) {
  auto one = entry();
  one.target = "ab";
  one.reason = "c";
  record(one);
  opened_->run_by_hand("UPDATE audit_log SET target = 'a', reason = 'bc'");
  EXPECT_NE(fault_of_newest(key_), "");
}

TEST_P(AuditLogTest, another_key_verifies_nothing) {
  record(entry());
  const MacKey other(Bytes(MacKey::kBytes, 8));
  EXPECT_NE(fault_of_newest(other), "");
}

TEST_P(AuditLogTest, the_mac_does_not_tell_what_is_personal) {
  const auto one = entry();
  std::set<std::string> commitments;
  for (int i = 0; i < 3; ++i) {
    record(one);
    commitments.insert(newest().get<std::string>(10));
  }
  EXPECT_EQ(commitments.size(), 3U) << "equal persons would be recognised, and guesses tried";
}

// A right that was taken away, a trigger of somebody's, a disk that is full: all the same to whoever must be recorded.
TEST_P(AuditLogTest, a_log_that_cannot_be_written_is_unavailable_and_nothing_else_happens) {
  const bool is_sqlite = GetParam().name == "sqlite";
  opened_->run_by_hand(
      is_sqlite ? "CREATE TRIGGER deaf BEFORE INSERT ON audit_log BEGIN SELECT RAISE(ABORT, 'no'); END"
                : "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$; "
                  "CREATE TRIGGER deaf BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION no()");
  static constexpr sql::Statement other{"UPDATE database_probe SET probed_at = $1"};
  static constexpr sql::Statement look{"SELECT count(*) FROM database_probe WHERE probed_at = $1"};
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    co_await transaction.execute(other, clock_.now());
    auto one = entry();
    co_await audit_.record(transaction, std::move(one));
    co_return true;
  };
  EXPECT_THROW(run_task(loop_, database_.transact(std::move(body))), Unavailable);
  EXPECT_EQ(run_task(loop_, database_.read(look, clock_.now())).front().get<std::int64_t>(0), 0);
  EXPECT_THROW(record(entry()), Unavailable);
  EXPECT_EQ(audit_.unrecorded(), 0U);
  run_task(loop_, audit_.try_to_record(database_, entry()));
  EXPECT_EQ(audit_.unrecorded(), 1U);
  EXPECT_EQ(rows(), 0);
  opened_->run_by_hand(is_sqlite ? "DROP TRIGGER deaf" : "DROP TRIGGER deaf ON audit_log");
  run_task(loop_, audit_.try_to_record(database_, entry()));
  EXPECT_EQ(audit_.unrecorded(), 1U);
  EXPECT_EQ(rows(), 1);
}

TEST_P(AuditLogTest, equal_entries_are_different_rows) {
  const auto one = entry();
  std::set<std::string> macs;
  for (int i = 0; i < 3; ++i) {
    record(one);
    macs.insert(newest().get<std::string>(11));
  }
  EXPECT_EQ(macs.size(), 3U);
}

INSTANTIATE_TEST_SUITE_P(Engines, AuditLogTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
