// Forced logout by criteria: what matches, what is confirmed, and how it is carried out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "sessions/bulk_logout_service.hpp"
#include "sessions/testing.hpp"

namespace safawinet {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::SessionsAtWork;

class BulkLogoutTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  BulkLogoutTest() { own_ = at_work_.sign_in(operator_); }

  IssuedTokens sign_in_from(UserId user, std::string ip_address, std::string user_agent) {
    Device device{.name = "A device", .user_agent = std::move(user_agent), .ip_address = std::move(ip_address)};
    return at_work_.run(at_work_.sessions.start(user, 1, std::move(device), at_work_.origin)).value();
  }

  [[nodiscard]] Operator acting() const { return Operator::person(operator_, at_work_.session_of(own_), Role::admin); }
  [[nodiscard]] BulkLogoutRequest request(LogoutCriteria criteria) const {
    return {.criteria = std::move(criteria), .acting = acting()};
  }
  BulkLogoutPreview preview(const BulkLogoutRequest& asked) { return at_work_.run(bulk_.preview(asked)); }
  std::vector<std::string> matched(LogoutCriteria criteria) {
    const auto seen = preview(request(std::move(criteria)));
    std::vector<std::string> emails;
    for (const auto& user : seen.figures.sample) emails.push_back(user.email.substr(0, user.email.find('@')));
    EXPECT_EQ(seen.figures.users, static_cast<std::int64_t>(emails.size()));
    return emails;
  }
  Result<BulkLogout> confirm(const BulkLogoutRequest& asked, std::string confirmation) {
    BulkLogoutOrder order{.request = asked,
                          .confirmation = std::move(confirmation),
                          .reason = "leaked tokens",
                          .origin = at_work_.origin};
    return at_work_.run(bulk_.order(std::move(order)));
  }
  BulkLogout order(const BulkLogoutRequest& asked) { return confirm(asked, preview(asked).confirmation).value(); }
  std::optional<BulkLogout> work() { return at_work_.run(bulk_.work()); }
  BulkLogout get(BulkLogoutId id) { return at_work_.run(bulk_.get(id)).value(); }

  // Sessions of one user, as many logins would have made them.
  void add_sessions(UserId user, int count) {
    std::string script =
        "INSERT INTO refresh_sessions (id, user_id, epoch, created_at, rotated_at, expires_at, ends_at) VALUES ";
    const auto began = to_rfc3339(at_work_.clock.now() - hours(1));
    const auto ends = to_rfc3339(at_work_.clock.now() + days(1));
    for (int i = 0; i < count; ++i) {
      script.append(i == 0 ? "('" : ",('").append(SessionId::make(at_work_.clock, at_work_.random).text());
      script.append("','").append(user.text()).append("',1,'").append(began).append("','").append(began);
      script.append("','").append(ends).append("','").append(ends).append("')");
    }
    at_work_.by_hand(script);
  }
  std::int64_t sessions() { return at_work_.number("SELECT count(*) FROM refresh_sessions"); }

  SessionsAtWork at_work_{GetParam()};
  BulkLogoutService bulk_{{.database = at_work_.database,
                           .feed = at_work_.feed,
                           .audit = at_work_.audit,
                           .clock = at_work_.clock,
                           .random = at_work_.random,
                           .slow_loop = *at_work_.loops.front(),
                           .confirmation_key = MacKey(at_work_.root.derive("bulk-logout-confirmation"))}};
  BulkLogoutStore store_;
  UserId operator_ = at_work_.add_user({.email = "operator@staff.example", .role = "admin"});
  IssuedTokens own_;
};

// What matches.

class BulkLogoutCriteriaTest : public BulkLogoutTest {
 protected:
  BulkLogoutCriteriaTest() {
    at_work_.clock.advance(-days(10));
    ada_ = at_work_.add_user({.email = "ada@example.com"});
    ada_session_ = sign_in_from(ada_, "192.0.2.7", "Mozilla/5.0 Firefox/130");
    at_work_.clock.advance(days(5));
    bob_ = at_work_.add_user({.email = "bob@Example.ORG"});
    sign_in_from(bob_, "2001:db8::7", "curl/8.1");
    at_work_.clock.advance(days(4));
    const auto cyd = at_work_.add_user({.email = "cyd@sub.example.com", .role = "support"});
    sign_in_from(cyd, "", "");
    at_work_.clock.advance(days(1));
    at_work_.by_hand("UPDATE users SET last_login_at = NULL WHERE email = 'cyd@sub.example.com'");
  }
  [[nodiscard]] Time days_ago(int count) const { return at_work_.clock.now() - days(count); }

  UserId ada_;
  UserId bob_;
  IssuedTokens ada_session_;
};

TEST_P(BulkLogoutCriteriaTest, the_last_login_is_before_or_after_and_who_never_logged_in_is_asked_for) {
  EXPECT_THAT(matched({.last_login_before = days_ago(7)}), ElementsAre("ada"));
  EXPECT_THAT(matched({.last_login_before = days_ago(1)}), ElementsAre("ada", "bob"));
  EXPECT_THAT(matched({.last_login_after = days_ago(7)}), ElementsAre("bob"));
  EXPECT_THAT(matched({.last_login_before = days_ago(7), .never_logged_in = true}), ElementsAre("ada", "cyd"));
  EXPECT_THAT(matched({.last_login_after = days_ago(7), .never_logged_in = true}), ElementsAre("bob", "cyd"));
  EXPECT_THAT(matched({.never_logged_in = true}), ElementsAre("cyd"));
  EXPECT_THAT(matched({.last_login_before = days_ago(4), .last_login_after = days_ago(6)}), ElementsAre("bob"));
}

TEST_P(BulkLogoutCriteriaTest, before_is_earlier_and_after_includes_the_moment) {
  EXPECT_THAT(matched({.last_login_before = days_ago(10)}), IsEmpty());
  EXPECT_THAT(matched({.last_login_before = days_ago(5), .last_login_after = days_ago(10)}), ElementsAre("ada"));
  EXPECT_THAT(matched({.user_created_before = days_ago(10)}), IsEmpty());
  EXPECT_THAT(matched({.session_created_before = days_ago(5), .session_created_after = days_ago(10)}),
              ElementsAre("ada"));
}

TEST_P(BulkLogoutCriteriaTest, users_and_sessions_have_their_times) {
  EXPECT_THAT(matched({.user_created_before = days_ago(3)}), ElementsAre("ada", "bob"));
  EXPECT_THAT(matched({.user_created_before = days_ago(1), .user_created_after = days_ago(7)}), ElementsAre("bob"));
  EXPECT_THAT(matched({.session_created_before = days_ago(3)}), ElementsAre("ada", "bob"));
  ASSERT_TRUE(at_work_.refresh(ada_session_.refresh_token));
  EXPECT_THAT(matched({.session_created_before = days_ago(3), .session_used_before = days_ago(3)}), ElementsAre("bob"))
      << "who refreshes is not idle";
  EXPECT_THAT(matched({.last_login_before = days_ago(3), .session_used_after = days_ago(3)}), ElementsAre("ada"))
      << "and has an old login all the same";
}

TEST_P(BulkLogoutCriteriaTest, roles_and_domains_are_exact) {
  EXPECT_THAT(matched({.role = "customer"}), ElementsAre("ada", "bob"));
  EXPECT_THAT(matched({.role = "support"}), ElementsAre("cyd"));
  EXPECT_THAT(matched({.email_domain = "example.com"}), ElementsAre("ada")) << "not its subdomains";
  EXPECT_THAT(matched({.email_domain = "example.org"}), ElementsAre("bob")) << "in any case";
}

TEST_P(BulkLogoutCriteriaTest, networks_contain_addresses_of_their_family) {
  EXPECT_THAT(matched({.ip_network = "192.0.2.0/24"}), ElementsAre("ada"));
  EXPECT_THAT(matched({.ip_network = "192.0.2.8/32"}), IsEmpty());
  EXPECT_THAT(matched({.role = "customer", .ip_network = "0.0.0.0/0"}), ElementsAre("ada"));
  EXPECT_THAT(matched({.ip_network = "2001:db8::/32"}), ElementsAre("bob"));
  EXPECT_THAT(matched({.ip_network = "::/0"}), ElementsAre("bob"));
  at_work_.by_hand("UPDATE refresh_sessions SET ip_address = 'unknown' WHERE ip_address = '192.0.2.7'");
  EXPECT_THAT(matched({.role = "customer", .ip_network = "0.0.0.0/0"}), IsEmpty())
      << "and what is none is in no network";
}

TEST_P(BulkLogoutCriteriaTest, a_user_agent_has_a_part_in_any_case_and_no_wildcards) {
  EXPECT_THAT(matched({.user_agent = "firefox"}), ElementsAre("ada"));
  EXPECT_THAT(matched({.user_agent = "CURL/8"}), ElementsAre("bob"));
  EXPECT_THAT(matched({.user_agent = "%"}), IsEmpty());
  EXPECT_THAT(matched({.user_agent = "curl_8"}), IsEmpty());
}

TEST_P(BulkLogoutCriteriaTest, users_are_named_by_id_or_address) {
  const std::vector unknown{UserId::make(at_work_.clock, at_work_.random)};
  EXPECT_THAT(matched({.user_ids = std::vector{ada_}}), ElementsAre("ada"));
  EXPECT_THAT(matched({.emails = std::vector<std::string>{"bob@example.org"}}), ElementsAre("bob")) << "in any case";
  EXPECT_THAT(matched({.user_ids = std::vector{ada_}, .emails = std::vector<std::string>{"bob@example.org"}}),
              ElementsAre("ada", "bob"));
  EXPECT_THAT(matched({.user_ids = unknown}), IsEmpty());
  EXPECT_THAT(matched({.emails = std::vector<std::string>{"' OR 1=1 --"}}), IsEmpty());
}

TEST_P(BulkLogoutCriteriaTest, all_criteria_must_be_true) {
  EXPECT_THAT(matched({.role = "customer", .user_agent = "firefox"}), ElementsAre("ada"));
  EXPECT_THAT(matched({.role = "support", .user_agent = "firefox"}), IsEmpty());
  EXPECT_THAT(matched({.ip_network = "192.0.2.0/24", .user_ids = std::vector{bob_}}), IsEmpty());
}

TEST_P(BulkLogoutCriteriaTest, what_is_ended_is_what_was_shown) {
  const std::vector<LogoutCriteria> all{
      {.last_login_before = days_ago(7)},
      {.never_logged_in = true},
      {.user_created_after = days_ago(2)},
      {.role = "support"},
      {.email_domain = "example.org"},
      {.ip_network = "192.0.2.0/24"},
      {.user_agent = "curl"},
      {.user_ids = std::vector{ada_}},
      {.emails = {{"bob@example.org"}}},
      {.session_used_before = days_ago(3)},
  };
  for (const auto& criteria : all) {
    for (const auto user : {ada_, bob_}) sign_in_from(user, "198.51.100.1", "Other");
    const auto asked = request(criteria);
    const auto shown = preview(asked);
    const auto before = sessions();
    const auto ordered = confirm(asked, shown.confirmation).value();
    const auto done = work();
    ASSERT_TRUE(done);
    EXPECT_EQ(done->sessions_ended, shown.figures.sessions) << to_json(criteria);
    EXPECT_EQ(before - sessions(), shown.figures.sessions) << to_json(criteria);
    EXPECT_EQ(preview(asked).figures.sessions, 0) << to_json(criteria);
    at_work_.clock.advance(seconds(1));
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, BulkLogoutCriteriaTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

// Preview.

TEST_P(BulkLogoutTest, a_preview_counts_shows_ten_and_changes_nothing) {
  for (int i = 0; i < 12; ++i) {
    at_work_.clock.advance(std::chrono::milliseconds(2));
    const auto user = at_work_.add_user({.email = "user" + std::to_string(i) + "@example.com"});
    at_work_.sign_in(user);
    at_work_.sign_in(user);
  }
  const auto seen = preview(request({.role = "customer"}));
  EXPECT_EQ(seen.figures.users, 12);
  EXPECT_EQ(seen.figures.sessions, 24);
  ASSERT_EQ(seen.figures.sample.size(), 10U);
  EXPECT_EQ(seen.figures.sample.front().email, "user0@example.com");
  EXPECT_EQ(seen.figures.sample.front().sessions, 2);
  EXPECT_TRUE(seen.figures.sample.front().last_login_at);
  EXPECT_FALSE(seen.spared) << "the operator's own session does not match";
  EXPECT_EQ(sessions(), 25);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM bulk_logouts"), 0);
  EXPECT_FALSE(work());
}

TEST_P(BulkLogoutTest, dead_sessions_are_not_counted) {
  const auto user = at_work_.add_user();
  at_work_.sign_in(user);
  at_work_.force_logout(std::nullopt, std::nullopt, operator_);
  EXPECT_EQ(preview(request({.role = "customer"})).figures.sessions, 0);
  at_work_.sign_in(user);
  EXPECT_EQ(preview(request({.role = "customer"})).figures.sessions, 1);
  at_work_.clock.advance(days(14) + seconds(1));
  EXPECT_EQ(preview(request({.role = "customer"})).figures.sessions, 0);
}

TEST_P(BulkLogoutTest, ones_own_session_is_spared_unless_asked_otherwise) {
  const auto second = at_work_.sign_in(operator_);
  auto asked = request({.role = "admin"});
  const auto seen = preview(asked);
  EXPECT_EQ(seen.figures.sessions, 1);
  EXPECT_EQ(seen.spared, at_work_.session_of(own_));
  confirm(asked, seen.confirmation).value();
  ASSERT_TRUE(work());
  EXPECT_TRUE(at_work_.is_accepted(own_));
  EXPECT_TRUE(at_work_.is_dead(second));

  asked.includes_own_session = true;
  const auto all = preview(asked);
  EXPECT_EQ(all.figures.sessions, 1);
  EXPECT_FALSE(all.spared);
  confirm(asked, all.confirmation).value();
  ASSERT_TRUE(work());
  EXPECT_TRUE(at_work_.is_dead(own_));
}

TEST_P(BulkLogoutTest, nobody_signs_out_those_above_themselves) {
  const auto boss = at_work_.sign_in(at_work_.add_user({.email = "boss@staff.example", .role = "superadmin"}));
  const auto peer = at_work_.sign_in(at_work_.add_user({.email = "peer@staff.example", .role = "admin"}));
  const auto asked = request({.email_domain = "staff.example"});
  const auto seen = preview(asked);
  EXPECT_EQ(seen.figures.users, 1);
  EXPECT_EQ(seen.figures.sessions, 1);
  EXPECT_EQ(seen.figures.users_above, 1);
  EXPECT_EQ(seen.figures.sessions_above, 1);
  confirm(asked, seen.confirmation).value();
  ASSERT_TRUE(work());
  EXPECT_TRUE(at_work_.is_accepted(boss));
  EXPECT_TRUE(at_work_.is_dead(peer));
}

// Order.

TEST_P(BulkLogoutTest, a_confirmed_order_ends_the_sessions_and_is_on_record) {
  const auto user = at_work_.add_user();
  const auto first = at_work_.sign_in(user);
  const auto second = at_work_.sign_in(user);
  const auto ordered = order(request({.role = "customer"}));
  EXPECT_FALSE(ordered.is_done);
  EXPECT_EQ(ordered.sessions_expected, 2);
  EXPECT_EQ(ordered.sessions_ended, 0);
  EXPECT_TRUE(at_work_.is_accepted(first)) << "nobody has worked on it yet";

  const auto done = work();
  ASSERT_TRUE(done);
  EXPECT_EQ(done->id, ordered.id);
  EXPECT_TRUE(at_work_.is_dead(first));
  EXPECT_TRUE(at_work_.is_dead(second));
  const auto seen = get(ordered.id);
  EXPECT_TRUE(seen.is_done);
  EXPECT_EQ(seen.sessions_ended, 2);
  EXPECT_EQ(seen.finished_at, at_work_.clock.now());
  EXPECT_EQ(seen.criteria, (LogoutCriteria{.role = "customer"}));
  EXPECT_EQ(seen.reason, "leaked tokens");

  EXPECT_EQ(at_work_.number("SELECT count(*) FROM ended_sessions WHERE reason = 'bulk-logout' AND actor = $1",
                            "user:" + operator_.text()),
            2);
  const auto audited = at_work_.rows(
      "SELECT action, actor, target, reason, ip_address FROM audit_log "
      "WHERE action LIKE 'session.force-logout%' ORDER BY seq");
  ASSERT_EQ(audited.size(), 2U);
  const auto column = [&](std::size_t row, std::size_t i) { return audited.rows[row].get<std::string>(i); };
  EXPECT_EQ(column(0, 0), "session.force-logout-bulk");
  EXPECT_EQ(column(0, 1), "user:" + operator_.text());
  EXPECT_EQ(column(0, 2), "bulk-logout:" + ordered.id.text());
  EXPECT_EQ(column(0, 3), "leaked tokens");
  EXPECT_EQ(column(0, 4), "192.0.2.8");
  EXPECT_EQ(column(1, 0), "session.force-logout-bulk-finished");
  EXPECT_EQ(column(1, 1), "system");
  EXPECT_EQ(column(1, 3), "sessions ended: 2");
  EXPECT_FALSE(work()) << "there is nothing left to do";
}

TEST_P(BulkLogoutTest, the_same_confirmation_orders_once) {
  const auto user = at_work_.add_user();
  at_work_.sign_in(user);
  const auto asked = request({.role = "customer"});
  const auto confirmation = preview(asked).confirmation;
  const auto first = confirm(asked, confirmation).value();
  EXPECT_EQ(confirm(asked, confirmation)->id, first.id);
  ASSERT_TRUE(work());
  at_work_.sign_in(user);
  at_work_.clock.advance(hours(1));
  const auto later = confirm(asked, confirmation);
  ASSERT_TRUE(later) << "it is answered, though it has expired";
  EXPECT_EQ(later->id, first.id);
  EXPECT_TRUE(later->is_done);
  EXPECT_FALSE(work());
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM bulk_logouts"), 1);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM audit_log WHERE action = 'session.force-logout-bulk'"), 1);
}

TEST_P(BulkLogoutTest, who_was_demoted_since_the_preview_orders_nothing) {
  auto asked = request({});
  asked.acting = Operator::person(operator_, at_work_.session_of(own_), Role::superadmin);
  const auto seen = preview(asked);
  const auto before = sessions();
  const auto refused = confirm(asked, seen.confirmation);
  ASSERT_FALSE(refused) << "the request was let in as superadmin; the row says admin by now";
  EXPECT_EQ(refused.error().code, ErrorCode::forbidden);
  EXPECT_FALSE(work());
  EXPECT_EQ(sessions(), before);
}

TEST_P(BulkLogoutTest, without_its_own_confirmation_nothing_is_ordered) {
  at_work_.sign_in(at_work_.add_user());
  const auto asked = request({.role = "customer"});
  const auto confirmation = preview(asked).confirmation;
  const auto other = request({.role = "support"});
  for (const auto& refused :
       {confirm(asked, "forged"), confirm(other, confirmation), confirm(asked, confirmation + "A")}) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_fields);
    EXPECT_EQ(refused.error().fields.front().pointer, "/confirmation");
  }
  at_work_.clock.advance(minutes(10));
  const auto expired = confirm(asked, confirmation);
  ASSERT_FALSE(expired);
  EXPECT_EQ(expired.error().code, ErrorCode::conflict);
  EXPECT_FALSE(work());
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM audit_log WHERE action LIKE 'session.force%'"), 0);
}

TEST_P(BulkLogoutTest, a_number_that_has_moved_by_more_than_a_tenth_is_to_be_looked_at_again) {
  const auto user = at_work_.add_user();
  add_sessions(user, 20);
  const auto asked = request({.role = "customer"});
  const auto confirmation = preview(asked).confirmation;
  add_sessions(user, 3);
  const auto refused = confirm(asked, confirmation);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::conflict);
  using Figures = std::vector<std::pair<std::string_view, std::int64_t>>;
  EXPECT_EQ(refused.error().figures, (Figures{{"previewedSessions", 20}, {"sessions", 23}, {"users", 1}}));
  at_work_.by_hand("DELETE FROM refresh_sessions WHERE id IN (SELECT id FROM refresh_sessions WHERE user_id = '" +
                   user.text() + "' LIMIT 1)");
  EXPECT_EQ(confirm(asked, confirmation)->sessions_expected, 22) << "a tenth is fine";
  ASSERT_TRUE(work());
  EXPECT_EQ(preview(asked).figures.sessions, 0);
}

TEST_P(BulkLogoutTest, who_logs_in_after_the_order_stays_and_so_does_who_no_longer_matches) {
  const auto user = at_work_.add_user();
  const auto returning = at_work_.add_user({.email = "bob@example.com"});
  const auto before = at_work_.sign_in(user);
  const auto idle = at_work_.sign_in(returning);
  at_work_.clock.advance(hours(1));
  const auto ordered = order(request({.last_login_before = at_work_.clock.now(), .role = "customer"}));
  at_work_.clock.advance(seconds(1));
  const auto after = at_work_.sign_in(returning);
  ASSERT_TRUE(work());
  at_work_.run(at_work_.feed.catch_up());  // the lease has run out
  EXPECT_TRUE(at_work_.is_dead(before));
  EXPECT_TRUE(at_work_.is_accepted(after));
  EXPECT_TRUE(at_work_.refresh(idle.refresh_token)) << "its user's last login is not before the time any more";
  EXPECT_EQ(get(ordered.id).sessions_ended, 1);
}

// How it is carried out.

TEST_P(BulkLogoutTest, it_goes_through_all_sessions_in_batches) {
  const auto user = at_work_.add_user();
  const auto other = at_work_.add_user({.email = "sue@staff.example", .role = "support"});
  add_sessions(user, 1'300);
  add_sessions(other, 700);
  const auto ordered = order(request({.role = "customer"}));
  const auto before = at_work_.number("SELECT count(*) FROM revocations");
  const auto done = work();
  ASSERT_TRUE(done);
  EXPECT_EQ(done->sessions_ended, 1'300);
  EXPECT_EQ(sessions(), 701);
  EXPECT_GT(at_work_.number("SELECT count(*) FROM revocations"), before);
  EXPECT_EQ(at_work_.feed.index()->ended_sessions(), 1'300U);
  EXPECT_EQ(get(ordered.id).sessions_ended, 1'300);
}

TEST_P(BulkLogoutTest, a_node_that_died_with_an_order_is_succeeded_when_its_lease_has_run_out) {
  const auto user = at_work_.add_user();
  add_sessions(user, 600);
  const auto ordered = order(request({.role = "customer"}));
  const auto now = at_work_.clock.now();
  auto leased = at_work_.run(store_.lease_next(at_work_.database, now, now + kBulkLogoutLease));
  ASSERT_TRUE(leased);
  // It has done a part when it dies.
  const auto middle = SessionId::parse(
      at_work_.text("SELECT id FROM refresh_sessions WHERE user_id = $1 ORDER BY id LIMIT 1 OFFSET 249", user));
  at_work_.run(at_work_.database.transact([&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto ended = co_await store_.end_sessions(transaction, *leased, *middle, now);
    co_await store_.advance(transaction, leased->id, *middle, ended);
    co_return true;
  }));
  EXPECT_EQ(get(ordered.id).sessions_ended, 250);
  EXPECT_FALSE(work()) << "nobody knows yet that it is dead";
  at_work_.clock.advance(kBulkLogoutLease);
  const auto done = work();
  ASSERT_TRUE(done);
  EXPECT_EQ(done->sessions_ended, 600);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM ended_sessions WHERE reason = 'bulk-logout'"), 350);
}

TEST_P(BulkLogoutTest, a_node_that_was_only_slow_does_nothing_more) {
  const auto user = at_work_.add_user();
  add_sessions(user, 10);
  order(request({.role = "customer"}));
  const auto now = at_work_.clock.now();
  const auto slow = at_work_.run(store_.lease_next(at_work_.database, now, now + kBulkLogoutLease));
  ASSERT_TRUE(slow);
  at_work_.clock.advance(kBulkLogoutLease);
  ASSERT_TRUE(work());
  const bool may_end = at_work_
                           .run(at_work_.database.transact([&](sql::Transaction& transaction) -> Task<Result<bool>> {
                             co_return co_await store_.hold(transaction, *slow, at_work_.clock.now());
                           }))
                           .value();
  const bool may_finish = at_work_
                              .run(at_work_.database.transact([&](sql::Transaction& transaction) -> Task<Result<bool>> {
                                co_return co_await store_.finish(transaction, *slow, at_work_.clock.now());
                              }))
                              .value();
  EXPECT_FALSE(may_end);
  EXPECT_FALSE(may_finish);
}

TEST_P(BulkLogoutTest, orders_are_listed_newest_first_in_pages) {
  std::vector<BulkLogoutId> ids;
  for (int i = 0; i < 3; ++i) {
    at_work_.clock.advance(seconds(1));
    ids.push_back(order(request({.user_agent = std::to_string(i)})).id);
  }
  const auto first = at_work_.run(bulk_.list(std::nullopt, 2));
  ASSERT_EQ(first.size(), 2U);
  EXPECT_EQ(first[0].id, ids[2]);
  EXPECT_EQ(first[1].id, ids[1]);
  const auto rest = at_work_.run(bulk_.list(ids[1], 2));
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest[0].id, ids[0]);
  EXPECT_EQ(at_work_.run(bulk_.get(BulkLogoutId::make(at_work_.clock, at_work_.random))).error().code,
            ErrorCode::not_found);
}

TEST_P(BulkLogoutTest, orders_are_carried_out_one_after_another_the_oldest_first) {
  at_work_.sign_in(at_work_.add_user());
  const auto first = order(request({.user_agent = "mozilla"}));
  at_work_.clock.advance(seconds(1));
  const auto second = order(request({.user_agent = "curl"}));
  EXPECT_EQ(work()->id, first.id);
  EXPECT_EQ(work()->id, second.id);
  EXPECT_EQ(get(second.id).sessions_ended, 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, BulkLogoutTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
