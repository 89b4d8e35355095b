// Sends what waits in the outbox, on as many nodes as there are, in as many lanes as the settings say.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "cache/rate_limiter.hpp"
#include "crypto/sealing.hpp"
#include "mail/mail_store.hpp"
#include "mail/outbox.hpp"
#include "mail/transport.hpp"
#include "runtime/blocking_pool.hpp"
#include "sql/database.hpp"

namespace safawinet {

// No rate of mail is counted for longer: what counts them forgets them after that.
inline constexpr std::chrono::minutes kLongestMailWindow{1};

// How much may leave; 0: as much as the lanes can.
struct MailRates {
  std::size_t per_second = 0;             // in all
  std::size_t per_domain_and_minute = 0;  // to the addresses of one domain
};

// A server said, while we sent, that it does not take mail to this address, now and for good or again and again.
struct RefusedRecipient {
  Uuid mail;
  std::optional<UserId> user;
  std::string email;
  bool is_permanent = false;
  std::string detail;  // what it said
};

// Whether mail that one can do without waits at the moment. Threading: any thread.
class MailHold {
 public:
  [[nodiscard]] bool is_on() const { return is_on_; }
  void set(bool is_on) { is_on_ = is_on; }

 private:
  std::atomic<bool> is_on_{false};
};

struct Delivery {
  int sent = 0;
  int failed = 0;                   // to be tried again
  int ended = 0;                    // refused, given up or suppressed
  int given_back = 0;               // not their turn yet
  bool is_servers_trouble = false;  // the last thing heard of it
  std::string last_failure{};       // empty: none
  [[nodiscard]] bool has_tried() const { return sent + failed + ended > 0; }
  [[nodiscard]] bool is_idle() const { return !has_tried() && given_back == 0; }
};

// One lane: one transport, one mail at a time. Threading: one coroutine on an event loop of the database.
//
// Each mail is claimed for a minute, by one lane of one node. If we die while we send it, another takes it up when
// these are over, perhaps after it has been sent: who gets it twice can tell by its Message-ID. A mail that fails is
// tried again after about 5 s, 10 s, 20 s, … up to an hour, and given up after a day and five tries.
class MailWorker {
 public:
  struct Parts {
    sql::Database& database;
    const MasterKey& master_key;
    RateLimiter& limits;
    BlockingPool& pool;
    const MailHold& hold;
    const Clock& clock;
    Random& random;
    MailRates rates{};
    // Whether this node is about to end: nothing more is begun then, and what is claimed is given back.
    std::function<bool()> is_closing{};
    // Acts on a refusal; may be asked twice about the same mail.
    std::function<Task<void>(RefusedRecipient)> on_refused{};
  };
  MailWorker(Parts parts, std::unique_ptr<MailTransport> transport)
      : parts_(std::move(parts)), transport_(std::move(transport)) {}

  // Sends what is due, a few mails at the most; what is urgent goes first. Throws Unavailable.
  Task<Delivery> deliver_due();

 private:
  Task<void> deliver(WaitingMail waiting, Time claimed_until, Delivery& delivery);
  Task<Handover> hand_over(const WaitingMail& waiting, const Mail& mail);
  Task<bool> may_try_again(const Suppression& suppression, const Mail& mail);
  // How long it has to wait for its turn; none: it need not.
  Task<std::optional<std::chrono::seconds>> wait_for_turn(const Mail& mail);
  [[nodiscard]] bool is_closing() const { return parts_.is_closing && parts_.is_closing(); }
  // Goes on trying until the claim is over: what was sent and is not recorded would be sent again.
  Task<void> end(const WaitingMail& waiting, const Mail& mail, MailOutcome outcome, const Handover& handover);
  Task<void> record_end(const WaitingMail& waiting, const Mail& mail, MailOutcome outcome, const Handover& handover);
  Task<void> try_again(const WaitingMail& waiting, const Mail& mail, const Handover& handover, Delivery& delivery);
  [[nodiscard]] Time next_attempt(std::int64_t attempts) const;

  Parts parts_;
  MailStore store_;
  std::unique_ptr<MailTransport> transport_;
};

}  // namespace safawinet
