#include "keys/keyring_watch.hpp"

#include <gtest/gtest.h>

#include "keys/testing.hpp"

namespace safawinet {
namespace {

class KeyringLoadingTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  LoadedKeyring load(std::string algorithm = "EdDSA") {
    return at_work_.run(load_keyring(at_work_.database, at_work_.master_key,
                                     testing::usual_key_rules(std::move(algorithm)), at_work_.clock, at_work_.random));
  }

  testing::SessionsAtWork at_work_{GetParam()};
};

TEST_P(KeyringLoadingTest, the_keys_of_the_first_start_are_those_of_the_next) {
  const auto first = load();
  const auto again = load();
  EXPECT_EQ(again.keyring->jwks(), first.keyring->jwks());
  const RefreshToken token{.key_id = 1, .session = {}, .generation = 1};
  EXPECT_EQ(again.keyring->format_refresh_token(token), first.keyring->format_refresh_token(token));
  EXPECT_EQ(again.states, first.states);
  EXPECT_EQ(again.root->derive("x"), first.root->derive("x"));
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM keys WHERE state = 'active'"), 2);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM keys WHERE state = 'next'"), 2);
}

TEST_P(KeyringLoadingTest, nothing_in_the_database_is_a_key_in_the_clear) {
  const auto loaded = load();
  const auto pkcs8 = loaded.keyring->signing_key().pkcs8();
  const auto root = loaded.root->reveal();
  for (const auto& row : at_work_.rows("SELECT sealed FROM keys UNION SELECT sealed FROM root_secret")) {
    const auto sealed = from_base64(row.get<std::string>(0)).value();
    EXPECT_EQ(std::search(sealed.begin(), sealed.end(), pkcs8.begin(), pkcs8.end()), sealed.end());
    EXPECT_EQ(std::search(sealed.begin(), sealed.end(), root.begin(), root.end()), sealed.end());
  }
}

TEST_P(KeyringLoadingTest, another_master_key_is_refused_and_changes_nothing) {
  const auto former = load().keyring;
  at_work_.clock.advance(std::chrono::days(365));  // there would be something to do
  const auto other = MasterKey::parse(MasterKey::generate_text(at_work_.random).reveal()).value();
  EXPECT_THROW(at_work_.run(load_keyring(at_work_.database, other, testing::usual_key_rules("ES256"), at_work_.clock,
                                         at_work_.random)),
               WrongMasterKey);
  EXPECT_EQ(load().keyring->jwks(), former->jwks());
}

TEST_P(KeyringLoadingTest, a_sealed_key_that_was_moved_or_changed_is_refused) {
  load();
  at_work_.by_hand(
      "UPDATE keys SET sealed = (SELECT sealed FROM keys WHERE purpose = 'refresh-mac' AND state = 'active')");
  EXPECT_THROW(load(), WrongMasterKey);
  at_work_.by_hand("UPDATE keys SET sealed = 'garbage'");
  EXPECT_THROW(load(), WrongMasterKey);
}

TEST_P(KeyringLoadingTest, a_compromised_key_is_in_no_keyring) {
  const auto former = load().keyring->signing_key().id();
  at_work_.by_hand("UPDATE keys SET state = 'compromised' WHERE purpose = 'signing' AND state = 'active'");
  const auto keyring = load().keyring;
  EXPECT_EQ(keyring->find_verifying_key(former), nullptr);
  EXPECT_NE(keyring->signing_key().id(), former);
}

// Before there was a root secret, keys were derived from the master key: the audit log must stay verifiable.
TEST_P(KeyringLoadingTest, a_database_of_an_older_version_goes_on_with_what_was_derived_from_its_master_key) {
  load();
  at_work_.by_hand("DELETE FROM root_secret");
  EXPECT_EQ(load().root->derive("audit"), RootSecret::of(at_work_.master_key).derive("audit"));
  EXPECT_EQ(load().root->derive("audit"), RootSecret::of(at_work_.master_key).derive("audit"));
}

TEST_P(KeyringLoadingTest, nodes_that_start_at_once_have_one_keyring_between_them) {
  testing::SessionsAtWork at_work(GetParam(), testing::usual_rules(), 4);
  const auto rules = testing::usual_key_rules();
  std::vector<Task<LoadedKeyring>> starts;
  for (int i = 0; i < 8; ++i) {
    starts.push_back(load_keyring(at_work.database, at_work.master_key, rules, at_work.clock, at_work.random));
  }
  const auto keyrings = at_work.run_together(std::move(starts));
  for (const auto& loaded : keyrings) {
    EXPECT_EQ(loaded.keyring->jwks(), keyrings.front().keyring->jwks());
    EXPECT_EQ(loaded.root->derive("x"), keyrings.front().root->derive("x"));
  }
  EXPECT_EQ(at_work.number("SELECT count(*) FROM keys"), 4);
}

class KeyringWatchTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  std::shared_ptr<const Keyring> published() { return at_work_.keyring.get(); }

  testing::SessionsAtWork at_work_{GetParam()};
  testing::KeysAtWork node_{at_work_};
};

TEST_P(KeyringWatchTest, a_node_that_has_just_started_is_not_behind) {
  at_work_.run(node_.feed.catch_up());
  EXPECT_FALSE(node_.watch.is_behind());
}

TEST_P(KeyringWatchTest, a_running_node_learns_of_the_key_that_another_one_has_made_and_does_not_change_it_back) {
  const auto former = published()->signing_key().id();
  at_work_.run(node_.keys.tend());
  testing::KeysAtWork other(at_work_, "ES256");
  at_work_.run(other.keys.tend());
  at_work_.run(other.watch.look());
  const auto of_the_other = published()->jwks();
  EXPECT_NE(of_the_other.find("ES256"), std::string::npos);
  at_work_.run(node_.feed.catch_up());
  EXPECT_TRUE(node_.watch.is_behind());
  at_work_.run(node_.watch.look());
  EXPECT_FALSE(node_.watch.is_behind());
  EXPECT_TRUE(at_work_.run(node_.keys.tend()).empty());
  EXPECT_EQ(published()->jwks(), of_the_other);
  EXPECT_NE(published()->find_verifying_key(former), nullptr);
}

// What is not heard by any look: the reading of the feed alone puts it in force.
TEST_P(KeyringWatchTest, a_distrusted_key_is_out_with_the_reading_of_the_feed_and_the_next_one_signs) {
  const auto former = published()->signing_key().id();
  const auto next = node_.id_of("next");
  at_work_.opened->run_by_hand("UPDATE keys SET state = 'compromised' WHERE purpose = 'signing' AND state = 'active'");
  at_work_.run(node_.feed.catch_up());
  EXPECT_EQ(published()->find_verifying_key(former), nullptr);
  EXPECT_EQ(published()->signing_key().id(), next);
  at_work_.run(node_.watch.look());
  EXPECT_EQ(published()->signing_key().id(), next);
  EXPECT_EQ(node_.state_of(next), "active");
}

TEST_P(KeyringWatchTest, with_no_key_left_nothing_is_issued_until_there_is_one) {
  at_work_.opened->run_by_hand("UPDATE keys SET state = 'compromised'");
  at_work_.run(node_.feed.catch_up());
  EXPECT_THROW((void)published()->signing_key(), Unavailable);
  EXPECT_THROW((void)published()->active_mac_key_id(), Unavailable);
  at_work_.run(node_.watch.look());
  EXPECT_NO_THROW((void)published()->signing_key());
  EXPECT_NO_THROW((void)published()->active_mac_key_id());
}

// A standby that was promoted without the latest commits, or a restored copy, would bring the key back.
TEST_P(KeyringWatchTest, a_key_that_was_heard_to_be_distrusted_stays_so_when_the_database_forgets) {
  const auto former = published()->signing_key().id();
  at_work_.opened->run_by_hand("UPDATE keys SET state = 'compromised' WHERE purpose = 'signing' AND state = 'active'");
  node_.hear();
  at_work_.opened->run_by_hand(
      "UPDATE keys SET state = 'verifying' WHERE purpose = 'signing' AND state = 'active';"
      "UPDATE keys SET state = 'active' WHERE purpose = 'signing' AND state = 'compromised'");
  node_.hear();
  EXPECT_EQ(published()->find_verifying_key(former), nullptr);
  EXPECT_EQ(node_.state_of(former), "compromised");
}

INSTANTIATE_TEST_SUITE_P(Engines, KeyringLoadingTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());
INSTANTIATE_TEST_SUITE_P(Engines, KeyringWatchTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
