#include "access/api_keys.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "access/standing.hpp"
#include "base/run_task.hpp"
#include "base/testing.hpp"
#include "sql/testing_engines.hpp"

namespace safawinet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ApiKeyTextTest : public ::testing::Test {
 protected:
  testing::SeededRandom random_;
  std::string text_ = std::string(make_api_key(random_).text.reveal());
};

TEST_F(ApiKeyTextTest, a_key_looks_like_what_scanners_search_for) {
  EXPECT_THAT(text_, ::testing::MatchesRegex("sf_ak_[A-Za-z0-9_-]+"));
  EXPECT_EQ(text_.size(), 6U + 49U);
  EXPECT_TRUE(hash_api_key(text_));
}

TEST_F(ApiKeyTextTest, what_is_garbled_cut_or_made_up_is_no_key) {
  for (std::size_t i = 0; i < text_.size(); ++i) {
    auto garbled = text_;
    garbled[i] = garbled[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(hash_api_key(garbled)) << "character " << i;
  }
  EXPECT_FALSE(hash_api_key(text_.substr(0, text_.size() - 1)));
  EXPECT_FALSE(hash_api_key(text_ + "A"));
  EXPECT_FALSE(hash_api_key(text_ + std::string(1, '\0')));
  EXPECT_FALSE(hash_api_key(""));
  EXPECT_FALSE(hash_api_key("sf_ak_"));
}

class ApiKeysTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  static Origin from(std::string address) {
    return {.ip_address = std::move(address), .network = {}, .user_agent = {}, .request_id = "r-1"};
  }
  template <class T>
  T run(Task<T> task) {
    return run_task(loop_, std::move(task));
  }
  Operator add_operator(std::string_view role) {
    static constexpr sql::Statement insert{
        "INSERT INTO users (id, email, password_hash, role, email_verified_at, created_at, updated_at) "
        "VALUES ($1, $2, 'unusable', $3, $4, $4, $4)"};
    const auto id = UserId::make(clock_, random_);
    run(database_.write(insert, id, id.text() + "@example.com", role, clock_.now()));
    return Operator::person(id, SessionId{}, parse_role(role).value());
  }
  Result<CreatedApiKey> create(const Operator& acting, NewApiKey wanted) {
    return run(keys_.create(acting, std::move(wanted), from("192.0.2.8")));
  }
  CreatedApiKey a_key_of(const Operator& acting) { return create(acting, usual_).value(); }
  Result<Operator> present(const SecretText& text, std::string_view address = "198.51.100.7") {
    return run(keys_.authenticate(text.reveal(), IpAddress::parse(address).value(), from(std::string(address))));
  }
  bool is_refused(const SecretText& text) {
    const auto acting = present(text);
    return !acting && acting.error().code == ErrorCode::unauthenticated;
  }
  std::optional<ErrorCode> revoke(const Operator& acting, ApiKeyId id) {
    const auto status = run(keys_.revoke(acting, id, from("192.0.2.8")));
    return status ? std::nullopt : std::optional(status.error().code);
  }
  Result<Operator> confirmed(Operator acting, Permission permission) {
    auto body = [&](sql::Transaction& transaction) -> Task<Result<Operator>> {
      co_return co_await confirm(transaction, acting, permission, clock_.now());
    };
    return run(database_.transact(std::move(body)));
  }
  void set(const Operator& person, const std::string& assignment) {
    opened_->run_by_hand("UPDATE users SET " + assignment + " WHERE id = '" + person.user->text() + "'");
  }
  std::vector<std::string> audited() {
    static constexpr sql::Statement select{"SELECT action, outcome, actor, target FROM audit_log ORDER BY seq"};
    std::vector<std::string> rows;
    for (const auto& row : run(database_.read(select))) {
      rows.push_back(row.get<std::string>(0) + " " + row.get<std::string>(1) + " " + row.get<std::string>(2) + " " +
                     row.get<std::string>(3));
    }
    return rows;
  }

  testing::ManualClock clock_;
  testing::SeededRandom random_;
  EventLoop loop_{1};
  std::unique_ptr<sql::testing::TestDatabase> opened_ = GetParam().open({&loop_});
  sql::Database& database_ = opened_->database();
  AuditLog audit_{clock_, random_, MacKey(Bytes(MacKey::kBytes, 7))};
  MemoryRateLimiter limits_{clock_};
  ModeInForce mode_;
  ApiKeys keys_{
      {.database = database_, .audit = audit_, .limits = limits_, .mode = mode_, .clock = clock_, .random = random_}};
  NewApiKey usual_{.name = "reports",
                   .permissions = {Permission::users_read, Permission::tokens_introspect},
                   .networks = {},
                   .expires_at = {}};
  Operator admin_ = add_operator("admin");
};

TEST_P(ApiKeysTest, a_key_acts_with_the_permissions_that_it_was_given) {
  const auto made = a_key_of(admin_);
  const auto acting = present(made.text);
  ASSERT_TRUE(acting);
  EXPECT_EQ(acting->actor.text, "api-key:" + made.made.key.id.text());
  EXPECT_EQ(acting->permissions, usual_.permissions);
  EXPECT_EQ(acting->rank, Role::admin);
  EXPECT_FALSE(acting->user);
  EXPECT_TRUE(confirmed(*acting, Permission::users_read));
  EXPECT_FALSE(confirmed(*acting, Permission::users_write));
  EXPECT_EQ(made.made.key.key_start, made.text.reveal().substr(0, 10));
}

TEST_P(ApiKeysTest, the_database_does_not_hold_what_opens_anything) {
  const auto made = a_key_of(admin_);
  static constexpr sql::Statement select{"SELECT key_hash, key_start, name FROM api_keys"};
  const auto row = run(database_.read(select)).front();
  for (std::size_t column = 0; column < 3; ++column) {
    EXPECT_EQ(row.get<std::string>(column).find(made.text.reveal()), std::string::npos);
  }
  EXPECT_TRUE(is_refused(SecretText(row.get<std::string>(0))));
}

TEST_P(ApiKeysTest, nobody_gives_what_they_do_not_have) {
  const auto support = add_operator("support");
  EXPECT_EQ(create(support, usual_).error().code, ErrorCode::forbidden) << "who may not make keys";
  auto wanted = usual_;
  wanted.permissions.insert(Permission::audit_erase);
  const auto refused = create(admin_, wanted);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::forbidden);
  EXPECT_THAT(refused.error().detail.text, HasSubstr("audit:erase"));
  EXPECT_TRUE(create(add_operator("superadmin"), wanted));
}

TEST_P(ApiKeysTest, a_key_makes_no_keys) {
  auto wanted = usual_;
  wanted.permissions = PermissionSet{Permission::api_keys_write, Permission::users_read};
  const auto made = create(admin_, wanted).value();
  EXPECT_EQ(create(present(made.text).value(), usual_).error().code, ErrorCode::forbidden);
}

TEST_P(ApiKeysTest, it_needs_a_permission_and_a_future) {
  auto idle = usual_;
  idle.permissions = {};
  EXPECT_EQ(create(admin_, idle).error().fields.at(0).pointer, "/permissions");
  auto late = usual_;
  late.expires_at = clock_.now();
  EXPECT_EQ(create(admin_, late).error().fields.at(0).pointer, "/expiresAt");
  EXPECT_TRUE(audited().empty());
}

TEST_P(ApiKeysTest, a_revoked_key_is_refused_at_once_and_revoking_it_again_is_no_news) {
  const auto made = a_key_of(admin_);
  const auto acting = present(made.text).value();
  EXPECT_EQ(revoke(admin_, made.made.key.id), std::nullopt);
  EXPECT_TRUE(is_refused(made.text));
  EXPECT_FALSE(confirmed(acting, Permission::users_read)) << "what was let in before it writes nothing after";
  EXPECT_EQ(revoke(admin_, made.made.key.id), std::nullopt);
  const auto key = "api-key:" + made.made.key.id.text();
  EXPECT_THAT(audited(), ElementsAre("api-key.created done " + admin_.actor.text + " " + key,
                                     "api-key.revoked done " + admin_.actor.text + " " + key));
}

TEST_P(ApiKeysTest, an_expired_key_is_refused) {
  auto wanted = usual_;
  wanted.expires_at = clock_.now() + std::chrono::hours(1);
  const auto made = create(admin_, wanted).value();
  const auto acting = present(made.text).value();
  clock_.advance(std::chrono::hours(1));
  EXPECT_TRUE(is_refused(made.text));
  EXPECT_FALSE(confirmed(acting, Permission::users_read));
}

TEST_P(ApiKeysTest, it_works_from_its_own_networks_only_and_strays_are_on_record_a_few_times) {
  auto wanted = usual_;
  wanted.networks = {IpNetwork::parse("10.0.0.0/8").value(), IpNetwork::parse("2001:db8::/32").value()};
  const auto made = create(admin_, wanted).value();
  EXPECT_TRUE(present(made.text, "10.20.30.40"));
  EXPECT_TRUE(present(made.text, "2001:db8::1"));
  EXPECT_FALSE(present(made.text, "11.0.0.1"));
  EXPECT_FALSE(present(made.text, "2001:db9::1"));
  EXPECT_EQ(audited().size(), 3U);
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(present(made.text, "11.0.0.1"));
  EXPECT_EQ(audited().size(), 1U + kStrayUsesPerKey.count);
}

TEST_P(ApiKeysTest, a_damaged_network_opens_the_key_to_nobody) {
  const auto made = a_key_of(admin_);
  opened_->run_by_hand("UPDATE api_keys SET networks = 'anywhere'");
  EXPECT_TRUE(is_refused(made.text));
}

TEST_P(ApiKeysTest, a_key_loses_what_its_owner_loses) {
  const auto made = a_key_of(admin_);
  const auto acting = present(made.text).value();
  set(admin_, "role = 'support'");
  EXPECT_EQ(present(made.text).value().permissions, PermissionSet{Permission::users_read});
  EXPECT_FALSE(confirmed(acting, Permission::tokens_introspect));
  set(admin_, "is_active = false");
  EXPECT_TRUE(is_refused(made.text));
  EXPECT_FALSE(confirmed(acting, Permission::users_read));
  set(admin_, "is_active = true, role = 'admin'");
  EXPECT_TRUE(present(made.text)) << "back with its owner";
  opened_->run_by_hand("DELETE FROM users WHERE id = '" + admin_.user->text() + "'");
  EXPECT_TRUE(is_refused(made.text));
}

TEST_P(ApiKeysTest, a_key_that_was_made_at_the_machine_has_no_owner_and_stays) {
  const auto made = a_key_of(Operator::local("root"));
  const auto acting = present(made.text).value();
  EXPECT_EQ(acting.rank, Role::superadmin);
  EXPECT_TRUE(confirmed(acting, Permission::users_read));
  EXPECT_EQ(made.made.key.created_by, "os:root");
  EXPECT_EQ(revoke(admin_, made.made.key.id), ErrorCode::forbidden) << "above the rank of an admin";
  EXPECT_EQ(revoke(add_operator("superadmin"), made.made.key.id), std::nullopt);
}

TEST_P(ApiKeysTest, an_unknown_key_cannot_be_revoked) {
  EXPECT_EQ(revoke(admin_, ApiKeyId::make(clock_, random_)), ErrorCode::not_found);
}

TEST_P(ApiKeysTest, its_last_use_is_known_to_the_minute) {
  const auto made = a_key_of(admin_);
  const auto last_use = [&] { return run(keys_.get(made.made.key.id)).value().key.last_used_at; };
  EXPECT_FALSE(last_use());
  const auto first = clock_.now();
  EXPECT_TRUE(present(made.text, "198.51.100.7"));
  clock_.advance(std::chrono::seconds(59));
  EXPECT_TRUE(present(made.text, "198.51.100.8"));
  EXPECT_EQ(last_use(), first);
  clock_.advance(std::chrono::seconds(1));
  EXPECT_TRUE(present(made.text, "198.51.100.9"));
  EXPECT_EQ(last_use(), clock_.now());
  EXPECT_EQ(run(keys_.get(made.made.key.id)).value().key.last_used_from, "198.51.100.9");
}

TEST_P(ApiKeysTest, who_holds_the_row_of_a_key_does_not_keep_its_user_waiting) {
  if (GetParam().name == "sqlite") GTEST_SKIP() << "there is one writer: it waits for nobody else";
  const auto made = a_key_of(admin_);
  const auto holder = present(made.text).value();
  const auto client = IpAddress::parse("198.51.100.7").value();
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto held = co_await confirm(transaction, holder, Permission::users_read, clock_.now());
    EXPECT_TRUE(held);
    clock_.advance(std::chrono::minutes(2));
    auto presenting = keys_.authenticate(made.text.reveal(), client, from("198.51.100.7"));
    const auto acting = co_await std::move(presenting);
    EXPECT_TRUE(acting) << "it would wait for this transaction, which waits for it";
    co_return true;
  };
  run(database_.transact(std::move(body)));
  EXPECT_TRUE(present(made.text));
  EXPECT_EQ(run(keys_.get(made.made.key.id)).value().key.last_used_at, clock_.now());
}

TEST_P(ApiKeysTest, a_question_that_changes_nothing_has_the_same_answer) {
  const auto made = a_key_of(admin_);
  const auto acting = present(made.text).value();
  const auto may = [&](const Operator& who, Permission permission) {
    return run(still_may(database_, who, permission, clock_.now()));
  };
  EXPECT_TRUE(may(acting, Permission::users_read));
  EXPECT_FALSE(may(acting, Permission::users_write));
  EXPECT_TRUE(may(admin_, Permission::users_write));
  EXPECT_TRUE(may(Operator::local("ops"), Permission::roles_write));
  set(admin_, "role = 'customer'");
  EXPECT_FALSE(may(acting, Permission::users_read));
  EXPECT_FALSE(may(admin_, Permission::users_read));
  set(admin_, "role = 'admin'");
  EXPECT_FALSE(revoke(admin_, made.made.key.id));
  EXPECT_FALSE(may(acting, Permission::users_read));
}

TEST_P(ApiKeysTest, there_is_a_bound_to_the_keys_of_an_owner_and_revoked_ones_do_not_count) {
  std::optional<ApiKeyId> one;
  for (int i = 0; i < kUsableKeysPerOwner; ++i) one = a_key_of(admin_).made.key.id;
  EXPECT_EQ(create(admin_, usual_).error().code, ErrorCode::conflict);
  EXPECT_TRUE(create(add_operator("admin"), usual_)) << "of somebody else";
  EXPECT_EQ(revoke(admin_, *one), std::nullopt);
  EXPECT_TRUE(create(admin_, usual_));
}

TEST_P(ApiKeysTest, they_are_listed_newest_first_page_by_page) {
  std::vector<ApiKeyId> ids;
  for (int i = 0; i < 5; ++i) {
    clock_.advance(std::chrono::seconds(1));
    ids.insert(ids.begin(), a_key_of(admin_).made.key.id);
  }
  std::vector<ApiKeyId> seen;
  std::optional<ApiKeyId> before;
  for (int page = 0; page < 3; ++page) {
    for (const auto& found : run(keys_.list(before, 2))) seen.push_back(found.key.id);
    before = seen.back();
  }
  EXPECT_EQ(seen, ids);
}

TEST_P(ApiKeysTest, nothing_is_made_or_revoked_that_cannot_be_recorded) {
  const auto made = a_key_of(admin_);
  opened_->run_by_hand("ALTER TABLE audit_log RENAME TO elsewhere");
  EXPECT_ANY_THROW(create(admin_, usual_));
  EXPECT_ANY_THROW(revoke(admin_, made.made.key.id));
  EXPECT_TRUE(present(made.text));
  EXPECT_EQ(run(keys_.list(std::nullopt, 10)).size(), 1U);
}

TEST_P(ApiKeysTest, none_is_made_while_credentials_are_frozen_and_those_that_are_there_go_on) {
  const auto admin = add_operator("admin");
  const auto key = a_key_of(admin);
  mode_.set({.mode = CompromiseMode::contain, .reason = {}, .actor = {}, .since = {}, .expires_at = {}}, {});
  EXPECT_EQ(create(admin, usual_).error().code, ErrorCode::frozen);
  EXPECT_TRUE(present(key.text));
  EXPECT_FALSE(revoke(admin, key.made.key.id)) << "what contains goes on";
  EXPECT_TRUE(is_refused(key.text));
}

INSTANTIATE_TEST_SUITE_P(Engines, ApiKeysTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
