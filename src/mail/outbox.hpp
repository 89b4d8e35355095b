// Mail leaves through the outbox: written in the transaction that caused it, sent after it, however often we crash.
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "crypto/sealing.hpp"
#include "mail/mail.hpp"
#include "mail/transport.hpp"
#include "sql/database.hpp"

namespace safawinet {

// Waiting mails are sealed with the master key, since they hold one-time tokens, and deleted when they are sent.
// Threading: any event loop.
class Outbox {
 public:
  Outbox(const Clock& clock, Random& random, const MasterKey& master_key)
      : clock_(clock), random_(random), master_key_(master_key) {}

  Task<void> enqueue(sql::Transaction& transaction, Mail mail);
  // Does what enqueue does and takes it back: nothing is sent, at the same cost.
  Task<void> enqueue_in_vain(sql::Transaction& transaction, Mail mail);

 private:
  Task<Uuid> insert(sql::Transaction& transaction, Mail mail);

  const Clock& clock_;
  Random& random_;
  const MasterKey& master_key_;
};

struct Delivery {
  int sent = 0;
  int failed = 0;
};

// Sends what is due, on as many nodes as there are: each mail is claimed by the one that sends it.
class MailWorker {
 public:
  MailWorker(sql::Database& database, const Clock& clock, const MasterKey& master_key, MailTransport& transport)
      : database_(database), clock_(clock), master_key_(master_key), transport_(transport) {}

  // Sends all mails that are due. A mail that fails is tried again after 5 s, 10 s, 20 s, … up to an hour; it is never
  // dropped. If we die while sending it, another node, or we ourselves, send it a minute later, perhaps again:
  // transports recognise it by its id.
  Task<Delivery> deliver_due();

 private:
  // False if somebody else sends it, or has sent it.
  Task<bool> claim(Uuid id);

  sql::Database& database_;
  const Clock& clock_;
  const MasterKey& master_key_;
  MailTransport& transport_;
};

}  // namespace safawinet
