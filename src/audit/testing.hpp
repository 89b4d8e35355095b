// For tests: an audit log with its chain, on either engine.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "audit/audit_chain.hpp"
#include "base/run_task.hpp"
#include "base/testing.hpp"
#include "sql/testing_engines.hpp"

namespace safawinet::testing {

inline std::array<std::uint8_t, 32> bytes_of(std::uint8_t value) {
  std::array<std::uint8_t, 32> bytes{};
  bytes.fill(value);
  return bytes;
}

inline AuditKeys keys_of(std::uint8_t value) {
  return {.entries = MacKey(bytes_of(value)), .chain = MacKey(bytes_of(static_cast<std::uint8_t>(value + 1)))};
}

inline std::vector<std::string> kinds(const std::vector<AuditFinding>& findings) {
  std::vector<std::string> kinds;
  for (const auto& finding : findings) kinds.emplace_back(finding.kind);
  return kinds;
}

class AuditChainAtWork : public ::testing::TestWithParam<safawinet::sql::testing::Engine> {
 protected:
  AuditEntry entry(std::string target = "everybody") {
    return {.action = "session.force-logout",
            .outcome = AuditOutcome::done,
            .actor = Actor::user(user_),
            .target = std::move(target),
            .reason = "because",
            .origin = {.ip_address = "192.0.2.8", .network = {}, .user_agent = {}, .request_id = "r-1"}};
  }
  void record(int entries) {
    auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
      for (int i = 0; i < entries; ++i) {
        auto one = entry();
        co_await audit_.record(transaction, std::move(one));
      }
      co_return true;
    };
    ASSERT_TRUE(run_task(loop_, database_.transact(std::move(body))));
  }
  std::int64_t link() { return run_task(loop_, chain_.link_waiting()); }
  void record_and_link(int entries) {
    record(entries);
    while (link() > 0) {
    }
  }
  AuditVerification verify(std::vector<AuditCheckpoint> checkpoints = {}) {
    return run_task(loop_, chain_.verify(std::nullopt, std::move(checkpoints)));
  }
  std::vector<std::string> faults(std::vector<AuditCheckpoint> checkpoints = {}) {
    return kinds(verify(std::move(checkpoints)).findings);
  }
  AuditCheckpoint checkpoint() { return checkpoint_key_.sign(run_task(loop_, chain_.head()), clock_.now()); }
  void attack(const std::string& script) { opened_->run_by_hand(script); }
  std::int64_t count(const sql::Statement& statement) {
    return run_task(loop_, database_.read(statement)).front().get<std::int64_t>(0);
  }
  std::int64_t linked() {
    static constexpr sql::Statement statement{"SELECT count(*) FROM audit_chain"};
    return count(statement);
  }
  std::int64_t entries() {
    static constexpr sql::Statement statement{"SELECT count(*) FROM audit_log"};
    return count(statement);
  }
  Result<std::int64_t> erase(UserId user) {
    auto approve = [](sql::Transaction&) -> Task<Status> { co_return Status{}; };
    AuditErasure erasure{.user = user, .reason = "asked for", .actor = Actor::system(), .origin = {}};
    return run_task(loop_, chain_.erase(std::move(erasure), std::move(approve)));
  }

  ManualClock clock_{Time(std::chrono::seconds(1'700'000'000))};  // long ago, also for the database
  SeededRandom random_;
  UserId user_ = UserId::make(clock_, random_);
  EventLoop loop_{1};
  std::unique_ptr<safawinet::sql::testing::TestDatabase> opened_ = GetParam().open({&loop_});
  sql::Database& database_ = opened_->database();
  AuditKeys keys_ = keys_of(1);
  CheckpointKey checkpoint_key_{bytes_of(9)};
  AuditLog audit_{clock_, random_, keys_.entries};
  AuditChain chain_{AuditChain::Parts{.database = database_,
                                      .audit = audit_,
                                      .clock = clock_,
                                      .slow_loop = loop_,
                                      .keys = keys_,
                                      .checkpoint_key = checkpoint_key_}};
};

}  // namespace safawinet::testing
