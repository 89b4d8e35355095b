// Acts on what comes back of mail: an address that is no good gets no more, and an account whose mails bounce again and
// again is held until its owner has proved another address.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "access/operator.hpp"
#include "accounts/user_store.hpp"
#include "audit/audit_log.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "bounces/bounce_store.hpp"
#include "bounces/feedback.hpp"
#include "bounces/ses_event.hpp"
#include "mail/mail_store.hpp"
#include "mail/mail_worker.hpp"
#include "observe/log.hpp"
#include "sessions/session_service.hpp"
#include "sql/database.hpp"

namespace safawinet {

struct BounceRules {
  std::int64_t threshold = 5;  // bounces without a delivery in between; 0: nothing happens, however many
  bool holds_accounts = true;  // else the address is suppressed, and nothing else
};

// What became of a notification.
enum class Taken {
  acted,    // it was new, and about a mail of ours
  again,    // it was taken before
  foreign,  // about no mail that we sent: counted, and nothing else
  ignored,  // of no consequence
};

// Permanent bounces mark the address and suppress it. Others count, unless the message was at fault or a later mail has
// arrived; at the threshold the account is held: disabled, its sessions ended, on record. Never the last superadmin,
// whose address is suppressed instead. A complaint suppresses all but security mail; one that names several recipients
// does nothing, since it says of none of them that they complained. A delivery sets the count back, and takes back what
// bounces before it have marked and suppressed.
//
// Threading: any event loop. Errors besides those named: Unavailable.
class Bounces {
 public:
  struct Parts {
    sql::Database& database;
    SessionService& sessions;
    AuditLog& audit;
    Log& log;
    const Clock& clock;
    Random& random;
  };
  Bounces(Parts parts, BounceRules rules) : parts_(parts), rules_(rules) {}

  // With the id of its notification in one transaction, so that none is taken twice. Errors: unavailable, where the
  // event is faster than our own record of the mail: it comes again.
  Task<Result<Taken>> take(SesEvent event, std::string message_id);
  // Somebody has unsubscribed us from a topic, once for each notification of it.
  Task<void> take_unsubscription(std::string topic, std::string message_id);
  // What a server said while we sent. Idempotent for each mail.
  Task<void> take_refusal(RefusedRecipient refused);
  // What an operator knows. Errors: forbidden (the operator may no longer do it, the address is of somebody above them,
  // or it would hold an account and they may not disable any).
  Task<Result<KeptFeedback>> record(Operator acting, std::string email, FeedbackType type, std::string reason,
                                    Origin origin);

  Task<std::vector<KeptFeedback>> list(FeedbackFilter filter, std::optional<Uuid> before, std::int64_t limit);
  Task<std::vector<MailWarning>> list_warnings();

  // One round of housekeeping: some of what has been kept long enough; whether there is more.
  Task<bool> sweep(std::chrono::days history);

 private:
  // In a transaction; locks the account's row. What was kept, none if it was there already.
  Task<std::optional<KeptFeedback>> act_on(sql::Transaction& transaction, Feedback feedback, const Actor& actor,
                                           bool& has_held);
  Task<void> act_on_bounce(sql::Transaction& transaction, const Feedback& feedback, const Actor& actor,
                           const std::optional<MailStanding>& standing, bool& has_held);
  Task<void> act_on_complaint(sql::Transaction& transaction, const Feedback& feedback, const Actor& actor,
                              const std::optional<MailStanding>& standing);
  Task<void> suppress(sql::Transaction& transaction, const Feedback& feedback, SuppressionScope scope,
                      std::string_view reason, const Actor& actor);
  // The account's row, and whatever else must be locked with it, before anything is changed.
  Task<std::optional<MailStanding>> lock(sql::Transaction& transaction, const std::string& email);
  // False where it is the last superadmin.
  Task<bool> hold(sql::Transaction& transaction, const MailStanding& standing, const Actor& actor);
  Task<void> count(sql::Transaction& transaction, std::string_view name);
  Task<Taken> take_event(sql::Transaction& transaction, const SesEvent& event, const SentMail& sent, bool& has_held);

  Parts parts_;
  BounceRules rules_;
  BounceStore store_;
  MailStore mails_;
  UserStore users_;
};

}  // namespace safawinet
