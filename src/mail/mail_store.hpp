// The SQL of mail that waits and of what became of it, and nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/task.hpp"
#include "mail/mail.hpp"
#include "sql/database.hpp"

namespace safawinet {

struct WaitingMail {
  Uuid id;
  std::string sealed;
  std::string kind;  // as in the database
  std::int64_t priority = 0;
  std::optional<UserId> user;
  std::int64_t attempts = 0;
  Time created_at;
  Time next_attempt_at;
  std::optional<Time> claimed_until;  // a lane has it until then, and is about to send it
  std::string last_error;             // empty: none
};

enum class MailOutcome {
  sent,        // a server has promised to deliver it
  refused,     // a server has said that it never will
  given_up,    // nobody could be asked for too long
  suppressed,  // the address gets no such mail
  dropped,     // by an operator
};
std::string_view name_of(MailOutcome outcome);

struct EndedMail {
  Uuid id;
  std::optional<UserId> user;
  std::string email;
  std::string kind;
  std::string outcome;
  std::int64_t attempts = 0;
  std::string detail;
  std::string provider_id;  // empty: none
  Time created_at;
  Time ended_at;
  std::string feedback;  // the newest; empty: none came
  std::optional<Time> feedback_at;
};

enum class SuppressionScope { all, not_security };
std::string_view name_of(SuppressionScope scope);

struct Suppression {
  std::string email;
  SuppressionScope scope = SuppressionScope::all;
  std::string reason;  // as in the database
  std::string detail;
  std::string created_by;
  Time created_at;
};

struct OutboxFilter {
  bool is_failing_only = false;  // only those that were tried in vain
};

// Threading: any event loop.
class MailStore {
 public:
  // The most urgent priority of which a mail is due, `last` at the most.
  Task<std::optional<std::int64_t>> find_due_priority(sql::Database& database, Time now, std::int64_t last);
  // Takes due mails of a priority for itself until `until`: nobody else is given them before.
  Task<std::vector<WaitingMail>> claim(sql::Database& database, std::int64_t priority, Time now, Time until,
                                       std::int64_t limit);
  // Nothing happens where another lane has claimed it since.
  Task<void> postpone(sql::Database& database, const WaitingMail& claimed, Time next, std::string_view failure);
  // Somebody else's turn, or later, for no fault of the mail's. The same.
  Task<void> give_back(sql::Database& database, const WaitingMail& claimed, Time next);
  // Deletes the waiting mail; false if it waits no more.
  Task<bool> take_out(sql::Transaction& transaction, Uuid id);
  // The same, unless it is being sent.
  Task<bool> take_out_unclaimed(sql::Transaction& transaction, Uuid id, Time now);
  // Of a user that is gone nothing is kept.
  Task<void> insert_ended(sql::Transaction& transaction, const EndedMail& mail);

  // Oldest first, behind `after`.
  Task<std::vector<WaitingMail>> list_waiting(sql::Database& database, std::optional<Uuid> after, std::int64_t limit,
                                              OutboxFilter filter);
  Task<std::optional<WaitingMail>> find_waiting(sql::Database& database, Uuid id);
  // Newest first, behind `before`.
  Task<std::vector<WaitingMail>> list_waiting_of(sql::Database& database, UserId user, std::optional<Uuid> before,
                                                 std::int64_t limit);
  // How many wait, how many of them have failed, and since when the oldest waits.
  struct Backlog {
    std::int64_t waiting = 0;
    std::int64_t failing = 0;
    std::optional<Time> oldest;
  };
  Task<Backlog> count_waiting(sql::Database& database);
  // Makes it due now; false if it waits no more, or is being sent.
  Task<bool> make_due(sql::Transaction& transaction, Uuid id, Time now);

  // Newest first, behind `before`.
  Task<std::vector<EndedMail>> list_ended_of(sql::Database& database, UserId user, std::optional<Uuid> before,
                                             std::int64_t limit);
  // Whether a server was asked to take a mail to this address.
  Task<bool> has_tried_since(sql::Database& database, std::string_view email, Time since);
  Task<std::optional<EndedMail>> find_ended(sql::Database& database, Uuid id);
  // At the most so many; whether there may be more.
  Task<bool> delete_ended_before(sql::Database& database, Time before, std::int64_t limit);

  // What holds: the widest.
  Task<std::optional<Suppression>> find_suppression(sql::Database& database, std::string_view email);
  Task<bool> is_suppressed(sql::Transaction& transaction, std::string_view email);
  // What holds for each address, by a part of it; in their order, behind `after`.
  Task<std::vector<Suppression>> list_suppressions(sql::Database& database, std::string_view part,
                                                   std::optional<std::string> after, std::int64_t limit);
  // Of each reason there is one; a wider scope than before stays.
  Task<void> suppress(sql::Transaction& transaction, const Suppression& suppression);
  // Whatever its reasons.
  Task<bool> lift_suppression(sql::Transaction& transaction, std::string_view email);
  // Only one that a complaint, or bounces, have made.
  Task<bool> lift_complaint(sql::Transaction& transaction, std::string_view email);
  Task<bool> lift_bounce(sql::Transaction& transaction, std::string_view email);

  // The account with this address has no bounces and complaints against it any more.
  Task<void> set_mail_good(sql::Transaction& transaction, std::string_view email);

  // Of the account with this address, as in the database.
  struct Owner {
    UserId user;
    std::string role;
  };
  Task<std::optional<Owner>> find_owner(sql::Transaction& transaction, std::string_view email);
  Task<std::optional<Owner>> find_owner(sql::Transaction& transaction, UserId user);

  // One more in the quarter of an hour of `now`. `chance` spreads it where many write at once.
  Task<void> count(sql::Transaction& transaction, std::string_view name, Time now, std::uint8_t chance);
  struct Count {
    Time at;
    std::string name;
    std::int64_t count = 0;
  };
  Task<std::vector<Count>> counts_since(sql::Database& database, Time since);
  Task<void> delete_counts_before(sql::Database& database, Time before);
};

}  // namespace safawinet
