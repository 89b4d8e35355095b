// What the store of accounts promises, on every engine.
#include "accounts/user_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sessions/testing.hpp"

namespace safawinet {
namespace {

using std::chrono::minutes;
using ::testing::ElementsAre;

class UserStoreContract : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  // Runs `body(transaction) -> Task<T>` and commits.
  template <class T, class Body>
  T transact(Body body) {
    auto committing = [&body](sql::Transaction& transaction) -> Task<Result<T>> {
      co_return co_await body(transaction);
    };
    return at_work_.run(at_work_.database.transact(std::move(committing))).value();
  }
  template <class Body>
  void change(Body body) {
    auto committing = [&body](sql::Transaction& transaction) -> Task<Result<bool>> {
      co_await body(transaction);
      co_return true;
    };
    at_work_.run(at_work_.database.transact(std::move(committing))).value();
  }

  User insert(std::string email, Role role = Role::customer, bool is_verified = true, std::string name = "Ada") {
    const auto now = at_work_.clock.now();
    const User user{.id = UserId::make(at_work_.clock, at_work_.random),
                    .email = std::move(email),
                    .name = std::move(name),
                    .locale = "de-CH",
                    .role = role,
                    .email_status = "ok",
                    .is_active = true,
                    .email_verified_at = is_verified ? std::optional(now) : std::nullopt,
                    .last_login_at = {},
                    .created_at = now};
    change([&](sql::Transaction& transaction) { return store_.insert(transaction, user, "hash-1"); });
    return user;
  }
  std::optional<User> find(UserId id) { return at_work_.run(store_.find(at_work_.database, id)); }
  std::optional<UserWithCredentials> credentials(std::string_view email) {
    const auto address = EmailAddress::parse(email).value();
    return at_work_.run(store_.find_with_credentials(at_work_.database, address));
  }
  std::vector<std::string> searched(std::string_view query, std::optional<UserId> before = {},
                                    std::int64_t limit = 10) {
    std::vector<std::string> emails;
    for (const auto& user : at_work_.run(store_.search(at_work_.database, query, before, limit))) {
      emails.push_back(user.email);
    }
    return emails;
  }
  void insert_token(std::optional<UserId> user, std::string hash, std::string_view purpose, std::string email) {
    const auto now = at_work_.clock.now();
    const NewToken token{
        .hash = std::move(hash), .purpose = purpose, .email = std::move(email), .expires_at = now + minutes(30)};
    change([&](sql::Transaction& transaction) { return store_.insert_token(transaction, user, token, now); });
  }
  std::optional<PendingToken> take(std::string_view hash, std::string_view purpose) {
    return transact<std::optional<PendingToken>>([&](sql::Transaction& transaction) {
      return store_.take_token(transaction, hash, purpose, at_work_.clock.now());
    });
  }
  bool set_password(UserId id, std::int64_t version, std::string_view hash) {
    return transact<bool>([&](sql::Transaction& transaction) {
      return store_.set_password(transaction, id, version, hash, at_work_.clock.now());
    });
  }

  testing::SessionsAtWork at_work_{GetParam()};
  UserStore store_;
};

TEST_P(UserStoreContract, a_user_is_found_as_it_was_inserted_by_id_and_by_address_in_any_case) {
  const auto user = insert("Ada@Example.com", Role::support);
  const auto found = find(user.id);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->email, "Ada@Example.com");
  EXPECT_EQ(found->name, "Ada");
  EXPECT_EQ(found->locale, "de-CH");
  EXPECT_EQ(found->role, Role::support);
  EXPECT_TRUE(found->is_active);
  EXPECT_EQ(found->email_verified_at, user.email_verified_at);
  EXPECT_EQ(found->last_login_at, std::nullopt);
  EXPECT_EQ(found->created_at, user.created_at);
  const auto by_address = credentials("ADA@EXAMPLE.COM");
  ASSERT_TRUE(by_address);
  EXPECT_EQ(by_address->user.id, user.id);
  EXPECT_EQ(by_address->credentials.password_hash, "hash-1");
  EXPECT_EQ(by_address->credentials.version, 1);
  EXPECT_FALSE(credentials("nobody@example.com"));
  EXPECT_FALSE(find(UserId::make(at_work_.clock, at_work_.random)));
}

TEST_P(UserStoreContract, an_address_belongs_to_one_user_in_whatever_case) {
  insert("ada@example.com");
  EXPECT_THROW(insert("ADA@example.com"), sql::ConstraintViolation);
}

TEST_P(UserStoreContract, a_search_finds_parts_of_addresses_and_names_newest_first_in_pages) {
  std::vector<User> users;
  for (const auto* email : {"ada@example.com", "bob@example.com", "carol@example.org"}) {
    users.push_back(
        insert(email, Role::customer, true, email == std::string("bob@example.com") ? "Adamant" : "Someone"));
    at_work_.clock.advance(std::chrono::milliseconds(5));
  }
  EXPECT_THAT(searched(""), ElementsAre("carol@example.org", "bob@example.com", "ada@example.com"));
  EXPECT_THAT(searched("", std::nullopt, 2), ElementsAre("carol@example.org", "bob@example.com"));
  EXPECT_THAT(searched("", users[1].id, 2), ElementsAre("ada@example.com"));
  EXPECT_THAT(searched("example.com"), ElementsAre("bob@example.com", "ada@example.com"));
  EXPECT_THAT(searched("ADA"), ElementsAre("bob@example.com", "ada@example.com"));
}

TEST_P(UserStoreContract, a_search_takes_wildcards_and_quotes_literally) {
  insert("a_b@example.com");
  insert("axb@example.com");
  insert("percent%@example.com");
  EXPECT_THAT(searched("a_b"), ElementsAre("a_b@example.com"));
  EXPECT_THAT(searched("%"), ElementsAre("percent%@example.com"));
  EXPECT_THAT(searched("\\"), ElementsAre());
  EXPECT_THAT(searched("' OR 1=1 --"), ElementsAre());
}

TEST_P(UserStoreContract, a_password_is_set_only_over_the_credentials_that_were_looked_at) {
  const auto user = insert("ada@example.com");
  EXPECT_TRUE(set_password(user.id, 1, "hash-2"));
  EXPECT_FALSE(set_password(user.id, 1, "hash-3"));
  const auto found = credentials("ada@example.com");
  EXPECT_EQ(found->credentials.password_hash, "hash-2");
  EXPECT_EQ(found->credentials.version, 2);
}

TEST_P(UserStoreContract, a_rehash_replaces_only_the_hash_that_it_was_made_from_and_keeps_the_version) {
  const auto user = insert("ada@example.com");
  at_work_.run(store_.set_rehashed(at_work_.database, user.id, "hash-1", "hash-1-costlier"));
  at_work_.run(store_.set_rehashed(at_work_.database, user.id, "hash-1", "too-late"));
  const auto found = credentials("ada@example.com");
  EXPECT_EQ(found->credentials.password_hash, "hash-1-costlier");
  EXPECT_EQ(found->credentials.version, 1);
}

TEST_P(UserStoreContract, only_an_unverified_user_is_replaced) {
  const auto verified = insert("ada@example.com");
  const auto unverified = insert("bob@example.com", Role::customer, false);
  for (const auto& user : {verified, unverified}) {
    change([&](sql::Transaction& transaction) {
      return store_.replace_unverified(transaction, user.id, user.email, "New", "hash-9", at_work_.clock.now());
    });
  }
  EXPECT_EQ(credentials("ada@example.com")->credentials.password_hash, "hash-1");
  const auto replaced = credentials("bob@example.com");
  EXPECT_EQ(replaced->credentials.password_hash, "hash-9");
  EXPECT_EQ(replaced->credentials.version, 2);
  EXPECT_EQ(replaced->user.name, "New");
  EXPECT_EQ(replaced->user.locale, "en");
}

TEST_P(UserStoreContract, a_verified_address_is_ok_again_and_keeps_its_first_time) {
  const auto user = insert("ada@example.com");
  at_work_.by_hand("UPDATE users SET email_status = 'bounced', bounce_count = 3");
  at_work_.clock.advance(minutes(1));
  change(
      [&](sql::Transaction& transaction) { return store_.set_verified(transaction, user.id, at_work_.clock.now()); });
  EXPECT_EQ(find(user.id)->email_verified_at, user.email_verified_at);
  EXPECT_EQ(find(user.id)->email_status, "ok");
  EXPECT_EQ(at_work_.number("SELECT bounce_count FROM users"), 0);
}

TEST_P(UserStoreContract, a_profile_changes_only_in_what_is_given) {
  const auto user = insert("ada@example.com");
  const auto now = at_work_.clock.now();
  at_work_.run(store_.set_profile(at_work_.database, user.id, "Countess", std::nullopt, now));
  EXPECT_EQ(find(user.id)->name, "Countess");
  EXPECT_EQ(find(user.id)->locale, "de-CH");
  at_work_.run(store_.set_profile(at_work_.database, user.id, std::nullopt, "fr", now));
  EXPECT_EQ(find(user.id)->name, "Countess");
  EXPECT_EQ(find(user.id)->locale, "fr");
  at_work_.run(store_.set_profile(at_work_.database, user.id, "", std::nullopt, now));
  EXPECT_EQ(find(user.id)->name, "");
}

TEST_P(UserStoreContract, another_superadmin_counts_when_active_and_verified) {
  const auto user = insert("ada@example.com", Role::superadmin);
  const auto has_other = [&] {
    return transact<bool>(
        [&](sql::Transaction& transaction) { return store_.lock_other_superadmins(transaction, user.id); });
  };
  EXPECT_FALSE(has_other());
  insert("new@example.com", Role::superadmin, false);
  insert("admin@example.com", Role::admin);
  EXPECT_FALSE(has_other());
  insert("second@example.com", Role::superadmin);
  EXPECT_TRUE(has_other());
  at_work_.by_hand("UPDATE users SET is_active = false WHERE email = 'second@example.com'");
  EXPECT_FALSE(has_other());
}

TEST_P(UserStoreContract, a_token_is_taken_once_for_its_purpose_and_before_it_expires) {
  const auto user = insert("ada@example.com");
  insert_token(user.id, "h1", "reset-password", "ada@example.com");
  EXPECT_FALSE(take("h1", "verify-email"));
  EXPECT_FALSE(take("h2", "reset-password"));
  const auto taken = take("h1", "reset-password");
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->user, user.id);
  EXPECT_EQ(taken->email, "ada@example.com");
  EXPECT_FALSE(take("h1", "reset-password"));
  insert_token(user.id, "h3", "reset-password", "ada@example.com");
  at_work_.clock.advance(minutes(30));
  EXPECT_FALSE(take("h3", "reset-password"));
}

TEST_P(UserStoreContract, looking_at_a_token_leaves_it) {
  const auto user = insert("ada@example.com");
  insert_token(user.id, "h1", "reset-password", "ada@example.com");
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(at_work_.run(store_.find_token(at_work_.database, "h1", "reset-password", at_work_.clock.now())));
  }
  EXPECT_TRUE(take("h1", "reset-password"));
}

TEST_P(UserStoreContract, a_newer_token_replaces_the_older_of_its_user_and_purpose_and_no_other) {
  const auto ada = insert("ada@example.com");
  const auto bob = insert("bob@example.com");
  insert_token(ada.id, "old", "reset-password", "ada@example.com");
  insert_token(ada.id, "verify", "verify-email", "ada@example.com");
  insert_token(bob.id, "of-bob", "reset-password", "bob@example.com");
  insert_token(ada.id, "new", "reset-password", "ada@example.com");
  EXPECT_FALSE(take("old", "reset-password"));
  EXPECT_TRUE(take("new", "reset-password"));
  EXPECT_TRUE(take("verify", "verify-email"));
  EXPECT_TRUE(take("of-bob", "reset-password"));
}

TEST_P(UserStoreContract, a_newer_invitation_replaces_the_older_of_its_address_and_no_other) {
  insert_token(std::nullopt, "old", "invitation", "ada@example.com");
  insert_token(std::nullopt, "of-bob", "invitation", "bob@example.com");
  insert_token(std::nullopt, "new", "invitation", "ADA@example.com");
  EXPECT_FALSE(take("old", "invitation"));
  EXPECT_TRUE(take("new", "invitation"));
  EXPECT_TRUE(take("of-bob", "invitation"));
}

TEST_P(UserStoreContract, only_expired_tokens_are_swept) {
  const auto user = insert("ada@example.com");
  insert_token(user.id, "h1", "verify-email", "ada@example.com");
  at_work_.clock.advance(minutes(20));
  insert_token(user.id, "h2", "reset-password", "ada@example.com");
  at_work_.clock.advance(minutes(10));
  at_work_.run(store_.delete_expired_tokens(at_work_.database, at_work_.clock.now()));
  EXPECT_EQ(at_work_.text("SELECT token_hash FROM one_time_tokens"), "h2");
}

TEST_P(UserStoreContract, a_deleted_user_leaves_no_row_behind) {
  const auto user = insert("ada@example.com");
  at_work_.sign_in(user.id);
  insert_token(user.id, "h1", "verify-email", "ada@example.com");
  change([&](sql::Transaction& transaction) { return store_.delete_user(transaction, user.id); });
  for (const auto* count : {"SELECT count(*) FROM users", "SELECT count(*) FROM refresh_sessions",
                            "SELECT count(*) FROM one_time_tokens", "SELECT count(*) FROM ended_sessions"}) {
    EXPECT_EQ(at_work_.number(count), 0) << count;
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, UserStoreContract, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
