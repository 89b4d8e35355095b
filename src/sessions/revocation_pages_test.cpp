#include "sessions/revocation_pages.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "sessions/testing.hpp"

namespace safawinet {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::SessionsAtWork;
using ::testing::SizeIs;

class RevocationPagesTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  RevocationPage read(const std::optional<std::string>& after = {}, std::size_t limit = 100) {
    return at_work_.run(pages_.read(after, limit));
  }
  // Everything behind `after`, page by page; gives the last cursor in `after`.
  std::vector<Revocation> read_all(std::optional<std::string>& after, std::size_t limit) {
    std::vector<Revocation> all;
    bool has_more = true;
    while (has_more) {
      const auto page = read(after, limit);
      EXPECT_LE(page.items.size(), limit);
      for (const auto& item : page.items) all.push_back(item.revocation);
      after = page.next;
      has_more = page.has_more;
    }
    return all;
  }
  static std::vector<SessionId> sessions_of(const RevocationPage& page) {
    std::vector<SessionId> all;
    for (const auto& item : page.items) {
      all.insert(all.end(), item.revocation.sessions.begin(), item.revocation.sessions.end());
    }
    return all;
  }
  void end(SessionId session) { at_work_.by_hand("DELETE FROM refresh_sessions WHERE id = '" + session.text() + "'"); }

  SessionsAtWork at_work_{GetParam()};
  MacKey key_{MacKey(at_work_.root.derive("revocation-cursor"))};
  RevocationPages pages_{at_work_.database, at_work_.feed, at_work_.clock, key_};
  UserId user_ = at_work_.add_user({.role = "admin"});
};

TEST_P(RevocationPagesTest, begin_with_nothing_and_go_on_with_what_is_revoked_since) {
  const auto first = read();
  EXPECT_THAT(first.items, IsEmpty());
  EXPECT_EQ(first.epoch, 1);
  EXPECT_FALSE(first.has_more);
  EXPECT_FALSE(first.is_reset);
  const auto session = at_work_.session_of(at_work_.sign_in(user_));
  end(session);
  const auto second = read(first.next);
  EXPECT_FALSE(second.is_reset);
  EXPECT_THAT(sessions_of(second), ElementsAre(session));
  const auto third = read(second.next);
  EXPECT_THAT(third.items, IsEmpty());
  EXPECT_THAT(read(first.next).items, SizeIs(1)) << "an older cursor is good as well";
  EXPECT_THAT(read().items, SizeIs(1)) << "and so is none";
}

TEST_P(RevocationPagesTest, say_whom_and_what_each_revocation_concerns) {
  const auto spared = at_work_.session_of(at_work_.sign_in(user_));
  at_work_.force_logout(std::nullopt, spared, user_);
  at_work_.by_hand("UPDATE users SET role = 'customer'");
  end(spared);
  const auto page = read();
  ASSERT_THAT(page.items, SizeIs(3));
  EXPECT_EQ(page.epoch, 2);
  const auto& global = page.items[0].revocation;
  EXPECT_EQ(global.scope, Revocation::Scope::global);
  EXPECT_EQ(global.epoch, 2);
  EXPECT_THAT(global.sessions, ElementsAre(spared));
  const auto& of_user = page.items[1].revocation;
  EXPECT_EQ(of_user.scope, Revocation::Scope::user);
  EXPECT_EQ(of_user.user, user_);
  EXPECT_EQ(of_user.token_version, 2);
  const auto& of_session = page.items[2].revocation;
  EXPECT_EQ(of_session.scope, Revocation::Scope::session);
  EXPECT_THAT(of_session.sessions, ElementsAre(spared));
}

TEST_P(RevocationPagesTest, can_be_continued_behind_every_single_item) {
  for (int i = 0; i < 5; ++i) {
    at_work_.by_hand("UPDATE users SET role = '" + std::string(i % 2 == 0 ? "support" : "customer") + "'");
  }
  const auto all = read();
  ASSERT_THAT(all.items, SizeIs(5));
  for (std::size_t i = 0; i < all.items.size(); ++i) {
    const auto rest = read(all.items[i].cursor);
    ASSERT_THAT(rest.items, SizeIs(4 - i));
    for (std::size_t j = 0; j < rest.items.size(); ++j) {
      EXPECT_EQ(rest.items[j].revocation.token_version, all.items[i + 1 + j].revocation.token_version);
    }
  }
}

TEST_P(RevocationPagesTest, give_everything_once_however_small_they_are_while_more_is_revoked) {
  for (const std::size_t limit : {1U, 2U, 3U, 200U}) {
    std::optional<std::string> after = read({}, 200).next;
    std::multiset<std::int64_t> expected;
    std::multiset<std::int64_t> found;
    std::int64_t version = at_work_.number("SELECT token_version FROM users");
    const auto change = [&] {
      at_work_.by_hand("UPDATE users SET token_version = token_version + 1");
      expected.insert(++version);
    };
    for (int i = 0; i < 7; ++i) change();
    bool has_more = true;
    for (int round = 0; has_more || round < 7; ++round) {
      if (round < 7) change();
      const auto page = read(after, limit);
      EXPECT_FALSE(page.is_reset);
      for (const auto& item : page.items) found.insert(item.revocation.token_version);
      after = page.next;
      has_more = page.has_more;
    }
    EXPECT_EQ(found, expected) << "pages of " << limit;
  }
}

TEST_P(RevocationPagesTest, name_many_sessions_in_few_items_and_bound_what_a_page_names) {
  constexpr std::size_t kSessions = 25'000;
  at_work_.add_sessions(user_, kSessions);
  at_work_.by_hand("DELETE FROM refresh_sessions");
  std::optional<std::string> after;
  const auto first = read(after, 200);
  EXPECT_TRUE(first.has_more);
  EXPECT_LE(sessions_of(first).size(), kSessionsInRevocationPage + kSessionsInRevocation);
  std::set<SessionId> named;
  std::size_t count = 0;
  for (const auto& revocation : read_all(after, 200)) {
    EXPECT_LE(revocation.sessions.size(), kSessionsInRevocation);
    count += revocation.sessions.size();
    named.insert(revocation.sessions.begin(), revocation.sessions.end());
  }
  EXPECT_EQ(count, kSessions) << "each once";
  EXPECT_EQ(named.size(), kSessions);
}

TEST_P(RevocationPagesTest, begin_again_for_a_cursor_that_is_none_of_ours) {
  end(at_work_.session_of(at_work_.sign_in(user_)));
  const auto good = read().next;
  RevocationPages other(at_work_.database, at_work_.feed, at_work_.clock, MacKey(at_work_.root.derive("other")));
  for (const std::string& cursor : {std::string(), std::string("nonsense"), good + "A", std::string(9'000, 'A'),
                                    at_work_.run(other.read(std::nullopt, 1)).next}) {
    const auto page = read(cursor);
    EXPECT_TRUE(page.is_reset);
    EXPECT_THAT(page.items, SizeIs(1));
    EXPECT_FALSE(read(page.next).is_reset);
  }
}

TEST_P(RevocationPagesTest, begin_again_when_something_may_have_been_purged_since) {
  const auto old = read().next;
  at_work_.clock.advance(kRevocationsKept - std::chrono::seconds(1));
  at_work_.run(at_work_.feed.catch_up());
  EXPECT_FALSE(read(old).is_reset);
  at_work_.clock.advance(std::chrono::seconds(1) + std::chrono::microseconds(1));
  EXPECT_TRUE(read(old).is_reset);
}

TEST_P(RevocationPagesTest, begin_again_in_another_history_of_the_database) {
  end(at_work_.session_of(at_work_.sign_in(user_)));
  const auto before = read();
  // As in a copy of another history, where this number stands for something else.
  at_work_.by_hand("UPDATE session_epoch SET incarnation = 'aaaaaaaa-0000-7000-8000-000000000001'");
  const auto page = read(before.next);
  EXPECT_TRUE(page.is_reset);
  EXPECT_THAT(page.items, SizeIs(1));
  EXPECT_FALSE(read(page.next).is_reset);
}

TEST_P(RevocationPagesTest, begin_again_for_a_cursor_that_is_ahead_of_the_database) {
  auto ahead = RevocationCursor::parse(read().next, key_).value();
  ahead.seq = GetParam().name == "sqlite" ? 1'000 : 0;
  if (ahead.from) ahead.from->xmax += 1'000'000;
  EXPECT_TRUE(read(ahead.format(key_)).is_reset);
}

TEST_P(RevocationPagesTest, are_refused_by_a_node_that_cannot_be_sure_that_they_are_complete) {
  at_work_.clock.advance(testing::kLease);
  EXPECT_THROW(read(), Unavailable);
  at_work_.run(at_work_.feed.catch_up());
  EXPECT_NO_THROW(read());
}

TEST_P(RevocationPagesTest, are_announced_to_those_who_listen_and_to_nobody_else) {
  int heard = 0;
  auto subscription = at_work_.feed.news().subscribe([&heard] { ++heard; });
  at_work_.run(at_work_.feed.read());
  EXPECT_EQ(heard, 0) << "nothing is new";
  end(at_work_.session_of(at_work_.sign_in(user_)));
  EXPECT_EQ(heard, 1);
  at_work_.by_hand("UPDATE session_epoch SET incarnation = 'aaaaaaaa-0000-7000-8000-000000000001'");
  EXPECT_GT(heard, 1);
  const int before = heard;
  subscription.reset();
  end(at_work_.session_of(at_work_.sign_in(user_)));
  EXPECT_EQ(heard, before);
}

INSTANTIATE_TEST_SUITE_P(Engines, RevocationPagesTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
