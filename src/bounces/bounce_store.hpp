// The SQL of what came back of mail, and nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/task.hpp"
#include "bounces/feedback.hpp"
#include "sql/database.hpp"

namespace safawinet {

// A mail that we sent.
struct SentMail {
  Uuid id;
  std::optional<UserId> user;
  std::string email;
};

// An account, as far as mail to it goes.
struct MailStanding {
  UserId user;
  std::string email;
  std::string email_status;
  std::int64_t bounce_count = 0;
  bool is_active = true;
  std::string role;
};

struct FeedbackFilter {
  std::string email{};  // empty: all
  std::optional<FeedbackKind> kind{};
};

struct MailWarning {
  std::string name;
  std::string detail;  // of the last time
  std::int64_t count = 0;
  Time first_at;
  Time last_at;
};

// Threading: any event loop.
class BounceStore {
 public:
  // False if it was taken before.
  Task<bool> take_message(sql::Transaction& transaction, std::string_view message_id, Time now);
  // At the most so many; whether there may be more.
  Task<bool> delete_messages_before(sql::Database& database, Time before, std::int64_t limit);

  // By our id or the provider's.
  Task<std::optional<SentMail>> find_sent(sql::Transaction& transaction, std::optional<Uuid> mail,
                                          std::string_view provider_id);
  // One that still waits here: its event was faster than our own record of it. Without its address.
  Task<bool> is_waiting(sql::Transaction& transaction, Uuid mail);

  Task<std::optional<MailStanding>> find_standing(sql::Transaction& transaction, std::string_view email);
  // As it is now, and nobody else changes it before the transaction ends. None also for a superadmin: these are locked
  // together, in their order.
  Task<std::optional<MailStanding>> lock_standing_below_superadmin(sql::Transaction& transaction,
                                                                   std::string_view email);

  // False if this feedback about this address is there already.
  Task<bool> insert(sql::Transaction& transaction, const KeptFeedback& feedback);
  // The newest thing that came back of a mail.
  Task<void> set_feedback(sql::Transaction& transaction, Uuid mail, std::string_view feedback, Time at);
  // Whether a mail to the address has arrived after `at`.
  Task<bool> has_delivery_after(sql::Transaction& transaction, std::string_view email, Time at);

  Task<void> set_email_status(sql::Transaction& transaction, UserId user, std::string_view status);
  // Gives the new count.
  Task<std::int64_t> add_bounce(sql::Transaction& transaction, UserId user);
  // Unless something has bounced after `delivered_at`.
  Task<void> forget_bounces(sql::Transaction& transaction, std::string_view email, Time delivered_at);

  Task<void> warn(sql::Transaction& transaction, std::string_view name, std::string_view detail, Time now);
  Task<std::vector<MailWarning>> list_warnings(sql::Database& database, Time since);

  // Newest first, behind `before`.
  Task<std::vector<KeptFeedback>> list(sql::Database& database, const FeedbackFilter& filter,
                                       std::optional<Uuid> before, std::int64_t limit);
  Task<bool> delete_before(sql::Database& database, Time before, std::int64_t limit);
};

}  // namespace safawinet
