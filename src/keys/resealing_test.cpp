#include "keys/resealing.hpp"

#include <gtest/gtest.h>

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
      auto letter = at_work_.letters.already_registered("ada@example.com");
      co_await outbox.enqueue(transaction, std::move(letter));
      co_return true;
    };
    at_work_.run(at_work_.database.transact(std::move(body)));
  }

  testing::SessionsAtWork at_work_{GetParam()};
  SecretText former_ = MasterKey::generate_text(at_work_.random);
  SecretText present_ = MasterKey::generate_text(at_work_.random);
};

TEST_P(ResealingTest, everything_opens_without_the_former_key_and_is_what_it_was) {
  const auto former = key_of(former_);
  const auto before = load(former);
  mail(former);
  const auto key = both(present_, former_);
  EXPECT_EQ(load(key).keyring->jwks(), before.keyring->jwks());
  Resealing resealing(at_work_.database, key);
  EXPECT_EQ(at_work_.run(resealing.count()), 6);
  const auto resealed = at_work_.run(resealing.round());
  EXPECT_EQ(resealed.values, 6);  // four keys, the root secret, a mail
  EXPECT_EQ(resealed.unreadable, 0);
  EXPECT_EQ(at_work_.run(resealing.count()), 0);
  EXPECT_EQ(at_work_.run(resealing.round()).values, 0);

  const auto present = key_of(present_);
  const auto after = load(present);
  EXPECT_EQ(after.keyring->jwks(), before.keyring->jwks());
  EXPECT_EQ(after.root->derive("audit"), before.root->derive("audit"));
  MailWorker worker(at_work_.database, at_work_.clock, present, at_work_.mailbox);
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
