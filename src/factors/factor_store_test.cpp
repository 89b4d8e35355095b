#include "factors/factor_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "factors/testing.hpp"

namespace safawinet {
namespace {

class FactorStoreContract : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  template <class Work>
  auto in_transaction(Work work) {
    auto body = [&](sql::Transaction& transaction) -> decltype(work(transaction)) { return work(transaction); };
    return at_work_.run(at_work_.database.transact(std::move(body))).value();
  }
  bool offer(std::string sealed = "sealed", std::int64_t version = 1) {
    return in_transaction([&](sql::Transaction& transaction) -> Task<Result<bool>> {
      co_return co_await store_.offer(transaction, user_, sealed, version, at_work_.clock.now());
    });
  }
  bool confirm(std::string sealed = "sealed") {
    UsedSteps used;
    used.add(7);
    return in_transaction([&](sql::Transaction& transaction) -> Task<Result<bool>> {
      co_return co_await store_.confirm(transaction, user_, sealed, used, at_work_.clock.now());
    });
  }
  bool remove() {
    return in_transaction([&](sql::Transaction& transaction) -> Task<Result<bool>> {
      co_return co_await store_.remove(transaction, user_);
    });
  }
  std::optional<TotpFactor> find() { return at_work_.run(store_.find(at_work_.database, user_)); }
  bool set_codes(std::vector<std::string> macs) {
    return in_transaction([&](sql::Transaction& transaction) -> Task<Result<bool>> {
      co_await store_.replace_backup_codes(transaction, user_, macs);
      co_return true;
    });
  }
  std::int64_t codes_left() { return at_work_.run(store_.count_backup_codes(at_work_.database, user_)); }

  testing::FactorsAtWork at_work_{GetParam()};
  FactorStore store_;
  UserId user_ = at_work_.add_user();
};

TEST_P(FactorStoreContract, an_offer_is_replaced_until_it_is_confirmed) {
  EXPECT_FALSE(find());
  EXPECT_TRUE(offer("first"));
  EXPECT_TRUE(offer("second", 2));
  EXPECT_FALSE(confirm("first"));
  EXPECT_FALSE(find()->confirmed_at);
  EXPECT_TRUE(confirm("second"));
  EXPECT_FALSE(confirm("second"));
  EXPECT_FALSE(offer("third"));
  EXPECT_EQ(find()->sealed, "second");
  EXPECT_EQ(find()->credential_version, 2);
  EXPECT_EQ(find()->used.text(), "7");
  EXPECT_EQ(find()->confirmed_at, at_work_.clock.now());
}

TEST_P(FactorStoreContract, removing_takes_the_codes_along_and_says_whether_it_was_in_use) {
  EXPECT_FALSE(remove());
  offer();
  EXPECT_FALSE(remove()) << "an offer was not in use";
  EXPECT_FALSE(find());
  offer();
  confirm();
  set_codes({"a", "b"});
  EXPECT_TRUE(remove());
  EXPECT_EQ(codes_left(), 0);
}

TEST_P(FactorStoreContract, a_code_is_taken_once_and_a_new_set_replaces_the_old_one) {
  set_codes({"a", "b", "c"});
  const auto take = [&](std::string mac) {
    return in_transaction([&](sql::Transaction& transaction) -> Task<Result<bool>> {
      co_return co_await store_.take_backup_code(transaction, user_, mac);
    });
  };
  EXPECT_TRUE(at_work_.run(store_.has_backup_code(at_work_.database, user_, "a")));
  EXPECT_TRUE(take("a"));
  EXPECT_FALSE(take("a"));
  EXPECT_FALSE(take("z"));
  EXPECT_EQ(codes_left(), 2);
  set_codes({"d"});
  EXPECT_FALSE(take("b"));
  EXPECT_EQ(codes_left(), 1);
}

TEST_P(FactorStoreContract, a_user_who_is_deleted_by_hand_leaves_nothing) {
  offer();
  confirm();
  set_codes({"a"});
  at_work_.by_hand("DELETE FROM users WHERE id = '" + user_.text() + "'");
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM totp_factors"), 0);
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM backup_codes"), 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, FactorStoreContract, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
