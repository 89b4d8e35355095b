#include "keys/key_service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "keys/testing.hpp"

namespace safawinet {
namespace {

using ::testing::ElementsAre;
using testing::SessionsAtWork;
using ::testing::UnorderedElementsAre;

class KeyServiceTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  Result<KeysRotated> rotate(KeyPurpose purpose = KeyPurpose::signing, std::optional<std::string> expected = {}) {
    RotateKeys command{.purpose = purpose,
                       .expected = std::move(expected),
                       .reason = "a quarter is over",
                       .acting = SessionsAtWork::trusted(operator_),
                       .origin = at_work_.origin};
    return at_work_.run(node_.keys.rotate(std::move(command)));
  }
  Result<KeyDistrusted> distrust(std::string id, DistrustExtent extent = DistrustExtent::key) {
    DistrustKey command{.id = std::move(id),
                        .extent = extent,
                        .reason = "it was in a log",
                        .acting = SessionsAtWork::trusted(operator_),
                        .origin = at_work_.origin};
    return at_work_.run(node_.keys.distrust(std::move(command)));
  }
  IssuedTokens sign_in() {
    Device device{.name = "Firefox on Linux", .user_agent = "Mozilla/5.0", .ip_address = "192.0.2.7"};
    return at_work_.run(node_.sessions.start(user_, 1, std::move(device), at_work_.origin)).value();
  }
  Result<IssuedTokens> refresh(const IssuedTokens& tokens) {
    return at_work_.run(node_.sessions.refresh(tokens.refresh_token, at_work_.origin));
  }
  bool is_accepted(const IssuedTokens& tokens) {
    at_work_.run(node_.feed.catch_up());
    return node_.guard.authenticate(tokens.access_token.reveal()).has_value();
  }
  std::vector<std::string> recorded() {
    std::vector<std::string> actions;
    for (const auto& row : at_work_.rows("SELECT action FROM audit_log ORDER BY seq")) {
      actions.push_back(row.get<std::string>(0));
    }
    return actions;
  }

  SessionsAtWork at_work_{GetParam()};
  testing::KeysAtWork node_{at_work_};
  UserId user_ = at_work_.add_user({.email = "ada@example.com"});
  UserId operator_ = at_work_.add_user({.email = "admin@example.com", .role = "superadmin"});
};

TEST_P(KeyServiceTest, rotating_logs_nobody_out_and_the_former_key_verifies_until_its_tokens_have_expired) {
  const auto tokens = sign_in();
  const auto former = node_.id_of("active");
  at_work_.clock.advance(std::chrono::minutes(5));
  const auto rotated = rotate();
  ASSERT_TRUE(rotated);
  EXPECT_FALSE(rotated->due_at);
  EXPECT_EQ(at_work_.keyring.get()->signing_key().id(), rotated->active.id);
  EXPECT_NE(rotated->active.id, former);
  EXPECT_TRUE(is_accepted(tokens));
  const auto after = refresh(tokens);
  ASSERT_TRUE(after);
  EXPECT_TRUE(is_accepted(*after));
  at_work_.clock.advance(std::chrono::hours(1));
  at_work_.run(node_.keys.tend());
  EXPECT_EQ(node_.state_of(former), "verifying");  // the clock may have jumped
  at_work_.clock.advance(std::chrono::minutes(10));
  at_work_.run(node_.keys.tend());
  EXPECT_EQ(node_.state_of(former), "retired");
  EXPECT_THAT(recorded(), ::testing::Contains("key.rotated"));
  EXPECT_THAT(recorded(), ::testing::Contains("key.retired"));
}

TEST_P(KeyServiceTest, a_key_that_is_not_known_for_long_enough_follows_when_it_is) {
  const auto former = node_.id_of("active");
  const auto rotated = rotate();
  ASSERT_TRUE(rotated);
  ASSERT_TRUE(rotated->due_at);
  EXPECT_EQ(rotated->active.id, former);
  EXPECT_TRUE(at_work_.run(node_.keys.tend()).empty());
  at_work_.clock.advance(std::chrono::minutes(5));
  const auto moved = at_work_.run(node_.keys.tend());
  EXPECT_EQ(moved.size(), 3U);  // the former, the active and the next one
  EXPECT_EQ(node_.id_of("active"), rotated->next.id);
  EXPECT_TRUE(at_work_.run(node_.keys.tend()).empty());
}

TEST_P(KeyServiceTest, whoever_saw_another_active_key_does_not_rotate) {
  const auto former = node_.id_of("active");
  at_work_.clock.advance(std::chrono::minutes(5));
  ASSERT_TRUE(rotate(KeyPurpose::signing, former));
  const auto second = rotate(KeyPurpose::signing, former);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::conflict);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM keys WHERE purpose = 'signing'"), 3);
}

TEST_P(KeyServiceTest, a_distrusted_key_is_refused_and_refreshing_goes_on_with_the_next) {
  const auto tokens = sign_in();
  ASSERT_TRUE(is_accepted(tokens));
  const auto leaked = node_.id_of("active");
  const auto distrusted = distrust(leaked);
  ASSERT_TRUE(distrusted);
  EXPECT_THAT(distrusted->ids, ElementsAre(leaked));
  EXPECT_FALSE(distrusted->sessions);
  EXPECT_FALSE(is_accepted(tokens));
  const auto after = refresh(tokens);
  ASSERT_TRUE(after);
  EXPECT_TRUE(is_accepted(*after));
  EXPECT_EQ(at_work_.keyring.get()->jwks().find(leaked), std::string::npos);
}

TEST_P(KeyServiceTest, distrusting_twice_is_distrusting_once) {
  const auto leaked = node_.id_of("active");
  ASSERT_TRUE(distrust(leaked));
  const auto keys = at_work_.number("SELECT count(*) FROM keys");
  const auto again = distrust(leaked);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->ids.empty());
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM keys"), keys);
  EXPECT_EQ(std::ranges::count(recorded(), "key.distrusted"), 1);
}

TEST_P(KeyServiceTest, with_the_tokens_every_key_that_signs_or_has_signed_is_distrusted) {
  at_work_.clock.advance(std::chrono::minutes(5));
  ASSERT_TRUE(rotate());
  const auto tokens = sign_in();
  const auto former = node_.id_of("verifying");
  const auto active = node_.id_of("active");
  const auto next = node_.id_of("next");
  const auto distrusted = distrust(former, DistrustExtent::tokens);
  ASSERT_TRUE(distrusted);
  EXPECT_THAT(distrusted->ids, UnorderedElementsAre(former, active, next));
  EXPECT_FALSE(is_accepted(tokens));
  EXPECT_TRUE(refresh(tokens));
}

TEST_P(KeyServiceTest, with_the_sessions_everybody_is_signed_out) {
  const auto tokens = sign_in();
  const auto distrusted = distrust(node_.id_of("active"), DistrustExtent::sessions);
  ASSERT_TRUE(distrusted);
  EXPECT_EQ(distrusted->sessions, 1);
  EXPECT_FALSE(is_accepted(tokens));
  EXPECT_FALSE(refresh(tokens));
  EXPECT_TRUE(is_accepted(sign_in()));
  EXPECT_THAT(recorded(), ::testing::Contains("session.force-logout-all"));
}

TEST_P(KeyServiceTest, a_distrusted_key_of_refresh_tokens_takes_the_sessions_with_it) {
  const auto tokens = sign_in();
  const auto leaked = node_.id_of("active", "refresh-mac");
  const auto alone = distrust(leaked);
  ASSERT_FALSE(alone);
  EXPECT_EQ(alone.error().code, ErrorCode::invalid_fields);
  EXPECT_TRUE(is_accepted(tokens));
  ASSERT_TRUE(distrust(leaked, DistrustExtent::sessions));
  EXPECT_FALSE(is_accepted(tokens));
  EXPECT_FALSE(refresh(tokens));
  EXPECT_TRUE(refresh(sign_in()));
}

TEST_P(KeyServiceTest, refresh_tokens_of_a_former_key_go_on_with_it_and_new_sessions_have_the_new_one) {
  const auto tokens = sign_in();
  at_work_.clock.advance(std::chrono::seconds(10));
  ASSERT_TRUE(rotate(KeyPurpose::refresh_mac));
  const auto of = [this](const IssuedTokens& issued) { return at_work_.parsed(issued.refresh_token).key_id; };
  const auto after = refresh(tokens);
  ASSERT_TRUE(after);
  EXPECT_EQ(of(*after), of(tokens));
  EXPECT_NE(of(sign_in()), of(tokens));
}

TEST_P(KeyServiceTest, an_unknown_key_is_not_found_and_an_operator_who_was_demoted_changes_nothing) {
  EXPECT_EQ(distrust("unknown").error().code, ErrorCode::not_found);
  DistrustKey command{.id = node_.id_of("active"),
                      .extent = DistrustExtent::key,
                      .reason = {},
                      .acting = Operator::person(user_, {}, Role::superadmin),
                      .origin = at_work_.origin};
  const auto refused = at_work_.run(node_.keys.distrust(std::move(command)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::forbidden);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM keys WHERE state = 'compromised'"), 0);
}

TEST_P(KeyServiceTest, a_changed_algorithm_signs_as_soon_as_everybody_knows_the_key_and_that_is_on_record) {
  const auto former = node_.id_of("active");
  testing::KeysAtWork changed(at_work_, "ES256");
  at_work_.run(changed.keys.tend());
  at_work_.run(changed.watch.look());
  const auto announced = at_work_.keyring.get();
  EXPECT_EQ(announced->signing_key().id(), former);
  EXPECT_NE(announced->jwks().find("ES256"), std::string::npos);
  at_work_.clock.advance(std::chrono::minutes(5));
  at_work_.run(changed.keys.tend());
  at_work_.run(changed.watch.look());
  const auto now = at_work_.keyring.get();
  EXPECT_EQ(now->signing_key().algorithm(), SigningAlgorithm::es256);
  EXPECT_NE(announced->find_verifying_key(now->signing_key().id()), nullptr);
  EXPECT_NE(now->find_verifying_key(former), nullptr);
  EXPECT_EQ(now->active_mac_key_id(), announced->active_mac_key_id());
  EXPECT_THAT(recorded(), ::testing::IsSupersetOf({"key.made", "key.retired", "key.activated", "key.superseded"}));
}

TEST_P(KeyServiceTest, a_master_key_that_is_new_here_is_on_record_once) {
  at_work_.run(node_.keys.tend());
  testing::KeysAtWork again(at_work_);
  at_work_.run(again.keys.tend());
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM audit_log WHERE action = 'master-key.introduced'"), 1);
}

TEST_P(KeyServiceTest, the_store_and_the_feed_tell_the_states_alike) {
  at_work_.run(node_.feed.catch_up());
  EXPECT_FALSE(node_.watch.is_behind());
  ASSERT_TRUE(distrust(node_.id_of("active")));
  at_work_.run(node_.feed.catch_up());
  EXPECT_FALSE(node_.watch.is_behind());
}

TEST_P(KeyServiceTest, nodes_that_tend_at_once_rotate_once) {
  SessionsAtWork at_work(GetParam(), testing::usual_rules(), 4);
  testing::KeysAtWork node(at_work);
  RotateKeys command{.purpose = KeyPurpose::signing,
                     .expected = {},
                     .reason = {},
                     .acting = SessionsAtWork::trusted(at_work.add_user({.role = "superadmin"})),
                     .origin = at_work.origin};
  ASSERT_TRUE(at_work.run(node.keys.rotate(std::move(command)))->due_at);
  at_work.clock.advance(std::chrono::minutes(5));
  std::vector<std::unique_ptr<KeyService>> others;
  std::vector<Task<std::vector<KeyEntry>>> rounds;
  for (int i = 0; i < 8; ++i) {
    others.push_back(std::make_unique<KeyService>(KeyService::Parts{.database = at_work.database,
                                                                    .master_key = at_work.master_key,
                                                                    .rules = node.rules,
                                                                    .watch = node.watch,
                                                                    .sessions = node.sessions,
                                                                    .audit = at_work.audit,
                                                                    .clock = at_work.clock,
                                                                    .random = at_work.random,
                                                                    .slow_loop = *at_work.loops.front()}));
    rounds.push_back(others.back()->tend());
  }
  at_work.run_together(std::move(rounds));
  EXPECT_EQ(at_work.number("SELECT count(*) FROM keys WHERE purpose = 'signing'"), 3);
  EXPECT_EQ(at_work.number("SELECT count(*) FROM keys WHERE purpose = 'signing' AND state = 'active'"), 1);
  EXPECT_EQ(at_work.number("SELECT count(*) FROM audit_log WHERE action = 'key.activated'"), 1);
}

TEST_P(KeyServiceTest, a_key_is_shown_with_its_public_half_alone) {
  const auto shown = at_work_.run(node_.keys.get(node_.id_of("active")));
  ASSERT_TRUE(shown);
  ASSERT_TRUE(shown->jwk);
  EXPECT_FALSE(shown->jwk->contains("d"));
  const auto mac = at_work_.run(node_.keys.get(node_.id_of("active", "refresh-mac")));
  ASSERT_TRUE(mac);
  EXPECT_FALSE(mac->jwk);
}

TEST_P(KeyServiceTest, the_inventory_tells_ages_and_no_secret) {
  at_work_.run(node_.keys.tend());
  const auto inventory = at_work_.run(node_.keys.inventory());
  std::vector<std::string> kinds;
  for (const auto& item : inventory.items) {
    kinds.push_back(item.kind);
    EXPECT_EQ(item.since.has_value(), item.kind != "api-keys" && item.kind != "second-factors") << item.kind;
  }
  EXPECT_THAT(kinds, UnorderedElementsAre("master-key", "root-secret", "signing-key", "refresh-mac-key", "signing-key",
                                          "refresh-mac-key", "second-factors", "api-keys"));
  EXPECT_EQ(inventory.sealed_otherwise, 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, KeyServiceTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
