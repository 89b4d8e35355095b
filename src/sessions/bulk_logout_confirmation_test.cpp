#include "sessions/bulk_logout_confirmation.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "base/testing.hpp"

namespace safawinet {
namespace {

using testing::SeededRandom;

class BulkLogoutConfirmationTest : public ::testing::Test {
 protected:
  static MacKey key_of(std::uint8_t byte) { return MacKey(Bytes(MacKey::kBytes, byte)); }
  [[nodiscard]] bool is_accepted(const std::string& text, const BulkLogoutRequest& request) const {
    return BulkLogoutConfirmation::parse(text, request, key_).has_value();
  }

  SeededRandom random_;
  MacKey key_ = key_of(7);
  Time now_ = parse_rfc3339("2026-11-24T20:25:53.000001Z").value();
  BulkLogoutRequest request_{
      .criteria = {.role = "customer", .user_agent = "curl"},
      .acting = Operator::person(UserId{Uuid::version7(now_, random_)}, SessionId{}, Role::admin)};
  BulkLogoutConfirmation made_ = BulkLogoutConfirmation::make(now_, 41, random_);
  std::string text_ = made_.format(request_, key_);
};

TEST_F(BulkLogoutConfirmationTest, what_was_made_is_read_again) {
  EXPECT_EQ(BulkLogoutConfirmation::parse(text_, request_, key_), made_);
  EXPECT_EQ(made_.expires_at(), now_ + std::chrono::minutes(10));
}

TEST_F(BulkLogoutConfirmationTest, it_confirms_no_other_request) {
  const std::vector<std::function<void(BulkLogoutRequest&)>> changes{
      [](auto& r) { r.criteria.role = "support"; },
      [](auto& r) { r.criteria.user_agent.reset(); },
      [](auto& r) { r.criteria.never_logged_in = true; },
      [](auto& r) { r.criteria.user_ids.emplace(); },
      [this](auto& r) { r.criteria.last_login_before = now_; },
      [](auto& r) { r.includes_own_session = true; },
      [](auto& r) { r.acting.rank = Role::superadmin; },
      [this](auto& r) { r.acting.actor = Actor::user(UserId{Uuid::version7(now_, random_)}); },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    auto other = request_;
    changes[i](other);
    EXPECT_FALSE(is_accepted(text_, other)) << "change " << i;
  }
  auto other_session = request_;
  other_session.acting.session = SessionId{Uuid::version7(now_, random_)};
  EXPECT_TRUE(is_accepted(text_, other_session)) << "who logged in again is the same caller";
}

TEST_F(BulkLogoutConfirmationTest, nothing_else_is_one) {
  EXPECT_FALSE(BulkLogoutConfirmation::parse(text_, request_, key_of(8)));
  for (const std::string text : {"", "sf_bl_", "sf_bl_AAAA", "nonsense", "\xff\xfe"})
    EXPECT_FALSE(is_accepted(text, request_));
  EXPECT_FALSE(is_accepted(text_.substr(1), request_));
  EXPECT_FALSE(is_accepted(text_ + "A", request_));
  for (std::size_t i = 0; i < text_.size(); ++i) {
    auto changed = text_;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(is_accepted(changed, request_)) << "character " << i;
  }
}

TEST_F(BulkLogoutConfirmationTest, the_same_one_always_orders_the_same_and_another_one_another) {
  const auto again = BulkLogoutConfirmation::parse(text_, request_, key_).value();
  EXPECT_EQ(again.order_id(), made_.order_id());
  EXPECT_NE(BulkLogoutConfirmation::make(now_, 41, random_).order_id(), made_.order_id());
  EXPECT_LT(made_.order_id(),
            BulkLogoutConfirmation::make(now_ + std::chrono::milliseconds(1), 41, random_).order_id());
}

}  // namespace
}  // namespace safawinet
