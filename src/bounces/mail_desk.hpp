// What operators do to mail: see what waits, send it now, drop it, suppress an address, try whether mail arrives.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "access/operator.hpp"
#include "audit/audit_log.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "crypto/sealing.hpp"
#include "mail/letters.hpp"
#include "mail/mail_store.hpp"
#include "mail/outbox.hpp"
#include "sql/database.hpp"

namespace safawinet {

// A mail that waits, with its address.
struct OutboxEntry {
  WaitingMail waiting;
  std::string email;  // empty: it cannot be opened with the master key
};

// One mail, wherever it is: one of both.
struct MailState {
  std::optional<OutboxEntry> waiting{};
  std::optional<EndedMail> ended{};

  [[nodiscard]] Uuid id() const { return waiting ? waiting->waiting.id : ended->id; }
};

// Acts are one transaction with their audit row. Threading: any event loop. Errors besides those named: forbidden (the
// operator may no longer do it, or the address is of somebody above them; to send a mail now that would be sent anyway
// is for everybody), Unavailable.
class MailDesk {
 public:
  struct Parts {
    sql::Database& database;
    AuditLog& audit;
    Outbox& outbox;
    const Letters& letters;
    const MasterKey& master_key;
    const Clock& clock;
  };
  explicit MailDesk(Parts parts) : parts_(parts) {}

  // Oldest first, behind `after`.
  Task<std::vector<OutboxEntry>> list_waiting(OutboxFilter filter, std::optional<Uuid> after, std::int64_t limit);
  Task<MailStore::Backlog> count_waiting();
  // Errors: not_found.
  Task<Result<MailState>> find(Uuid id);
  // Those that wait and those that have ended; newest first, behind `before`.
  Task<std::vector<MailState>> history_of(UserId user, std::optional<Uuid> before, std::int64_t limit);

  // At once, whatever its waiting time is. Errors: not_found (it waits no more), conflict (it is being sent).
  Task<Status> retry(Operator acting, Uuid id, std::string reason, Origin origin);
  // Errors: the same.
  Task<Status> drop(Operator acting, Uuid id, std::string reason, Origin origin);

  // By a part of the address, in the order of addresses, behind `after`.
  Task<std::vector<Suppression>> list_suppressions(std::string part, std::optional<std::string> after,
                                                   std::int64_t limit);
  // Idempotent; a wider scope than before stays. Gives what holds now.
  Task<Result<Suppression>> suppress(Operator acting, std::string email, SuppressionScope scope, std::string reason,
                                     Origin origin);
  // The account's mail counts as good again, too. Errors: not_found.
  Task<Status> lift(Operator acting, std::string email, std::string reason, Origin origin);

  // A sample of a kind of mail, to see whether and how it arrives. Gives its id.
  Task<Result<Uuid>> send_sample(Operator acting, MailKind kind, Addressee to, Origin origin);

 private:
  // Errors: forbidden (the operator may no longer do it, or the address, or the account that the mail is about, is of
  // somebody above them).
  Task<Status> check(sql::Transaction& transaction, const Operator& acting, const std::string& email, Time now,
                     std::optional<UserId> about = {});
  [[nodiscard]] OutboxEntry opened(WaitingMail waiting) const;
  Task<void> record(sql::Transaction& transaction, std::string_view action, const Operator& acting, std::string target,
                    std::string reason, const Origin& origin);

  Parts parts_;
  MailStore store_;
};

}  // namespace safawinet
