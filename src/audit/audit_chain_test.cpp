#include "audit/audit_chain.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "audit/testing.hpp"

namespace safawinet {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class AuditChainTest : public testing::AuditChainAtWork {};

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
