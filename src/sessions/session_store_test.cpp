// What the store of sessions promises, on every engine.
#include "sessions/session_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sessions/testing.hpp"

namespace safawinet {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class SessionStoreContract : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  template <class Body>
  auto transact(Body body) {
    return at_work_.run(at_work_.database.transact(std::move(body))).value();
  }

  std::optional<SessionStanding> insert(UserId user, std::int64_t credential_version = 1,
                                        std::chrono::seconds lifetime = std::chrono::days(14)) {
    const auto now = at_work_.clock.now();
    const auto id = SessionId::make(at_work_.clock, at_work_.random);
    const Device device{.name = "Firefox on Linux", .user_agent = "Mozilla/5.0", .ip_address = "192.0.2.7"};
    const Deadlines deadlines{.expires_at = now + lifetime, .ends_at = now + std::chrono::days(30)};
    const SignInProof proof{.credential_version = credential_version};
    auto body = [&](sql::Transaction& transaction) -> Task<Result<std::optional<SessionStanding>>> {
      co_return co_await store_.insert(transaction, id, user, proof, device, now, deadlines);
    };
    return transact(std::move(body));
  }

  std::optional<SessionStanding> rotate(SessionId id, std::int64_t generation,
                                        std::chrono::seconds idle = std::chrono::days(14)) {
    const auto now = at_work_.clock.now();
    const Rotation rotation{
        .id = id, .generation = generation, .now = now, .expires_at = now + idle, .ip_address = "198.51.100.9"};
    return at_work_.run(store_.rotate(at_work_.database, rotation));
  }

  std::vector<SessionId> listed(UserId user, std::optional<SessionId> before = {}, std::int64_t limit = 100) {
    std::vector<SessionId> ids;
    const auto found = at_work_.run(store_.list(at_work_.database, user, at_work_.clock.now(), before, limit));
    for (const auto& session : found) ids.push_back(session.id);
    return ids;
  }

  std::int64_t delete_all_of(UserId user, std::optional<SessionId> except, const EndingReason& reason) {
    auto body = [&](sql::Transaction& transaction) -> Task<Result<std::int64_t>> {
      co_await store_.set_reason(transaction, reason);
      const auto ended = co_await store_.delete_all_of(transaction, user, except);
      co_await store_.forget_reason(transaction);
      co_return ended;
    };
    return transact(std::move(body));
  }

  std::int64_t raise_epoch(std::optional<SessionId> spared) {
    const EndingReason reason{.reason = "global-logout", .actor = "user:operator", .spared = spared};
    auto body = [&](sql::Transaction& transaction) -> Task<Result<std::int64_t>> {
      co_await store_.lock_epoch(transaction);
      co_await store_.set_reason(transaction, reason);
      const auto epoch = co_await store_.raise_epoch(transaction);
      co_await store_.forget_reason(transaction);
      co_return epoch;
    };
    return transact(std::move(body));
  }
  std::int64_t count_ended_by(std::int64_t epoch) {
    auto body = [&](sql::Transaction& transaction) -> Task<Result<SessionStore::Count>> {
      co_return co_await store_.count_ended_by(transaction, epoch, {}, at_work_.clock.now());
    };
    const auto count = transact(std::move(body));
    EXPECT_TRUE(count.is_last);
    return count.sessions;
  }
  std::int64_t epoch_to_sweep(Time since) {
    auto body = [&](sql::Transaction& transaction) -> Task<Result<std::int64_t>> {
      co_return co_await store_.epoch_to_sweep(transaction, since);
    };
    return transact(std::move(body));
  }

  struct Swept {
    SessionStore::Page page;
    std::int64_t older = 0;
    std::int64_t expired = 0;
  };
  Swept sweep_page(SessionId after, std::int64_t epoch, Time expired_before) {
    auto body = [&](sql::Transaction& transaction) -> Task<Result<Swept>> {
      Swept swept;
      EXPECT_TRUE(co_await store_.try_to_keep_house(transaction));
      swept.page = co_await store_.look_at_page(transaction, after, epoch, expired_before);
      swept.older = co_await store_.sweep_older_epochs(transaction, swept.page, epoch);
      swept.expired = co_await store_.sweep_expired(transaction, swept.page, expired_before);
      co_return swept;
    };
    return transact(std::move(body));
  }

  std::int64_t purge(bool of_revocations, Time before) {
    auto body = [&](sql::Transaction& transaction) -> Task<Result<std::int64_t>> {
      if (!of_revocations) co_return co_await store_.purge_evidence(transaction, before);
      co_await store_.mark_revocations(transaction);
      co_return co_await store_.purge_revocations(transaction, before);
    };
    return transact(std::move(body));
  }

  std::int64_t revocations() { return at_work_.number("SELECT count(*) FROM revocations"); }

  testing::SessionsAtWork at_work_{GetParam()};
  SessionStore store_;
};

TEST_P(SessionStoreContract, a_login_makes_a_session_and_notes_when) {
  const auto user = at_work_.add_user({.role = "admin"});
  const auto standing = insert(user);
  ASSERT_TRUE(standing);
  EXPECT_EQ(standing->user, user);
  EXPECT_EQ(standing->generation, 1);
  EXPECT_EQ(standing->epoch, 1);
  EXPECT_EQ(standing->role, "admin");
  EXPECT_EQ(standing->token_version, 1);
  EXPECT_EQ(standing->created_at, at_work_.clock.now());
  EXPECT_EQ(at_work_.rows("SELECT last_login_at FROM users WHERE id = $1", user).front().get<Time>(0),
            at_work_.clock.now());
  EXPECT_THAT(listed(user), ElementsAre(standing->id));
}

TEST_P(SessionStoreContract, a_login_makes_nothing_for_other_credentials_an_inactive_or_an_unverified_account) {
  const auto user = at_work_.add_user();
  EXPECT_FALSE(insert(user, 2));
  EXPECT_FALSE(insert(at_work_.add_user({.email = "new@example.com", .is_verified = false})));
  EXPECT_FALSE(insert(UserId::make(at_work_.clock, at_work_.random)));
  at_work_.by_hand("UPDATE users SET is_active = false");
  EXPECT_FALSE(insert(user));
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM refresh_sessions"), 0);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM users WHERE last_login_at IS NOT NULL"), 0);
}

TEST_P(SessionStoreContract, rotation_moves_a_session_on_from_exactly_its_generation) {
  const auto session = insert(at_work_.add_user()).value();
  at_work_.clock.advance(std::chrono::hours(1));
  const auto rotated = rotate(session.id, 1);
  ASSERT_TRUE(rotated);
  EXPECT_EQ(rotated->generation, 2);
  EXPECT_EQ(rotated->created_at, session.created_at);
  EXPECT_EQ(rotated->expires_at, at_work_.clock.now() + std::chrono::days(14));
  EXPECT_FALSE(rotate(session.id, 1));
  EXPECT_FALSE(rotate(session.id, 3));
  EXPECT_TRUE(rotate(session.id, 2));
  EXPECT_EQ(at_work_.text("SELECT ip_address FROM refresh_sessions"), "198.51.100.9");
}

TEST_P(SessionStoreContract, rotation_never_moves_the_expiry_past_the_absolute_end) {
  const auto session = insert(at_work_.add_user()).value();
  EXPECT_EQ(rotate(session.id, 1, std::chrono::days(300))->expires_at, session.created_at + std::chrono::days(30));
}

TEST_P(SessionStoreContract, rotation_finds_nothing_that_is_expired_or_of_an_older_epoch_or_gone) {
  const auto user = at_work_.add_user();
  const auto short_lived = insert(user, 1, std::chrono::minutes(1)).value();
  const auto long_lived = insert(user).value();
  at_work_.clock.advance(std::chrono::minutes(1));
  EXPECT_FALSE(rotate(short_lived.id, 1));
  raise_epoch(std::nullopt);
  EXPECT_FALSE(rotate(long_lived.id, 1));
  EXPECT_FALSE(rotate(SessionId::make(at_work_.clock, at_work_.random), 1));
}

TEST_P(SessionStoreContract, rotation_gives_the_role_and_the_token_version_of_now) {
  const auto session = insert(at_work_.add_user()).value();
  at_work_.by_hand("UPDATE users SET role = 'support'");
  const auto rotated = rotate(session.id, 1).value();
  EXPECT_EQ(rotated.role, "support");
  EXPECT_EQ(rotated.token_version, 2);
}

TEST_P(SessionStoreContract, a_sessions_state_says_what_decides_whether_it_lives) {
  const auto session = insert(at_work_.add_user()).value();
  raise_epoch(std::nullopt);
  const auto state = at_work_.run(store_.find(at_work_.database, session.id));
  ASSERT_TRUE(state);
  EXPECT_EQ(state->standing.id, session.id);
  EXPECT_EQ(state->standing.epoch, 1);
  EXPECT_EQ(state->current_epoch, 2);
  EXPECT_EQ(state->owner.email, "ada@example.com");
  EXPECT_EQ(state->device_name, "Firefox on Linux");
  EXPECT_TRUE(state->is_user_active);
}

TEST_P(SessionStoreContract, a_list_has_the_living_sessions_of_one_user_newest_first_in_pages) {
  const auto ada = at_work_.add_user();
  const auto bob = at_work_.add_user({.email = "bob@example.com"});
  const auto first = insert(ada).value();
  at_work_.clock.advance(std::chrono::milliseconds(10));
  const auto short_lived = insert(ada, 1, std::chrono::seconds(1)).value();
  at_work_.clock.advance(std::chrono::seconds(2));
  const auto second = insert(ada).value();
  const auto of_bob = insert(bob).value();
  EXPECT_THAT(listed(ada), ElementsAre(second.id, first.id)) << "not " << short_lived.id.text();
  EXPECT_THAT(listed(ada, std::nullopt, 1), ElementsAre(second.id));
  EXPECT_THAT(listed(ada, second.id), ElementsAre(first.id));
  EXPECT_THAT(listed(bob), ElementsAre(of_bob.id));
  raise_epoch(std::nullopt);
  EXPECT_THAT(listed(ada), IsEmpty());
}

TEST_P(SessionStoreContract, a_deleted_session_leaves_evidence_and_a_revocation_with_reason_and_actor) {
  const auto user = at_work_.add_user();
  const auto session = insert(user).value();
  const EndingReason reason{.reason = "logout", .actor = "user:someone"};
  EXPECT_EQ(delete_all_of(user, std::nullopt, reason), 1);
  const auto evidence = at_work_.rows("SELECT id, user_id, reason, actor, device_name FROM ended_sessions");
  ASSERT_EQ(evidence.size(), 1U);
  EXPECT_EQ(evidence.front().get<SessionId>(0), session.id);
  EXPECT_EQ(evidence.front().get<UserId>(1), user);
  EXPECT_EQ(evidence.front().get<std::string>(2), "logout");
  EXPECT_EQ(evidence.front().get<std::string>(3), "user:someone");
  EXPECT_EQ(evidence.front().get<std::string>(4), "Firefox on Linux");
  const auto revocation = at_work_.rows("SELECT scope, reason, actor FROM revocations");
  ASSERT_EQ(revocation.size(), 1U);
  EXPECT_EQ(revocation.front().get<std::string>(0), "session");
  EXPECT_EQ(revocation.front().get<std::string>(1), "logout");
  EXPECT_EQ(revocation.front().get<std::string>(2), "user:someone");
  at_work_.run(at_work_.feed.read());
  EXPECT_TRUE(at_work_.feed.index()->is_dead({.session = session.id, .user = user, .token_version = 1, .epoch = 1}));
}

TEST_P(SessionStoreContract, a_reason_holds_for_its_transaction_only) {
  const auto user = at_work_.add_user();
  insert(user);
  delete_all_of(user, std::nullopt, {.reason = "logout", .actor = "user:someone"});
  insert(user);
  at_work_.by_hand("DELETE FROM refresh_sessions");
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM ended_sessions WHERE reason = 'logout'"), 1);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM ended_sessions WHERE reason = 'sql' AND actor LIKE 'database%'"), 1);
}

TEST_P(SessionStoreContract, sessions_are_deleted_for_their_own_user_only_and_the_exception_stays) {
  const auto ada = at_work_.add_user();
  const auto bob = at_work_.add_user({.email = "bob@example.com"});
  const auto kept = insert(ada).value();
  insert(ada);
  const auto of_bob = insert(bob).value();
  EXPECT_EQ(delete_all_of(ada, kept.id, {.reason = "ended-by-user", .actor = "x"}), 1);
  EXPECT_THAT(listed(ada), ElementsAre(kept.id));
  EXPECT_THAT(listed(bob), ElementsAre(of_bob.id));
  auto body = [&](sql::Transaction& transaction) -> Task<Result<std::int64_t>> {
    co_return co_await store_.delete_one(transaction, of_bob.id, ada);
  };
  EXPECT_EQ(transact(std::move(body)), 0);
  EXPECT_THAT(listed(bob), ElementsAre(of_bob.id));
}

TEST_P(SessionStoreContract, a_raised_epoch_leaves_only_the_spared_session_and_counts_what_lived) {
  const auto user = at_work_.add_user();
  const auto spared = insert(user).value();
  insert(user);
  insert(user);
  insert(user, 1, std::chrono::seconds(1));
  at_work_.clock.advance(std::chrono::seconds(2));
  EXPECT_EQ(raise_epoch(spared.id), 2);
  EXPECT_EQ(count_ended_by(2), 2);
  EXPECT_THAT(listed(user), ElementsAre(spared.id));
  EXPECT_EQ(rotate(spared.id, 1)->epoch, 2);
}

TEST_P(SessionStoreContract, sessions_are_swept_once_no_global_logout_can_still_be_counting_them) {
  const auto before = at_work_.clock.now() - std::chrono::hours(1);
  const auto after = at_work_.clock.now() + std::chrono::hours(1);
  EXPECT_EQ(epoch_to_sweep(before), 1);
  raise_epoch(std::nullopt);
  EXPECT_EQ(epoch_to_sweep(before), 1) << "those of epoch 1 are being counted";
  raise_epoch(std::nullopt);
  EXPECT_EQ(epoch_to_sweep(before), 1) << "and those of epoch 2";
  EXPECT_EQ(epoch_to_sweep(after), 3);
}

TEST_P(SessionStoreContract, the_sweep_of_older_epochs_revokes_nothing_and_keeps_the_evidence) {
  const auto user = at_work_.add_user();
  for (int i = 0; i < 5; ++i) insert(user);
  raise_epoch(std::nullopt);
  at_work_.clock.advance(std::chrono::milliseconds(10));  // behind the others in the order of ids
  const auto alive = insert(user).value();
  const auto before = revocations();
  const auto long_ago = at_work_.clock.now() - std::chrono::days(1);
  EXPECT_EQ(sweep_page({}, 1, long_ago).older, 0);
  const auto swept = sweep_page({}, 2, long_ago);
  EXPECT_TRUE(swept.page.has_older_epochs);
  EXPECT_FALSE(swept.page.has_expired);
  EXPECT_TRUE(swept.page.is_last);
  EXPECT_EQ(swept.page.last, alive.id);
  EXPECT_EQ(swept.older, 5);
  EXPECT_FALSE(sweep_page({}, 2, long_ago).page.has_older_epochs);
  EXPECT_TRUE(sweep_page(alive.id, 2, long_ago).page.is_last);
  EXPECT_EQ(revocations(), before);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM ended_sessions WHERE reason = 'global-logout' "
                            "AND actor = 'user:operator'"),
            5);
  EXPECT_THAT(listed(user), ElementsAre(alive.id));
}

TEST_P(SessionStoreContract, the_sweep_of_expired_sessions_revokes_nothing) {
  const auto user = at_work_.add_user();
  at_work_.clock.advance(-std::chrono::days(20));  // expired by now, also in the eyes of the database
  insert(user);
  insert(user);
  at_work_.clock.advance(std::chrono::days(20));
  const auto alive = insert(user).value();
  const auto swept = sweep_page({}, 1, at_work_.clock.now());
  EXPECT_TRUE(swept.page.has_expired);
  EXPECT_EQ(swept.expired, 2);
  EXPECT_EQ(revocations(), 0);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM ended_sessions WHERE reason = 'expired' AND actor = 'system'"), 2);
  EXPECT_THAT(listed(user), ElementsAre(alive.id));
}

TEST_P(SessionStoreContract, purges_take_what_is_older_and_leave_the_rest) {
  const auto user = at_work_.add_user();
  insert(user);
  at_work_.by_hand("DELETE FROM refresh_sessions");
  const auto now = at_work_.clock.now();
  const auto before = now - std::chrono::hours(1);
  const auto after = now + std::chrono::hours(1);
  for (const bool of_revocations : {true, false}) {
    EXPECT_EQ(purge(of_revocations, before), 0);
    EXPECT_EQ(purge(of_revocations, after), 1);
  }
}

TEST_P(SessionStoreContract, the_newest_revocation_is_named_by_its_number) {
  auto newest = [this] {
    auto body = [this](sql::Transaction& transaction) -> Task<Result<std::int64_t>> {
      co_return co_await store_.newest_revocation(transaction);
    };
    return transact(std::move(body));
  };
  EXPECT_EQ(newest(), 0);
  raise_epoch(std::nullopt);
  EXPECT_EQ(newest(), at_work_.number("SELECT max(seq) FROM revocations"));
}

INSTANTIATE_TEST_SUITE_P(Engines, SessionStoreContract, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
