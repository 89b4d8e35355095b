#include "audit/audit_chain.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "audit/testing.hpp"

namespace safawinet {
namespace {

using testing::bytes_of;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::keys_of;
using testing::kinds;

class AuditTamperingTest : public testing::AuditChainAtWork {};

TEST_P(AuditTamperingTest, other_keys_verify_nothing) {
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

TEST_P(AuditTamperingTest, whatever_is_changed_by_hand_is_found_where_it_was_done) {
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

TEST_P(AuditTamperingTest, nothing_is_linked_behind_the_last_position_that_there_is) {
  record_and_link(1);
  attack("UPDATE audit_chain SET position = 9223372036854775807");
  record(1);
  EXPECT_THROW(link(), std::runtime_error);
  clock_.advance(std::chrono::minutes(1));
  EXPECT_THAT(faults(), ElementsAre("position-missing", "entry-not-linked"));
}

// Several pages are read at once, by where they would begin if nothing were missing.
TEST_P(AuditTamperingTest, gaps_anywhere_in_many_pages_are_found_and_no_row_is_passed_over) {
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

TEST_P(AuditTamperingTest, many_faults_in_the_chain_hide_no_entry_beside_it) {
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

TEST_P(AuditTamperingTest, an_end_that_was_cut_off_is_found_by_a_checkpoint) {
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

TEST_P(AuditTamperingTest, an_older_copy_that_was_put_back_is_found_by_a_checkpoint) {
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

TEST_P(AuditTamperingTest, a_checkpoint_that_we_did_not_sign_is_a_finding_and_no_evidence) {
  record_and_link(2);
  auto forged = checkpoint();
  forged.point.position = 100;
  EXPECT_THAT(faults({forged}), ElementsAre("checkpoint-forged"));
  const CheckpointKey stranger(bytes_of(10));
  const auto theirs = stranger.sign({.position = 100, .link = "x"}, clock_.now());
  EXPECT_THAT(faults({theirs}), ElementsAre("checkpoint-forged"));
}

TEST_P(AuditTamperingTest, an_entry_that_is_put_back_before_the_beginning_is_found) {
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

INSTANTIATE_TEST_SUITE_P(Engines, AuditTamperingTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
