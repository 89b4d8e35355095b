#include "audit/audit_chain.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/run_task.hpp"
#include "base/testing.hpp"
#include "sql/testing_engines.hpp"

namespace safawinet {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::array<std::uint8_t, 32> bytes_of(std::uint8_t value) {
  std::array<std::uint8_t, 32> bytes{};
  bytes.fill(value);
  return bytes;
}

AuditKeys keys_of(std::uint8_t value) {
  return {.entries = MacKey(bytes_of(value)), .chain = MacKey(bytes_of(static_cast<std::uint8_t>(value + 1)))};
}

std::vector<std::string> kinds(const std::vector<AuditFinding>& findings) {
  std::vector<std::string> kinds;
  for (const auto& finding : findings) kinds.emplace_back(finding.kind);
  return kinds;
}

class AuditChainTest : public ::testing::TestWithParam<sql::testing::Engine> {
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

  testing::ManualClock clock_{Time(std::chrono::seconds(1'700'000'000))};  // long ago, also for the database
  testing::SeededRandom random_;
  UserId user_ = UserId::make(clock_, random_);
  EventLoop loop_{1};
  std::unique_ptr<sql::testing::TestDatabase> opened_ = GetParam().open({&loop_});
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

TEST_P(AuditChainTest, every_entry_is_linked_once_and_verifies) {
  EXPECT_EQ(link(), 0);
  EXPECT_TRUE(verify().is_complete);
  record(3);
  EXPECT_EQ(link(), 3);
  EXPECT_EQ(link(), 0);
  record(2);
  EXPECT_EQ(link(), 2);
  const auto verified = verify({checkpoint()});
  EXPECT_THAT(verified.findings, IsEmpty());
  EXPECT_TRUE(verified.is_complete);
  EXPECT_EQ(verified.from, 1);
  EXPECT_EQ(verified.rows, 5);
  EXPECT_EQ(verified.verified_up_to, 5);
  EXPECT_EQ(verified.head.position, 5);
}

TEST_P(AuditChainTest, what_was_rolled_back_is_not_linked) {
  record_and_link(1);
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    auto one = entry();
    co_await audit_.record(transaction, std::move(one));
    co_return refuse(ErrorCode::conflict);
  };
  EXPECT_FALSE(run_task(loop_, database_.transact(std::move(body))));
  record_and_link(1);
  EXPECT_EQ(linked(), 2);
  EXPECT_THAT(faults(), IsEmpty());
}

TEST_P(AuditChainTest, a_verification_goes_on_where_another_one_ended) {
  record_and_link(10);
  const auto rest = run_task(loop_, chain_.verify(7, {}));
  EXPECT_EQ(rest.from, 7);
  EXPECT_EQ(rest.rows, 4);
  EXPECT_THAT(rest.findings, IsEmpty());
  const auto beyond = run_task(loop_, chain_.verify(11, {}));
  EXPECT_EQ(beyond.rows, 0);
  EXPECT_TRUE(beyond.is_complete);
  EXPECT_THAT(beyond.findings, IsEmpty());
}

TEST_P(AuditChainTest, other_keys_verify_nothing) {
  record_and_link(2);
  AuditChain stranger(AuditChain::Parts{.database = database_,
                                        .audit = audit_,
                                        .clock = clock_,
                                        .slow_loop = loop_,
                                        .keys = keys_of(5),
                                        .checkpoint_key = checkpoint_key_});
  const auto verified = run_task(loop_, stranger.verify(std::nullopt, {}));
  EXPECT_THAT(kinds(verified.findings), ElementsAre("link-wrong", "entry-changed", "link-wrong", "entry-changed"));
}

constexpr auto kLastPosition = std::numeric_limits<std::int64_t>::max();

// What somebody with all rights on the database types, and what is found. Ten entries are linked before it.
struct Attack {
  std::string script;
  std::string kind;
  std::int64_t position;  // 0: of none
};

TEST_P(AuditChainTest, whatever_is_changed_by_hand_is_found_where_it_was_done) {
  const std::string sixth = " WHERE id = (SELECT entry_id FROM audit_chain WHERE position = 6)";
  const std::string overriding = GetParam().name == "sqlite" ? "" : " OVERRIDING SYSTEM VALUE";
  const std::vector<Attack> attacks{
      // Change of every column.
      {"UPDATE audit_log SET at = '2022-01-02T03:04:05.000006Z'" + sixth, "entry-changed", 6},
      {"UPDATE audit_log SET action = 'user.invited'" + sixth, "entry-changed", 6},
      {"UPDATE audit_log SET outcome = 'refused'" + sixth, "entry-changed", 6},
      {"UPDATE audit_log SET actor = 'system'" + sixth, "entry-changed", 6},
      {"UPDATE audit_log SET target = 'nobody'" + sixth, "entry-changed", 6},
      {"UPDATE audit_log SET reason = ''" + sixth, "entry-changed", 6},
      {"UPDATE audit_log SET ip_address = '198.51.100.1'" + sixth, "entry-changed", 6},
      {"UPDATE audit_log SET request_id = 'r-2'" + sixth, "entry-changed", 6},
      {"UPDATE audit_log SET salt = 'AAAAAAAAAAAAAAAAAAAAAA'" + sixth, "entry-changed", 6},
      {"UPDATE audit_log SET salt = NULL" + sixth, "entry-changed", 6},
      {"UPDATE audit_log SET personal = ''" + sixth, "entry-changed", 6},
      {"UPDATE audit_log SET mac = (SELECT entry_mac FROM audit_chain WHERE position = 7)" + sixth, "entry-changed", 6},
      {"UPDATE audit_log SET id = 'ffffffff-ffff-7fff-bfff-ffffffffffff'" + sixth, "entry-missing", 6},
      {"UPDATE audit_chain SET entry_seq = 600 WHERE position = 6", "link-wrong", 6},
      {"UPDATE audit_chain SET entry_mac = 'x' WHERE position = 6", "link-wrong", 6},
      {"UPDATE audit_chain SET linked_at = '2022-01-02T03:04:05.000006Z' WHERE position = 6", "link-wrong", 6},
      {"UPDATE audit_chain SET link = 'x' WHERE position = 6", "link-wrong", 6},
      {(GetParam().name == "sqlite" ? "UPDATE audit_log SET seq = 600" : "UPDATE audit_log SET seq = DEFAULT") + sixth,
       "entry-missing", 6},
      // Deletion.
      {"DELETE FROM audit_log" + sixth, "entry-missing", 6},
      {"DELETE FROM audit_chain WHERE position = 6", "position-missing", 7},
      {"DELETE FROM audit_log" + sixth + "; DELETE FROM audit_chain WHERE position = 6", "position-missing", 7},
      {"DELETE FROM audit_log WHERE id IN (SELECT entry_id FROM audit_chain WHERE position < 6); "
       "DELETE FROM audit_chain WHERE position < 6",
       "position-missing", 6},
      // Swap.
      {"UPDATE audit_chain SET position = 1006 WHERE position = 6; UPDATE audit_chain SET position = 6 WHERE position "
       "= 7; "
       "UPDATE audit_chain SET position = 7 WHERE position = 1006",
       "link-wrong", 6},
      // Renumbering.
      {"UPDATE audit_chain SET position = position + 10 WHERE position > 8", "position-missing", 19},
      {"UPDATE audit_chain SET position = 9223372036854775807 WHERE position = 10", "position-missing", kLastPosition},
      // Insertion: an entry that goes through the trigger is linked, and nobody of ours signed it.
      {"INSERT INTO audit_log (id, at, action, outcome, actor, target, reason, ip_address, request_id, mac) "
       "SELECT '01890000-0000-7000-8000-000000000001', at, action, outcome, actor, target, reason, ip_address, "
       "request_id, mac FROM audit_log" +
           sixth,
       "entry-changed", 11},
      {"INSERT INTO audit_log (id, at, action, outcome, actor, target, reason, ip_address, request_id, mac) "
       "SELECT '01890000-0000-7000-8000-000000000001', at, action, outcome, actor, target, reason, ip_address, "
       "request_id, mac FROM audit_log" +
           sixth + "; DELETE FROM audit_queue",
       "entry-not-linked", 0},
      {"INSERT INTO audit_chain (position, entry_seq, entry_id, entry_mac, link, linked_at) "
       "SELECT 11, 600, '01890000-0000-7000-8000-000000000001', entry_mac, link, linked_at FROM audit_chain "
       "WHERE position = 6",
       "link-wrong", 11},
      {"INSERT INTO audit_log (id, at, action, outcome, actor, target, reason, ip_address, request_id, mac) "
       "SELECT '01890000-0000-7000-8000-000000000001', at, action, outcome, actor, target, reason, ip_address, "
       "request_id, mac FROM audit_log" +
           sixth +
           "; INSERT INTO audit_chain (position, entry_seq, entry_id, entry_mac, link, linked_at) "
           "SELECT 0, 600, '01890000-0000-7000-8000-000000000001', entry_mac, link, linked_at FROM audit_chain "
           "WHERE position = 6",
       "link-wrong", 0},
      {"INSERT INTO audit_log (seq, id, at, action, outcome, actor, target, reason, ip_address, request_id, mac)" +
           overriding +
           " SELECT -9223372036854775807 - 1, '01890000-0000-7000-8000-000000000001', at, action, outcome, actor, "
           "target, reason, ip_address, request_id, mac FROM audit_log" +
           sixth + "; DELETE FROM audit_queue",
       "entry-not-linked", 0},
      // A queue that is stuffed links nothing twice, and shows what it was stuffed with.
      {"INSERT INTO audit_queue (seq, entry_id, entry_mac) SELECT 600, entry_id, entry_mac FROM audit_chain "
       "WHERE position = 6",
       "", 0},
      {"INSERT INTO audit_queue (seq, entry_id, entry_mac) VALUES (600, '01890000-0000-7000-8000-000000000001', 'x')",
       "entry-missing", 11},
      // An erasure that nobody of ours did.
      {"INSERT INTO audit_erasures (entry_id, erased_at, mac) SELECT entry_id, linked_at, 'x' FROM audit_chain "
       "WHERE position = 6; UPDATE audit_log SET actor = 'erased', target = 'erased', reason = '', ip_address = '', "
       "salt = NULL" +
           sixth,
       "erasure-forged", 6},
      // A beginning that nobody of ours made.
      {"INSERT INTO audit_anchor (position, link, mac) SELECT position, link, 'x' FROM audit_chain WHERE position = 6; "
       "DELETE FROM audit_log WHERE id IN (SELECT entry_id FROM audit_chain WHERE position <= 6); "
       "DELETE FROM audit_chain WHERE position <= 6",
       "anchor-forged", 6},
  };
  for (const auto& one : attacks) {
    SCOPED_TRACE(one.script);
    attack(
        "DELETE FROM audit_log; DELETE FROM audit_queue; DELETE FROM audit_chain; DELETE FROM audit_anchor; "
        "DELETE FROM audit_erasures");
    record_and_link(10);
    ASSERT_THAT(faults(), IsEmpty());
    attack(one.script);
    link();
    clock_.advance(std::chrono::minutes(1));
    const auto verified = verify();
    if (one.kind.empty()) {
      EXPECT_THAT(verified.findings, IsEmpty());
      continue;
    }
    ASSERT_FALSE(verified.findings.empty());
    const auto& first = verified.findings.front();
    EXPECT_EQ(first.kind, one.kind) << first.detail;
    EXPECT_EQ(first.position.value_or(0), one.position);
    EXPECT_LE(verified.findings.size(), 4U) << "one fault drowns in what follows from it";
  }
}

TEST_P(AuditChainTest, nothing_is_linked_behind_the_last_position_that_there_is) {
  record_and_link(1);
  attack("UPDATE audit_chain SET position = 9223372036854775807");
  record(1);
  EXPECT_THROW(link(), std::runtime_error);
  clock_.advance(std::chrono::minutes(1));
  EXPECT_THAT(faults(), ElementsAre("position-missing", "entry-not-linked"));
}

// Several pages are read at once, by where they would begin if nothing were missing.
TEST_P(AuditChainTest, gaps_anywhere_in_many_pages_are_found_and_no_row_is_passed_over) {
  constexpr int kRows = 4 * static_cast<int>(AuditStore::kReadAtOnce) + 300;
  record_and_link(kRows);
  attack("DELETE FROM audit_chain WHERE position IN (1500, 4200, 4201)");
  const auto verified = verify();
  std::vector<std::int64_t> missing;
  for (const auto& finding : verified.findings) {
    if (finding.kind == "position-missing") missing.push_back(finding.position.value());
  }
  EXPECT_THAT(missing, ElementsAre(1501, 4202));
  EXPECT_EQ(std::ranges::count(verified.findings, "entry-not-linked", &AuditFinding::kind), 3);
  EXPECT_EQ(verified.findings.size(), 5U);
  EXPECT_EQ(verified.rows, kRows - 3);
  EXPECT_EQ(verified.verified_up_to, kRows);
  EXPECT_TRUE(verified.is_complete);
}

TEST_P(AuditChainTest, what_waits_is_no_finding_until_it_has_waited_for_too_long) {
  const bool is_sqlite = GetParam().name == "sqlite";
  attack(is_sqlite ? "CREATE TRIGGER stuck BEFORE INSERT ON audit_chain BEGIN SELECT RAISE(ABORT, 'no'); END"
                   : "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$; "
                     "CREATE TRIGGER stuck BEFORE INSERT ON audit_chain FOR EACH ROW EXECUTE FUNCTION no()");
  record(1);
  EXPECT_THAT(faults(), IsEmpty());
  clock_.advance(std::chrono::seconds(31));
  EXPECT_THAT(faults(), ElementsAre("entry-not-linked"));
  attack(is_sqlite ? "DROP TRIGGER stuck" : "DROP TRIGGER stuck ON audit_chain");
  EXPECT_THAT(faults(), IsEmpty());
}

TEST_P(AuditChainTest, many_faults_in_the_chain_hide_no_entry_beside_it) {
  record_and_link(static_cast<int>(kAuditFindingsLimit) + 20);
  record(1);
  attack("DELETE FROM audit_queue; UPDATE audit_log SET outcome = 'refused'");
  clock_.advance(std::chrono::minutes(1));
  std::set<std::string> found;
  std::optional<std::int64_t> from;
  for (bool is_complete = false; !is_complete;) {
    const auto verified = run_task(loop_, chain_.verify(from, {}));
    for (const auto& finding : verified.findings) found.emplace(finding.kind);
    EXPECT_LE(verified.findings.size(), 2 * kAuditFindingsLimit);
    is_complete = verified.is_complete;
    from = verified.verified_up_to + 1;
  }
  EXPECT_THAT(found, ElementsAre("entry-changed", "entry-not-linked"));
}

TEST_P(AuditChainTest, rows_that_nobody_can_read_hide_no_others_in_a_list) {
  record(1);
  if (GetParam().name == "sqlite") {
    attack(
        "INSERT INTO audit_log SELECT 900 + value, 'no id ' || value, at, action, outcome, actor, target, reason, "
        "ip_address, request_id, salt, personal, mac FROM audit_log, json_each('[1, 2, 3, 4, 5]')");
  }
  record(1);
  EXPECT_EQ(run_task(loop_, chain_.list({}, std::nullopt, 2)).size(), 2U);
  EXPECT_EQ(run_task(loop_, chain_.list({}, std::nullopt, 100)).size(), 2U);
  EXPECT_EQ(erase(user_).value(), 2);
}

TEST_P(AuditChainTest, an_end_that_was_cut_off_is_found_by_a_checkpoint) {
  record_and_link(10);
  const auto kept = checkpoint();
  const std::string behind_six = " IN (SELECT entry_id FROM audit_chain WHERE position > 6)";
  attack("DELETE FROM audit_log WHERE id" + behind_six + "; DELETE FROM audit_chain WHERE position > 6");
  EXPECT_THAT(faults(), IsEmpty()) << "nothing in the database shows it";
  EXPECT_THAT(faults({kept}), ElementsAre("chain-cut"));
  EXPECT_FALSE(run_task(loop_, chain_.still_has(kept.point)));
  record_and_link(10);
  EXPECT_THAT(faults({kept}), ElementsAre("chain-rewritten")) << "also when others were linked in their place";
  EXPECT_FALSE(run_task(loop_, chain_.still_has(kept.point)));
}

TEST_P(AuditChainTest, an_older_copy_that_was_put_back_is_found_by_a_checkpoint) {
  record_and_link(4);
  const auto early = checkpoint();
  attack(
      "CREATE TABLE copy_of_log AS SELECT * FROM audit_log; CREATE TABLE copy_of_chain AS SELECT * FROM audit_chain");
  record_and_link(4);
  const auto late = checkpoint();
  EXPECT_THAT(faults({early, late}), IsEmpty());
  attack(
      "DELETE FROM audit_log WHERE id NOT IN (SELECT id FROM copy_of_log); "
      "DELETE FROM audit_chain WHERE position NOT IN (SELECT position FROM copy_of_chain)");
  EXPECT_THAT(faults({early, late}), ElementsAre("chain-cut"));
  record_and_link(20);
  EXPECT_THAT(faults({early, late}), ElementsAre("chain-rewritten"));
  EXPECT_THAT(faults({early}), IsEmpty()) << "what came before the copy is untouched";
}

TEST_P(AuditChainTest, a_checkpoint_that_we_did_not_sign_is_a_finding_and_no_evidence) {
  record_and_link(2);
  auto forged = checkpoint();
  forged.point.position = 100;
  EXPECT_THAT(faults({forged}), ElementsAre("checkpoint-forged"));
  const CheckpointKey stranger(bytes_of(10));
  const auto theirs = stranger.sign({.position = 100, .link = "x"}, clock_.now());
  EXPECT_THAT(faults({theirs}), ElementsAre("checkpoint-forged"));
}

TEST_P(AuditChainTest, erased_entries_name_nobody_and_stay_verifiable) {
  const auto other = UserId::make(clock_, random_);
  record(2);
  run_task(loop_, audit_.record(database_, entry("user:" + other.text())));
  auto by_other = entry("session:x");
  by_other.actor = Actor::user(other);
  run_task(loop_, audit_.record(database_, std::move(by_other)));
  link();
  EXPECT_EQ(erase(other).value(), 2);
  link();
  EXPECT_THAT(faults({checkpoint()}), IsEmpty());
  static constexpr sql::Statement named{
      "SELECT count(*) FROM audit_log WHERE (actor = $1 OR target = $1 OR ip_address = '') AND action <> "
      "'audit.erased'"};
  static constexpr sql::Statement blank{
      "SELECT count(*) FROM audit_log WHERE actor = 'erased' AND target = 'erased' AND reason = '' AND ip_address = '' "
      "AND salt IS NULL"};
  EXPECT_EQ(run_task(loop_, database_.read(named, "user:" + other.text())).front().get<std::int64_t>(0), 2);
  EXPECT_EQ(count(blank), 2);
  EXPECT_EQ(entries(), 5) << "the four, and the record of the erasure";
  EXPECT_EQ(erase(other).value(), 0) << "again: there is nothing left, and its own record stays";
  link();
  EXPECT_THAT(faults(), IsEmpty());
}

TEST_P(AuditChainTest, a_change_of_an_erased_entry_is_found) {
  for (const std::string change :
       {"at = '2022-01-02T03:04:05.000006Z'", "action = 'user.invited'", "outcome = 'refused'", "actor = 'system'",
        "target = 'x'", "reason = 'x'", "ip_address = 'x'", "request_id = 'x'", "personal = 'x'", "salt = 'x'"}) {
    SCOPED_TRACE(change);
    attack("DELETE FROM audit_log; DELETE FROM audit_chain; DELETE FROM audit_erasures");
    record_and_link(1);
    erase(user_);
    attack("UPDATE audit_log SET " + change + " WHERE action <> 'audit.erased'");
    EXPECT_THAT(faults(), Contains(::testing::AnyOf("entry-changed", "erasure-forged")));
  }
  attack("DELETE FROM audit_log; DELETE FROM audit_chain; DELETE FROM audit_erasures");
  record_and_link(1);
  erase(user_);
  attack("DELETE FROM audit_erasures");
  EXPECT_THAT(faults(), Contains("entry-changed")) << "blanked, with no erasure on record";
}

TEST_P(AuditChainTest, nothing_is_erased_for_whom_it_is_refused) {
  record_and_link(1);
  auto refuse_it = [](sql::Transaction&) -> Task<Status> { co_return refuse(ErrorCode::forbidden); };
  AuditErasure erasure{.user = user_, .reason = "asked for", .actor = Actor::system(), .origin = {}};
  const auto refused = run_task(loop_, chain_.erase(std::move(erasure), std::move(refuse_it)));
  EXPECT_EQ(refused.error().code, ErrorCode::forbidden);
  static constexpr sql::Statement erased{"SELECT count(*) FROM audit_log WHERE actor = 'erased'"};
  EXPECT_EQ(count(erased), 0);
  EXPECT_EQ(entries(), 1);
}

// Before schema version 3 the MAC was over everything.
TEST_P(AuditChainTest, entries_of_the_older_form_are_linked_verified_and_erased_as_well) {
  AuditRow old{.id = AuditEntryId::make(clock_, random_),
               .at = clock_.now(),
               .action = "user.registered",
               .outcome = "done",
               .actor = "anonymous",
               .target = "user:" + user_.text(),
               .reason = "",
               .ip_address = "192.0.2.9",
               .request_id = "r",
               .salt = {},
               .personal = {},
               .mac = {}};
  old.mac = entry_mac(keys_.entries, old);
  attack(
      "INSERT INTO audit_log (id, at, action, outcome, actor, target, reason, ip_address, request_id, mac) VALUES ('" +
      old.id.text() + "', '" + to_rfc3339(old.at) + "', 'user.registered', 'done', 'anonymous', '" + old.target +
      "', '', '192.0.2.9', 'r', '" + old.mac + "')");
  record_and_link(1);
  EXPECT_THAT(faults(), IsEmpty());
  attack("UPDATE audit_log SET ip_address = 'x' WHERE action = 'user.registered'");
  EXPECT_THAT(faults(), ElementsAre("entry-changed"));
  attack("UPDATE audit_log SET ip_address = '192.0.2.9' WHERE action = 'user.registered'");
  EXPECT_EQ(erase(user_).value(), 2);
  link();
  EXPECT_THAT(faults(), IsEmpty());
  attack("UPDATE audit_log SET action = 'user.deleted' WHERE action = 'user.registered'");
  EXPECT_THAT(faults(), ElementsAre("erasure-forged"));
}

TEST_P(AuditChainTest, what_was_kept_long_enough_goes_and_the_rest_verifies) {
  record_and_link(3);
  const auto early = checkpoint();
  clock_.advance(std::chrono::hours(24 * 10));
  record_and_link(3);
  const auto late = checkpoint();
  erase(user_);
  const auto purged = run_task(loop_, chain_.purge(clock_.now() - std::chrono::hours(24)));
  EXPECT_EQ(purged.rows, 3);
  EXPECT_THAT(purged.findings, IsEmpty());
  link();
  EXPECT_EQ(linked(), 5) << "three, the erasure and the purge";
  EXPECT_EQ(entries(), 5);
  const auto verified = verify({early, late});
  EXPECT_THAT(verified.findings, IsEmpty());
  EXPECT_EQ(verified.from, 4);
  EXPECT_TRUE(run_task(loop_, chain_.still_has(early.point)));
  EXPECT_EQ(run_task(loop_, chain_.purge(clock_.now() - std::chrono::hours(24))).rows, 0);
  attack("DELETE FROM audit_anchor");
  EXPECT_THAT(faults(), Contains("position-missing"));
}

TEST_P(AuditChainTest, an_entry_that_is_put_back_before_the_beginning_is_found) {
  record_and_link(6);
  clock_.advance(std::chrono::hours(1));
  ASSERT_EQ(run_task(loop_, chain_.purge(clock_.now())).rows, 6);
  record_and_link(2);
  ASSERT_THAT(faults(), IsEmpty());
  attack(
      "INSERT INTO audit_log (id, at, action, outcome, actor, target, reason, ip_address, request_id, mac) "
      "SELECT '01890000-0000-7000-8000-000000000001', at, action, outcome, actor, target, reason, ip_address, "
      "request_id, mac FROM audit_log LIMIT 1; "
      "INSERT INTO audit_chain (position, entry_seq, entry_id, entry_mac, link, linked_at) "
      "SELECT 2, 2, '01890000-0000-7000-8000-000000000001', entry_mac, link, linked_at FROM audit_chain LIMIT 1; "
      "DELETE FROM audit_queue");
  EXPECT_THAT(faults(), ElementsAre("link-wrong", "entry-not-linked"));
}

TEST_P(AuditChainTest, an_invited_address_is_erased_also_when_its_account_is_gone) {
  record(1);
  run_task(loop_, audit_.record(database_, entry("email:ada@example.com")));
  record_and_link(1);
  auto approve = [](sql::Transaction&) -> Task<Status> { co_return Status{}; };
  AuditErasure erasure{.user = UserId::make(clock_, random_),
                       .email = "Ada@Example.com",
                       .reason = "asked for",
                       .actor = Actor::system(),
                       .origin = {}};
  EXPECT_EQ(run_task(loop_, chain_.erase(std::move(erasure), std::move(approve))).value(), 1);
  link();
  EXPECT_THAT(faults(), IsEmpty());
  static constexpr sql::Statement named{"SELECT count(*) FROM audit_log WHERE target LIKE 'email:%'"};
  EXPECT_EQ(count(named), 0);
}

TEST_P(AuditChainTest, a_chain_that_is_purged_to_its_end_goes_on_from_there) {
  record_and_link(3);
  clock_.advance(std::chrono::hours(1));
  EXPECT_EQ(run_task(loop_, chain_.purge(clock_.now())).rows, 3);
  EXPECT_EQ(run_task(loop_, chain_.head()).position, 3);
  link();
  const auto verified = verify();
  EXPECT_THAT(verified.findings, IsEmpty());
  EXPECT_EQ(verified.head.position, 4);
}

TEST_P(AuditChainTest, what_does_not_verify_is_not_purged) {
  record_and_link(3);
  clock_.advance(std::chrono::hours(1));
  attack("UPDATE audit_log SET reason = 'x'");
  const auto purged = run_task(loop_, chain_.purge(clock_.now()));
  EXPECT_EQ(purged.rows, 0);
  EXPECT_THAT(purged.findings, ::testing::SizeIs(3));
  EXPECT_EQ(entries(), 3);
}

TEST_P(AuditChainTest, lists_are_newest_first_and_narrowed_by_what_is_asked_for) {
  record(2);
  clock_.advance(std::chrono::seconds(1));
  const auto later = clock_.now();
  auto refused = entry("user:x");
  refused.outcome = AuditOutcome::refused;
  refused.actor = Actor::anonymous();
  run_task(loop_, audit_.record(database_, std::move(refused)));
  const auto list = [&](AuditFilter filter) { return run_task(loop_, chain_.list(std::move(filter), {}, 10)).size(); };
  EXPECT_EQ(list({}), 3U);
  EXPECT_EQ(list({.actor = "anonymous", .target = {}, .action = {}, .outcome = {}, .since = {}, .until = {}}), 1U);
  EXPECT_EQ(list({.actor = {}, .target = "user:x", .action = {}, .outcome = {}, .since = {}, .until = {}}), 1U);
  EXPECT_EQ(list({.actor = {}, .target = {}, .action = "nothing", .outcome = {}, .since = {}, .until = {}}), 0U);
  EXPECT_EQ(list({.actor = {}, .target = {}, .action = {}, .outcome = "refused", .since = {}, .until = {}}), 1U);
  EXPECT_EQ(list({.actor = {}, .target = {}, .action = {}, .outcome = {}, .since = later, .until = {}}), 1U);
  EXPECT_EQ(list({.actor = {}, .target = {}, .action = {}, .outcome = {}, .since = {}, .until = later}), 2U);
  const auto first = run_task(loop_, chain_.list({}, {}, 1));
  EXPECT_EQ(first.front().outcome, "refused");
  const auto rest = run_task(loop_, chain_.list({}, first.front().id, 10));
  EXPECT_EQ(rest.size(), 2U);
}

TEST_P(AuditChainTest, sequencers_that_run_at_once_link_each_entry_once) {
  constexpr int kRounds = 20;
  for (int round = 0; round < kRounds; ++round) {
    record(5);
    std::int64_t linked_now = 0;
    int running = 3;
    loop_.restart();
    for (int i = 0; i < 3; ++i) {
      boost::asio::co_spawn(loop_, chain_.link_waiting(), [&](std::exception_ptr failure, std::int64_t rows) {
        EXPECT_FALSE(failure);
        linked_now += rows;
        if (--running == 0) loop_.stop();
      });
    }
    const auto guard = boost::asio::make_work_guard(loop_);
    loop_.run();
    EXPECT_LE(linked_now, 5);
    link();
  }
  EXPECT_EQ(linked(), kRounds * 5);
  EXPECT_THAT(faults(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Engines, AuditChainTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

// The server's own role may take nothing away but through the function, and that keeps thirty days.
TEST(AuditLogOnPostgres, the_function_that_purges_refuses_what_is_younger_than_thirty_days) {
  EventLoop loop{1};
  sql::testing::PostgresTestDatabase opened({&loop});
  opened.run_by_hand(
      "INSERT INTO audit_chain (position, entry_seq, entry_id, entry_mac, link, linked_at) VALUES "
      "(1, 1, '01890000-0000-7000-8000-000000000001', '', '', clock_timestamp() - interval '31 days'), "
      "(2, 2, '01890000-0000-7000-8000-000000000002', '', '', clock_timestamp() - interval '29 days')");
  EXPECT_ANY_THROW(opened.run_by_hand("SELECT purge_audit_log(2, '', '')"));
  opened.run_by_hand("SELECT purge_audit_log(1, '', '')");
  static constexpr sql::Statement count{"SELECT count(*) FROM audit_chain"};
  EXPECT_EQ(run_task(loop, opened.database().read(count)).front().get<std::int64_t>(0), 1);
}

}  // namespace
}  // namespace safawinet
