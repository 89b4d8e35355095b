#include "keys/resealing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "keys/testing.hpp"

namespace safawinet {
namespace {

MasterKey key_of(const SecretText& text) { return MasterKey::parse(text.reveal()).value(); }

class ResealingTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  // One that seals with the first, and opens what the second has sealed.
  static MasterKey both(const SecretText& own, const SecretText& other) {
    auto key = key_of(own);
    std::vector<MasterKey> others;
    others.push_back(key_of(other));
    key.also_open_with(std::move(others));
    return key;
  }
  LoadedKeyring load(const MasterKey& key) {
    return at_work_.run(
        load_keyring(at_work_.database, key, testing::usual_key_rules(), at_work_.clock, at_work_.random));
  }
  void mail(const MasterKey& key) {
    Outbox outbox(at_work_.clock, at_work_.random, key);
    auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
      auto letter = at_work_.letters.already_registered({.email = "ada@example.com"});
      co_await outbox.enqueue(transaction, std::move(letter));
      co_return true;
    };
    at_work_.run(at_work_.database.transact(std::move(body)));
  }

  // The secret of a user's app, as src/factors keeps it.
  void add_factor(const MasterKey& key) {
    static constexpr sql::Statement insert{
        "INSERT INTO totp_factors (user_id, sealed, credential_version, created_at) VALUES ($1, $2, 1, $3)"};
    const auto user = at_work_.add_user();
    const auto sealed = to_base64(key.seal("totp-secret/" + user.text(), Bytes(20, 7)));
    at_work_.run(at_work_.database.write(insert, user, sealed, at_work_.clock.now()));
  }
  std::set<std::string> tables_with_sealed_columns() {
    static constexpr sql::Statement select{
        "SELECT m.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = 'sealed'",
        "SELECT table_name::text FROM information_schema.columns WHERE column_name = 'sealed' "
        "AND table_schema = current_schema()"};
    std::set<std::string> tables;
    for (const auto& row : at_work_.run(at_work_.database.read(select))) tables.insert(row.get<std::string>(0));
    return tables;
  }

  testing::SessionsAtWork at_work_{GetParam()};
  SecretText former_ = MasterKey::generate_text(at_work_.random);
  SecretText present_ = MasterKey::generate_text(at_work_.random);
};

TEST_P(ResealingTest, knows_every_table_that_has_something_sealed) {
  EXPECT_THAT(tables_with_sealed_columns(),
              ::testing::ElementsAre("keys", "mail_outbox", "root_secret", "totp_factors"));
}

// What was derived from the master key itself would be derived from the wrong one.
TEST_P(ResealingTest, an_older_database_is_not_opened_for_the_first_time_with_another_master_key) {
  load(key_of(former_));
  at_work_.by_hand("DELETE FROM root_secret");
  EXPECT_THROW(load(both(present_, former_)), WrongMasterKey);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM root_secret"), 0);
  EXPECT_EQ(load(key_of(former_)).root->derive("audit"), RootSecret::of(key_of(former_)).derive("audit"));
}

TEST_P(ResealingTest, everything_opens_without_the_former_key_and_is_what_it_was) {
  const auto former = key_of(former_);
  const auto before = load(former);
  mail(former);
  add_factor(former);
  const auto key = both(present_, former_);
  EXPECT_EQ(load(key).keyring->jwks(), before.keyring->jwks());
  Resealing resealing(at_work_.database, key);
  EXPECT_EQ(at_work_.run(resealing.count()), 7);
  const auto resealed = at_work_.run(resealing.round());
  EXPECT_EQ(resealed.values, 7);  // four keys, the root secret, a mail, a second factor
  EXPECT_EQ(resealed.unreadable, 0);
  EXPECT_EQ(at_work_.run(resealing.count()), 0);
  EXPECT_EQ(at_work_.run(resealing.round()).values, 0);

  const auto present = key_of(present_);
  const auto after = load(present);
  EXPECT_EQ(after.keyring->jwks(), before.keyring->jwks());
  EXPECT_EQ(after.root->derive("audit"), before.root->derive("audit"));
  auto worker = at_work_.make_mail_worker(present);
  EXPECT_EQ(at_work_.run(worker.deliver_due()).sent, 1);
  EXPECT_THROW(load(key_of(former_)), WrongMasterKey);
}

TEST_P(ResealingTest, a_round_that_was_cut_off_is_finished_by_the_next) {
  const auto former = key_of(former_);
  load(former);
  const auto key = both(present_, former_);
  Resealing resealing(at_work_.database, key);
  at_work_.run(resealing.round());
  // As a kill in the middle leaves it: some values are of the one, some of the other.
  for (int i = 0; i < 3; ++i) mail(i % 2 == 0 ? former : key);
  EXPECT_EQ(at_work_.run(resealing.round()).values, 2);
  EXPECT_EQ(at_work_.run(resealing.count()), 0);
}

TEST_P(ResealingTest, what_no_key_opens_is_counted_and_left_alone) {
  const auto stranger = key_of(MasterKey::generate_text(at_work_.random));
  load(key_of(present_));
  mail(stranger);
  const auto key = both(present_, former_);
  Resealing resealing(at_work_.database, key);
  const auto before = at_work_.text("SELECT sealed FROM mail_outbox");
  const auto resealed = at_work_.run(resealing.round());
  EXPECT_EQ(resealed.values, 0);
  EXPECT_EQ(resealed.unreadable, 1);
  EXPECT_EQ(at_work_.text("SELECT sealed FROM mail_outbox"), before);
}

TEST_P(ResealingTest, nodes_that_reseal_at_once_lose_nothing) {
  testing::SessionsAtWork at_work(GetParam(), testing::usual_rules(), 4);
  const auto former = key_of(former_);
  const auto rules = testing::usual_key_rules();
  const auto before = at_work.run(load_keyring(at_work.database, former, rules, at_work.clock, at_work.random));
  const auto key = both(present_, former_);
  Resealing resealing(at_work.database, key);
  std::vector<Task<Resealed>> rounds;
  for (int i = 0; i < 8; ++i) rounds.push_back(resealing.round());
  std::int64_t values = 0;
  for (const auto& resealed : at_work.run_together(std::move(rounds))) values += resealed.values;
  EXPECT_EQ(values, 5);
  const auto present = key_of(present_);
  const auto after = at_work.run(load_keyring(at_work.database, present, rules, at_work.clock, at_work.random));
  EXPECT_EQ(after.keyring->jwks(), before.keyring->jwks());
}

INSTANTIATE_TEST_SUITE_P(Engines, ResealingTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
