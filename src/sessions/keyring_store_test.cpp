#include "sessions/keyring_store.hpp"

#include <gtest/gtest.h>

#include "sessions/testing.hpp"

namespace safawinet {
namespace {

class KeyringStoreTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  std::shared_ptr<const Keyring> load(SigningAlgorithm algorithm = SigningAlgorithm::eddsa) {
    return at_work_.run(
        load_keyring(at_work_.database, at_work_.master_key, algorithm, at_work_.clock, at_work_.random));
  }

  testing::SessionsAtWork at_work_{GetParam()};
};

TEST_P(KeyringStoreTest, the_keys_of_the_first_start_are_those_of_the_next) {
  const auto first = at_work_.keyring.get();
  const auto again = load();
  EXPECT_EQ(again->jwks(), first->jwks());
  const RefreshToken token{.key_id = 1, .session = {}, .generation = 1};
  EXPECT_EQ(again->format_refresh_token(token), first->format_refresh_token(token));
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM keys"), 2);
}

TEST_P(KeyringStoreTest, a_changed_algorithm_signs_with_a_new_key_and_the_former_goes_on_verifying) {
  const auto former = at_work_.keyring.get();
  const auto changed = load(SigningAlgorithm::es256);
  EXPECT_EQ(changed->signing_key().algorithm(), SigningAlgorithm::es256);
  EXPECT_NE(changed->find_verifying_key(former->signing_key().id()), nullptr);
  EXPECT_EQ(changed->active_mac_key_id(), former->active_mac_key_id());
  EXPECT_EQ(load(SigningAlgorithm::es256)->jwks(), changed->jwks());
}

TEST_P(KeyringStoreTest, nothing_in_the_database_is_a_key_in_the_clear) {
  const auto pkcs8 = at_work_.keyring.get()->signing_key().pkcs8();
  for (const auto& row : at_work_.rows("SELECT sealed FROM keys")) {
    const auto sealed = from_base64(row.get<std::string>(0)).value();
    EXPECT_EQ(std::search(sealed.begin(), sealed.end(), pkcs8.begin(), pkcs8.end()), sealed.end());
  }
}

TEST_P(KeyringStoreTest, another_master_key_is_refused_and_changes_nothing) {
  const auto other = MasterKey::parse(MasterKey::generate_text(at_work_.random).reveal()).value();
  EXPECT_THROW(
      at_work_.run(load_keyring(at_work_.database, other, SigningAlgorithm::eddsa, at_work_.clock, at_work_.random)),
      WrongMasterKey);
  EXPECT_EQ(load()->jwks(), at_work_.keyring.get()->jwks());
}

TEST_P(KeyringStoreTest, a_sealed_key_that_was_moved_or_changed_is_refused) {
  at_work_.by_hand("UPDATE keys SET sealed = (SELECT sealed FROM keys WHERE purpose = 'refresh-mac')");
  EXPECT_THROW(load(), WrongMasterKey);
  at_work_.by_hand("UPDATE keys SET sealed = 'garbage'");
  EXPECT_THROW(load(), WrongMasterKey);
}

TEST_P(KeyringStoreTest, a_compromised_key_is_in_no_keyring) {
  const auto former = at_work_.keyring.get()->signing_key().id();
  at_work_.by_hand("UPDATE keys SET state = 'compromised' WHERE purpose = 'signing'");
  const auto keyring = load();
  EXPECT_EQ(keyring->find_verifying_key(former), nullptr);
  EXPECT_NE(keyring->signing_key().id(), former);
}

TEST_P(KeyringStoreTest, nodes_that_start_at_once_have_one_keyring_between_them) {
  testing::SessionsAtWork at_work(GetParam(), testing::usual_rules(), 4);
  at_work.by_hand("DELETE FROM keys");
  std::vector<Task<std::shared_ptr<const Keyring>>> starts;
  for (int i = 0; i < 8; ++i) {
    starts.push_back(
        load_keyring(at_work.database, at_work.master_key, SigningAlgorithm::eddsa, at_work.clock, at_work.random));
  }
  const auto keyrings = at_work.run_together(std::move(starts));
  for (const auto& keyring : keyrings) EXPECT_EQ(keyring->jwks(), keyrings.front()->jwks());
  EXPECT_EQ(at_work.number("SELECT count(*) FROM keys"), 2);
}

class KeyringWatchTest : public KeyringStoreTest {
 protected:
  bool look() { return at_work_.run(watch_.look()); }

  KeyringWatch watch_{{.database = at_work_.database,
                       .master_key = at_work_.master_key,
                       .algorithm = SigningAlgorithm::eddsa,
                       .clock = at_work_.clock,
                       .random = at_work_.random,
                       .published = at_work_.keyring}};
};

TEST_P(KeyringWatchTest, a_running_node_learns_of_the_key_that_another_one_has_made_and_does_not_change_it_back) {
  const auto former = at_work_.keyring.get()->signing_key().id();
  look();
  EXPECT_FALSE(look());
  const auto of_the_other = load(SigningAlgorithm::es256);
  EXPECT_TRUE(look());
  EXPECT_EQ(at_work_.keyring.get()->jwks(), of_the_other->jwks());
  EXPECT_EQ(at_work_.keyring.get()->signing_key().algorithm(), SigningAlgorithm::es256);
  EXPECT_NE(at_work_.keyring.get()->find_verifying_key(former), nullptr);
  EXPECT_FALSE(look());
}

TEST_P(KeyringWatchTest, a_running_node_drops_a_key_that_is_distrusted_and_makes_another) {
  const auto former = at_work_.keyring.get()->signing_key().id();
  look();
  at_work_.by_hand("UPDATE keys SET state = 'compromised' WHERE purpose = 'signing'");
  EXPECT_TRUE(look());
  EXPECT_EQ(at_work_.keyring.get()->find_verifying_key(former), nullptr);
  EXPECT_NE(at_work_.keyring.get()->signing_key().id(), former);
}

INSTANTIATE_TEST_SUITE_P(Engines, KeyringWatchTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());
INSTANTIATE_TEST_SUITE_P(Engines, KeyringStoreTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
