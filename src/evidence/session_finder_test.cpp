// Whom leaked texts name, on both engines.
#include "evidence/session_finder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accounts/testing.hpp"

namespace safawinet {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SessionFinderTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  Result<Findings> try_to_find(std::string text, Operator acting) {
    FindingRequest request{.text = SecretText(std::move(text)), .acting = std::move(acting), .origin = at_work_.origin};
    return at_work_.run(finder_.find(std::move(request)));
  }
  Findings find(std::string text) { return try_to_find(std::move(text), Operator::local("ops")).value(); }
  Finding find_one(std::string text) {
    auto found = find(std::move(text));
    EXPECT_THAT(found.items, SizeIs(1));
    return found.items.at(0);
  }
  static std::string access(const IssuedTokens& tokens) { return std::string(tokens.access_token.reveal()); }
  static std::string refresh(const IssuedTokens& tokens) { return std::string(tokens.refresh_token.reveal()); }

  testing::AccountsAtWork at_work_{GetParam()};
  UserId ada_ = at_work_.add_user();
  IssuedTokens tokens_ = at_work_.sign_in(ada_);
  SessionId session_ = at_work_.session_of(tokens_);
  ApiKeys api_keys_{{.database = at_work_.database,
                     .audit = at_work_.audit,
                     .limits = at_work_.limits,
                     .mode = at_work_.mode_in_force,
                     .clock = at_work_.clock,
                     .random = at_work_.random}};
  SessionFinder finder_{{.database = at_work_.database,
                         .keyring = at_work_.keyring,
                         .api_keys = api_keys_,
                         .audit = at_work_.audit,
                         .clock = at_work_.clock,
                         .slow_loop = *at_work_.loops.front(),
                         .issuer = at_work_.rules.issuer,
                         .audience = at_work_.rules.audience}};
};

INSTANTIATE_TEST_SUITE_P(Engines, SessionFinderTest, ::testing::ValuesIn(sql::testing::kEngines));

TEST_P(SessionFinderTest, an_access_token_names_its_session_its_user_and_its_key) {
  const auto found = find_one("Authorization: Bearer " + access(tokens_));
  EXPECT_EQ(found.kind, "access-token");
  EXPECT_EQ(found.state, "valid");
  EXPECT_EQ(found.offset, 22U);
  EXPECT_EQ(found.key_id, at_work_.keyring.get()->signing_key().verifying_key().id());
  ASSERT_TRUE(found.session && found.user);
  EXPECT_EQ(found.session->id, session_);
  EXPECT_EQ(found.session->state, "live");
  EXPECT_EQ(found.user->id, ada_);
  EXPECT_EQ(found.user->email, "ada@example.com");
  EXPECT_EQ(found.network, "192.0.2.0/24");
}

TEST_P(SessionFinderTest, an_access_token_that_is_dead_says_how_it_died) {
  at_work_.clock.advance(std::chrono::minutes(11));
  EXPECT_EQ(find_one(access(tokens_)).state, "expired");
  EXPECT_EQ(find_one(access(tokens_)).session->state, "live");
  const auto fresh = at_work_.sign_in(ada_);
  EXPECT_EQ(find_one(access(fresh)).state, "valid");
  at_work_.by_hand("UPDATE users SET role = 'support'");
  EXPECT_EQ(find_one(access(fresh)).state, "revoked") << "its role is no longer right";
  const auto newest = at_work_.sign_in(ada_);
  at_work_.force_logout(ada_, {}, ada_);
  const auto ended = find_one(access(newest));
  EXPECT_EQ(ended.state, "revoked");
  ASSERT_TRUE(ended.session);
  EXPECT_EQ(ended.session->state, "ended");
  EXPECT_EQ(ended.session->ended_reason, "forced-logout");
  EXPECT_TRUE(ended.session->ended_at);
  EXPECT_EQ(ended.user->email, "ada@example.com");
}

TEST_P(SessionFinderTest, a_global_logout_ends_what_it_did_not_spare) {
  const auto spared = at_work_.sign_in(ada_);
  at_work_.force_logout({}, at_work_.session_of(spared), ada_);
  EXPECT_EQ(find_one(access(spared)).state, "valid");
  EXPECT_EQ(find_one(refresh(spared)).state, "valid");
  for (const auto& token : {access(tokens_), refresh(tokens_)}) {
    const auto found = find_one(token);
    EXPECT_EQ(found.state, "revoked");
    EXPECT_EQ(found.session->state, "ended");
    EXPECT_EQ(found.session->ended_reason, "global-logout");
  }
  const auto all = find("ada@example.com");
  EXPECT_EQ(all.users.at(0).live.count, 1);
}

TEST_P(SessionFinderTest, a_refresh_token_is_valid_then_used_then_revoked) {
  const auto fresh = find_one(refresh(tokens_));
  EXPECT_EQ(fresh.state, "valid");
  EXPECT_EQ(fresh.generation, 1);
  const auto next = at_work_.refresh(tokens_.refresh_token).value();
  const auto used = find_one(refresh(tokens_));
  EXPECT_EQ(used.state, "used");
  EXPECT_EQ(used.session->generation, 2);
  EXPECT_EQ(find_one(refresh(next)).state, "valid");
  EXPECT_TRUE(at_work_.refresh(next.refresh_token)) << "looking at tokens uses none up";
  at_work_.force_logout(ada_, {}, ada_);
  const auto revoked = find_one(refresh(next));
  EXPECT_EQ(revoked.state, "revoked");
  EXPECT_EQ(revoked.user->id, ada_);
}

TEST_P(SessionFinderTest, the_refresh_token_of_an_expired_session_is_expired) {
  at_work_.clock.advance(std::chrono::days(15));
  EXPECT_EQ(find_one(refresh(tokens_)).state, "expired");
  EXPECT_EQ(find("ada@example.com").users.at(0).live.count, 0);
}

TEST_P(SessionFinderTest, what_a_distrusted_key_has_made_is_still_recognised_and_said_to_be_so) {
  const auto before = at_work_.keyring.get();
  const auto id = before->signing_key().id();
  const auto mac_id = std::to_string(before->active_mac_key_id());
  const std::vector<std::string> distrusted{id, mac_id};
  at_work_.keyring.set(std::make_shared<const Keyring>(before->without(distrusted)));
  const auto found = find_one(access(tokens_));
  EXPECT_EQ(found.state, "distrusted");
  EXPECT_EQ(found.key_id, id);
  ASSERT_TRUE(found.session && found.user);
  EXPECT_EQ(found.session->id, session_);
  const auto refreshing = find_one(refresh(tokens_));
  EXPECT_EQ(refreshing.state, "distrusted");
  EXPECT_EQ(refreshing.key_id, mac_id);
  ASSERT_TRUE(refreshing.session);
  EXPECT_EQ(refreshing.session->id, session_);
  at_work_.keyring.set(before);
}

TEST_P(SessionFinderTest, what_is_forged_is_not_believed) {
  auto altered = access(tokens_);
  altered[altered.size() - 10] = altered[altered.size() - 10] == 'A' ? 'B' : 'A';
  auto other = refresh(tokens_);
  other[50] = other[50] == 'A' ? 'B' : 'A';
  const auto unsigned_token =
      "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0Iiwia2lkIjoiIn0." + access(tokens_).substr(access(tokens_).find('.') + 1);
  for (const auto& text : {altered, other, unsigned_token, "sf_ak_" + std::string(49, 'A')}) {
    const auto found = find(text);
    ASSERT_THAT(found.items, SizeIs(1)) << text;
    EXPECT_EQ(found.items[0].state, "not-ours");
    EXPECT_FALSE(found.items[0].session);
    EXPECT_FALSE(found.items[0].user);
    EXPECT_THAT(found.users, IsEmpty());
    EXPECT_THAT(found.networks, IsEmpty());
  }
}

TEST_P(SessionFinderTest, an_api_key_names_itself_and_its_owner) {
  at_work_.by_hand("UPDATE users SET role = 'admin'");
  NewApiKey wanted{.name = "billing", .permissions = {Permission::tokens_introspect}, .networks = {}, .expires_at = {}};
  auto acting = Operator::person(ada_, session_, Role::admin);
  const auto made = at_work_.run(api_keys_.create(std::move(acting), std::move(wanted), at_work_.origin)).value();
  const auto id = made.made.key.id;
  for (const auto& text : {std::string(made.text.reveal()), id.text()}) {
    const auto found = find_one(text);
    EXPECT_EQ(found.state, "valid");
    ASSERT_TRUE(found.api_key);
    EXPECT_EQ(found.api_key->id, id);
    EXPECT_EQ(found.api_key->name, "billing");
    EXPECT_EQ(found.user->id, ada_);
  }
  auto revoking = Operator::local("ops");
  ASSERT_TRUE(at_work_.run(api_keys_.revoke(std::move(revoking), id, at_work_.origin)));
  EXPECT_EQ(find_one(std::string(made.text.reveal())).state, "revoked");
}

TEST_P(SessionFinderTest, a_line_of_a_log_names_what_is_in_it) {
  const auto found =
      find(R"({"requestId":"AAAAAAAAAAAAAAAA","ip":"192.0.2.200","user":")" + ada_.text() + R"(","session":")" +
           session_.text() + R"(","cause":"0190a2b1-0000-7000-8000-000000000000, no-one@example.com"})");
  std::vector<std::string> all;
  for (const auto& item : found.items) all.push_back(std::string(item.kind) + " " + std::string(item.state));
  EXPECT_THAT(all, ElementsAre("request-id unknown", "ip-address in-use", "user-id known", "session-id live",
                               "id unknown", "email unknown"));
  EXPECT_THAT(found.users, SizeIs(1));
}

TEST_P(SessionFinderTest, a_request_names_the_session_that_it_ended) {
  auto origin = at_work_.origin;
  origin.request_id = "AbCd_123-ZyX4567";
  ASSERT_TRUE(at_work_.run(at_work_.sessions.end_one(ada_, session_, "ended-by-user", origin)));
  const auto found = find_one("requestId=AbCd_123-ZyX4567");
  EXPECT_EQ(found.state, "known");
  EXPECT_EQ(found.user->id, ada_);
  ASSERT_TRUE(found.session);
  EXPECT_EQ(found.session->id, session_);
  EXPECT_EQ(found.session->state, "ended");
}

TEST_P(SessionFinderTest, what_was_minted_beside_is_counted_and_the_newest_are_named) {
  for (int i = 0; i < 12; ++i) at_work_.sign_in(ada_);
  at_work_.clock.advance(std::chrono::milliseconds(1));  // within one, ids have no order
  testing::NewUser bob{.email = "bob@example.com"};
  const auto of_bob = at_work_.sign_in(at_work_.add_user(bob));
  const auto found = find(access(tokens_));
  ASSERT_THAT(found.users, SizeIs(1));
  EXPECT_EQ(found.users[0].live.count, 13);
  EXPECT_THAT(found.users[0].live.newest, SizeIs(kNamedSessionsLimit));
  ASSERT_THAT(found.networks, SizeIs(1));
  EXPECT_EQ(found.networks[0].network, "192.0.2.0/24");
  EXPECT_EQ(found.networks[0].live.count, 14);
  ASSERT_THAT(found.networks[0].live.newest, SizeIs(kNamedSessionsLimit));
  EXPECT_EQ(found.networks[0].live.newest[0].id, at_work_.session_of(of_bob)) << "the newest first";
  at_work_.force_logout(ada_, session_, ada_);
  const auto later = find(access(tokens_));
  EXPECT_EQ(later.users.at(0).live.count, 1);
  EXPECT_EQ(later.users.at(0).ended.count, 12);
  EXPECT_THAT(later.users.at(0).ended.newest, SizeIs(kNamedSessionsLimit));
  EXPECT_EQ(later.networks.at(0).live.count, 2);
}

TEST_P(SessionFinderTest, networks_name_the_sessions_in_them) {
  const auto found = find("192.0.0.0/16 and 2001:db8::/32 and 0.0.0.0/0");
  ASSERT_THAT(found.networks, SizeIs(3));
  EXPECT_EQ(found.networks[0].live.count, 1);
  EXPECT_EQ(found.networks[1].live.count, 0);
  EXPECT_EQ(found.networks[2].live.count, 1);
  EXPECT_EQ(found.items[1].state, "unused");
}

TEST_P(SessionFinderTest, more_sessions_than_are_read_at_once_are_all_counted) {
  at_work_.add_sessions(ada_, 5'001);
  at_work_.by_hand("UPDATE refresh_sessions SET ip_address = '198.51.100.7'");
  EXPECT_EQ(find("198.51.100.0/24").networks.at(0).live.count, 5'002);
}

TEST_P(SessionFinderTest, an_address_that_is_none_in_the_database_is_in_no_network) {
  at_work_.by_hand("UPDATE refresh_sessions SET ip_address = 'somewhere'");
  EXPECT_EQ(find("0.0.0.0/0").networks.at(0).live.count, 0);
  EXPECT_EQ(find_one(access(tokens_)).network, "");
}

TEST_P(SessionFinderTest, the_record_says_what_kinds_were_found_and_not_the_text) {
  find(access(tokens_) + " " + refresh(tokens_) + " secret-words");
  EXPECT_EQ(at_work_.text("SELECT reason FROM audit_log WHERE action = 'session.find'"),
            "access-token: 1, refresh-token: 1");
  EXPECT_EQ(at_work_.text("SELECT target FROM audit_log WHERE action = 'session.find'"), "user:" + ada_.text());
  EXPECT_EQ(at_work_.text("SELECT actor FROM audit_log WHERE action = 'session.find'"), "os:ops");
  find("nothing to see");
  EXPECT_EQ(at_work_.number("SELECT count(*) FROM audit_log WHERE action = 'session.find' AND reason = 'nothing'"), 1);
}

TEST_P(SessionFinderTest, an_id_tells_of_a_key_only_those_who_may_read_keys) {
  NewApiKey wanted{.name = "billing", .permissions = {Permission::tokens_introspect}, .networks = {}, .expires_at = {}};
  auto local = Operator::local("ops");
  const auto made = at_work_.run(api_keys_.create(std::move(local), std::move(wanted), at_work_.origin)).value();
  at_work_.by_hand("UPDATE users SET role = 'support'");
  const auto support = Operator::person(ada_, session_, Role::support);
  const auto by_id = try_to_find(made.made.key.id.text(), support).value().items.at(0);
  EXPECT_EQ(by_id.kind, "id");
  EXPECT_EQ(by_id.state, "unknown");
  EXPECT_FALSE(by_id.api_key);
  const auto by_text = try_to_find(std::string(made.text.reveal()), support).value().items.at(0);
  EXPECT_TRUE(by_text.api_key) << "who holds the key itself is told whose it is";
}

TEST_P(SessionFinderTest, whoever_may_not_any_more_is_told_nothing) {
  auto former = Operator::person(ada_, session_, Role::support);  // who is a customer by now
  const auto found = try_to_find("ada@example.com", std::move(former));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::forbidden);
  EXPECT_EQ(at_work_.audited("session.find"), 0);
}

}  // namespace
}  // namespace safawinet
