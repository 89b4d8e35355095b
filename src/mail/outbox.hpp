// Mail leaves through the outbox: written in the transaction that caused it, sent after it, however often we crash.
#pragma once

#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "crypto/sealing.hpp"
#include "mail/mail.hpp"
#include "sql/database.hpp"

namespace safawinet {

// Waiting mails are sealed with the master key, since they hold one-time tokens, and deleted when they are sent.
// Threading: any event loop.
class Outbox {
 public:
  Outbox(const Clock& clock, Random& random, const MasterKey& master_key)
      : clock_(clock), random_(random), master_key_(master_key) {}

  // Gives the mail's id.
  Task<Uuid> enqueue(sql::Transaction& transaction, Mail mail);
  // Does what enqueue does and takes it back: nothing is sent, at the same cost.
  Task<void> enqueue_in_vain(sql::Transaction& transaction, Mail mail);

 private:
  const Clock& clock_;
  Random& random_;
  const MasterKey& master_key_;
};

// A mail as it waits. None if it was not sealed with this key, or was changed.
std::optional<Mail> open_mail(const MasterKey& master_key, const Uuid& id, const std::string& sealed);

}  // namespace safawinet
