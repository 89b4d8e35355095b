// What many nodes, and people who type SQL, do to one PostgreSQL at once: transactions that stay open, commit in any
// order, and hold rows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "sessions/revocation_pages.hpp"
#include "sessions/testing.hpp"

namespace safawinet {
namespace {

using testing::SessionsAtWork;
using ::testing::SizeIs;

const sql::testing::Engine& postgres() {
  return *std::ranges::find(sql::testing::kEngines, "postgres", &sql::testing::Engine::name);
}

// Somebody at a prompt.
class Shell {
 public:
  explicit Shell(SessionsAtWork& at_work)
      : connection_(PQconnectdb(
            sql::testing::PostgresCluster::shared().url(at_work.text("SELECT current_database()::text")).c_str())) {}

  void type(const std::string& script) {
    PGresult* result = PQexec(connection_.get(), script.c_str());
    const auto status = PQresultStatus(result);
    PQclear(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      throw std::runtime_error(PQerrorMessage(connection_.get()));
    }
  }

 private:
  sql::ConnectionHandle connection_;
};

class SharedDatabaseTest : public ::testing::Test {
 protected:
  static std::string where(SessionId session) { return " WHERE id = '" + session.text() + "'"; }

  // Types `script` while `task` is under way: a moment after it began.
  template <class T>
  T run_while(Task<T> task, Shell& shell, const std::string& script) {
    std::thread other([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      shell.type(script);
    });
    auto answer = at_work_.run(std::move(task));
    other.join();
    return answer;
  }

  SessionsAtWork at_work_{postgres()};
  UserId user_ = at_work_.add_user({.role = "admin"});
};

// The feed.

TEST_F(SharedDatabaseTest, what_is_committed_in_another_order_than_it_was_written_is_never_missed) {
  const auto first = at_work_.sign_in(user_);
  const auto second = at_work_.sign_in(user_);
  const auto third = at_work_.sign_in(user_);
  Shell early(at_work_);
  Shell late(at_work_);
  Shell bystander(at_work_);
  bystander.type("BEGIN; SELECT pg_current_xact_id()");
  early.type("BEGIN; DELETE FROM refresh_sessions" + where(at_work_.session_of(first)));
  late.type("BEGIN; DELETE FROM refresh_sessions" + where(at_work_.session_of(second)));
  late.type("COMMIT");
  at_work_.run(at_work_.feed.read());
  EXPECT_TRUE(at_work_.is_accepted(first));
  EXPECT_FALSE(at_work_.is_accepted(second));
  at_work_.by_hand("DELETE FROM refresh_sessions" + where(at_work_.session_of(third)));
  EXPECT_FALSE(at_work_.is_accepted(third));
  EXPECT_TRUE(at_work_.is_accepted(first));
  early.type("COMMIT");
  at_work_.run(at_work_.feed.read());
  EXPECT_FALSE(at_work_.is_accepted(first));
  bystander.type("ROLLBACK");
}

TEST_F(SharedDatabaseTest, what_is_rolled_back_or_taken_back_to_a_savepoint_revokes_nothing) {
  const auto kept = at_work_.sign_in(user_);
  const auto ended = at_work_.sign_in(user_);
  Shell shell(at_work_);
  shell.type("BEGIN; SAVEPOINT s; DELETE FROM refresh_sessions; ROLLBACK TO s");
  shell.type("DELETE FROM refresh_sessions" + where(at_work_.session_of(ended)));
  at_work_.run(at_work_.feed.read());
  EXPECT_TRUE(at_work_.is_accepted(ended));
  shell.type("COMMIT");
  at_work_.run(at_work_.feed.read());
  EXPECT_FALSE(at_work_.is_accepted(ended));
  EXPECT_TRUE(at_work_.is_accepted(kept));
  shell.type("BEGIN; TRUNCATE refresh_sessions; ROLLBACK");
  at_work_.run(at_work_.feed.read());
  EXPECT_TRUE(at_work_.is_accepted(kept));
}

TEST_F(SharedDatabaseTest, truncate_signs_everybody_out_and_keeps_the_evidence) {
  const auto tokens = at_work_.sign_in(user_);
  at_work_.by_hand("TRUNCATE refresh_sessions");
  EXPECT_TRUE(at_work_.is_dead(tokens));
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM ended_sessions WHERE reason = 'sql'"), 1);
  EXPECT_TRUE(at_work_.is_accepted(at_work_.sign_in(user_)));
}

TEST_F(SharedDatabaseTest, thousands_that_end_in_one_statement_are_a_few_rows_of_the_feed) {
  at_work_.add_sessions(user_, 2'499);
  const auto tokens = at_work_.sign_in(user_);
  at_work_.by_hand("DELETE FROM refresh_sessions");
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM revocations"), 3);
  EXPECT_EQ(at_work_.feed.index()->ended_sessions(), 2'500U);
  EXPECT_FALSE(at_work_.is_accepted(tokens));
}

TEST_F(SharedDatabaseTest, many_users_deactivated_or_deleted_in_one_statement_are_signed_out) {
  const auto bob = at_work_.add_user({.email = "bob@example.com"});
  const auto eve = at_work_.add_user({.email = "eve@example.com"});
  const auto of_bob = at_work_.sign_in(bob);
  const auto of_eve = at_work_.sign_in(eve);
  const auto of_user = at_work_.sign_in(user_);
  at_work_.by_hand("UPDATE users SET is_active = false WHERE email <> 'ada@example.com'");
  EXPECT_TRUE(at_work_.is_dead(of_bob));
  EXPECT_TRUE(at_work_.is_dead(of_eve));
  EXPECT_TRUE(at_work_.is_accepted(of_user));
  at_work_.by_hand("DELETE FROM users");
  EXPECT_TRUE(at_work_.is_dead(of_user));
}

TEST_F(SharedDatabaseTest, a_global_logout_by_hand_may_spare_several) {
  const auto first = at_work_.sign_in(user_);
  const auto second = at_work_.sign_in(user_);
  const auto third = at_work_.sign_in(user_);
  at_work_.by_hand("UPDATE session_epoch SET epoch = 2; UPDATE revocations SET sids = ARRAY['" +
                   at_work_.session_of(first).text() + "', '" + at_work_.session_of(second).text() +
                   "']::uuid[] WHERE scope = 'global'");
  EXPECT_TRUE(at_work_.is_accepted(first));
  EXPECT_TRUE(at_work_.is_accepted(second));
  EXPECT_FALSE(at_work_.is_accepted(third));
}

TEST_F(SharedDatabaseTest, two_nodes_agree_although_one_clock_is_five_minutes_behind) {
  testing::ManualClock slow(at_work_.clock.now() - std::chrono::minutes(5));
  DatabaseClock corrected(slow);
  RevocationFeed feed(at_work_.database, corrected, testing::kLease, &corrected);
  at_work_.run(feed.read());
  const auto there = at_work_.rows("SELECT clock_timestamp()").front().get<Time>(0);
  EXPECT_LE(std::chrono::abs(corrected.now() - there), std::chrono::seconds(2));
}

TEST_F(SharedDatabaseTest, a_revocation_is_kept_from_when_it_was_committed_however_long_that_took) {
  at_work_.sign_in(user_);
  Shell shell(at_work_);
  shell.type("BEGIN; DELETE FROM refresh_sessions; UPDATE revocations SET created_at = now() - interval '5 hours'");
  at_work_.run(at_work_.sessions.sweep());
  shell.type("COMMIT");
  at_work_.run(at_work_.sessions.sweep());
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM revocations"), 1);
  at_work_.clock.advance(std::chrono::hours(4));
  at_work_.run(at_work_.sessions.sweep());
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM revocations"), 0);
}

// The pages for those outside.

TEST_F(SharedDatabaseTest, pages_never_miss_what_is_committed_in_another_order_than_it_was_written) {
  RevocationPages pages(at_work_.database, at_work_.feed, at_work_.clock,
                        MacKey(at_work_.root.derive("revocation-cursor")));
  std::vector<SessionId> sessions;
  for (int i = 0; i < 6; ++i) sessions.push_back(at_work_.session_of(at_work_.sign_in(user_)));
  std::vector<SessionId> found;
  std::optional<std::string> after;
  const auto read_one_page = [&] {
    auto page = at_work_.run(pages.read(after, 1));
    EXPECT_FALSE(page.is_reset);
    for (const auto& item : page.items) {
      found.insert(found.end(), item.revocation.sessions.begin(), item.revocation.sessions.end());
    }
    after = page.next;
    return page.has_more;
  };
  const auto ends = [&](int i) {
    return "DELETE FROM refresh_sessions" + where(sessions[static_cast<std::size_t>(i)]);
  };
  const auto raises_version = "UPDATE users SET token_version = token_version + 1";  // keeps items apart

  Shell early(at_work_);
  Shell middle(at_work_);
  Shell bystander(at_work_);
  bystander.type("BEGIN; SELECT pg_current_xact_id()");
  early.type("BEGIN; " + ends(0));
  middle.type("BEGIN; " + ends(1));
  at_work_.by_hand(ends(2));
  at_work_.by_hand(raises_version);
  at_work_.by_hand(ends(3));
  EXPECT_TRUE(read_one_page());  // the first of three items; the window is open
  middle.type("COMMIT");         // a lower number than what was read, and after the window was opened
  at_work_.by_hand(ends(4));
  while (read_one_page()) {
    // to the end of the window, and of the next one
  }
  EXPECT_THAT(found, ::testing::UnorderedElementsAre(sessions[1], sessions[2], sessions[3], sessions[4]));
  early.type("COMMIT");
  at_work_.by_hand(ends(5));
  while (read_one_page()) {
    // and of the one with what was open all the time
  }
  EXPECT_THAT(found, ::testing::UnorderedElementsAreArray(sessions));
  bystander.type("ROLLBACK");
  EXPECT_FALSE(read_one_page());
  EXPECT_THAT(found, SizeIs(sessions.size())) << "each once";
}

TEST_F(SharedDatabaseTest, a_cursor_carries_the_transactions_that_were_open) {
  RevocationPages pages(at_work_.database, at_work_.feed, at_work_.clock,
                        MacKey(at_work_.root.derive("revocation-cursor")));
  std::vector<SessionId> sessions;
  for (int i = 0; i < 20; ++i) sessions.push_back(at_work_.session_of(at_work_.sign_in(user_)));
  std::vector<std::unique_ptr<Shell>> shells;
  for (const auto& session : sessions) {
    shells.push_back(std::make_unique<Shell>(at_work_));
    shells.back()->type("BEGIN; DELETE FROM refresh_sessions" + where(session));
  }
  auto after = at_work_.run(pages.read(std::nullopt, 200)).next;
  for (std::size_t i = shells.size(); i-- > 0;) {  // the last that began is the first to commit
    shells[i]->type("COMMIT");
    const auto page = at_work_.run(pages.read(after, 200));
    ASSERT_THAT(page.items, SizeIs(1));
    EXPECT_THAT(page.items.front().revocation.sessions, ::testing::ElementsAre(sessions[i]));
    after = page.next;
  }
}

// Rows that somebody holds.

TEST_F(SharedDatabaseTest, rotation_does_not_wait_for_a_row_that_somebody_holds) {
  const auto tokens = at_work_.sign_in(user_);
  const auto session = at_work_.session_of(tokens);
  SessionStore store;
  const auto now = at_work_.clock.now();
  const Rotation rotation{
      .id = session, .generation = 1, .now = now, .expires_at = now + std::chrono::days(14), .ip_address = {}};
  Shell shell(at_work_);
  shell.type("BEGIN; DELETE FROM refresh_sessions");
  EXPECT_FALSE(at_work_.run(store.rotate(at_work_.database, rotation)));
  shell.type("ROLLBACK");
  EXPECT_TRUE(at_work_.run(store.rotate(at_work_.database, rotation)));
}

TEST_F(SharedDatabaseTest, a_refresh_goes_on_once_the_row_is_free) {
  const auto tokens = at_work_.sign_in(user_);
  Shell shell(at_work_);
  shell.type("BEGIN; UPDATE refresh_sessions SET device_name = 'Work laptop'");
  const auto refreshed = run_while(at_work_.sessions.refresh(tokens.refresh_token, at_work_.origin), shell, "COMMIT");
  ASSERT_TRUE(refreshed);
  EXPECT_EQ(at_work_.parsed(refreshed->refresh_token).generation, 2U);
}

TEST_F(SharedDatabaseTest, a_refresh_beside_an_end_that_is_not_yet_committed_is_refused_when_it_is) {
  const auto tokens = at_work_.sign_in(user_);
  Shell shell(at_work_);
  shell.type("BEGIN; DELETE FROM refresh_sessions");
  const auto refreshed = run_while(at_work_.sessions.refresh(tokens.refresh_token, at_work_.origin), shell, "COMMIT");
  EXPECT_EQ(refreshed.error().code, ErrorCode::unauthenticated);
}

TEST_F(SharedDatabaseTest, nobody_is_signed_out_by_a_row_that_somebody_holds_for_long) {
  const auto tokens = at_work_.sign_in(user_);
  Shell shell(at_work_);
  shell.type("BEGIN; DELETE FROM refresh_sessions");
  EXPECT_THROW(at_work_.refresh(tokens.refresh_token), Unavailable);
  shell.type("ROLLBACK");
  EXPECT_TRUE(at_work_.refresh(tokens.refresh_token));
}

TEST_F(SharedDatabaseTest, a_spared_session_that_refreshes_while_everybody_is_signed_out_goes_on) {
  const auto spared = at_work_.sign_in(user_);
  const auto other = at_work_.sign_in(user_);
  Shell shell(at_work_);
  shell.type("BEGIN; SELECT set_config('safawinet.spared', '" + at_work_.session_of(spared).text() +
             "', true); UPDATE session_epoch SET epoch = epoch + 1");
  const auto refreshed = run_while(at_work_.sessions.refresh(spared.refresh_token, at_work_.origin), shell, "COMMIT");
  at_work_.run(at_work_.feed.read());
  ASSERT_TRUE(refreshed);
  EXPECT_TRUE(at_work_.is_accepted(*refreshed));
  EXPECT_TRUE(at_work_.is_dead(other));
}

TEST_F(SharedDatabaseTest, a_logout_beside_a_global_logout_that_spares_the_session_ends_it) {
  const auto spared = at_work_.sign_in(user_);
  Shell shell(at_work_);
  shell.type("BEGIN; SELECT set_config('safawinet.spared', '" + at_work_.session_of(spared).text() +
             "', true); UPDATE session_epoch SET epoch = epoch + 1");
  const auto ended = run_while(
      at_work_.sessions.end_one(user_, at_work_.session_of(spared), "ended-by-user", at_work_.origin), shell, "COMMIT");
  EXPECT_TRUE(ended);
  at_work_.run(at_work_.feed.read());
  EXPECT_TRUE(at_work_.is_dead(spared));
}

TEST_F(SharedDatabaseTest, the_user_is_told_once_of_a_reuse_however_many_nodes_see_it) {
  const auto stolen = at_work_.sign_in(user_);
  auto current = at_work_.refresh(stolen.refresh_token).value();
  current = at_work_.refresh(current.refresh_token).value();
  Shell shell(at_work_);
  shell.type("BEGIN; DELETE FROM refresh_sessions");  // as another node does that saw it first
  const auto refreshed = run_while(at_work_.sessions.refresh(stolen.refresh_token, at_work_.origin), shell, "COMMIT");
  EXPECT_EQ(refreshed.error().code, ErrorCode::unauthenticated);
  EXPECT_THAT(at_work_.take_mails(), SizeIs(0));
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM audit_log WHERE action <> 'user.logged-in'"), 0);
}

TEST_F(SharedDatabaseTest, the_sweep_leaves_a_row_that_somebody_holds_for_the_next_round) {
  at_work_.add_sessions(user_, 3);
  at_work_.by_hand("UPDATE session_epoch SET epoch = epoch + 1");
  at_work_.clock.advance(std::chrono::minutes(1));
  Shell shell(at_work_);
  shell.type(
      "BEGIN; UPDATE refresh_sessions SET device_name = 'x' WHERE id = (SELECT max(id::text)::uuid FROM "
      "refresh_sessions)");
  EXPECT_FALSE(at_work_.run(at_work_.sessions.sweep()));
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM refresh_sessions"), 1);
  shell.type("COMMIT");
  at_work_.clock.advance(std::chrono::minutes(10));
  at_work_.run(at_work_.sessions.sweep());
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM refresh_sessions"), 0);
}

TEST_F(SharedDatabaseTest, the_sweep_leaves_the_house_to_whoever_keeps_it_already) {
  at_work_.add_sessions(user_, 3);
  at_work_.by_hand("UPDATE session_epoch SET epoch = epoch + 1");
  at_work_.clock.advance(std::chrono::minutes(1));
  Shell other(at_work_);
  other.type("BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('safawinet.housekeeping', 0))");
  EXPECT_FALSE(at_work_.run(at_work_.sessions.sweep()));
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM refresh_sessions"), 3);
  other.type("COMMIT");
  EXPECT_FALSE(at_work_.run(at_work_.sessions.sweep()));
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM refresh_sessions"), 0);
}

}  // namespace
}  // namespace safawinet
