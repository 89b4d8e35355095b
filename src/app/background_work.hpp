// What goes on beside the requests, until the loops stop.
#pragma once

#include "accounts/account_service.hpp"
#include "api/idempotency.hpp"
#include "api/public_api.hpp"
#include "app/mail_lanes.hpp"
#include "audit/audit_chain.hpp"
#include "audit/audit_checkpoints.hpp"
#include "base/clock.hpp"
#include "bounces/bounces.hpp"
#include "bounces/reputation_guard.hpp"
#include "incidents/mode_switch.hpp"
#include "keys/key_service.hpp"
#include "keys/keyring_watch.hpp"
#include "observe/log.hpp"
#include "runtime/workers.hpp"
#include "sessions/bulk_logout_service.hpp"
#include "sessions/revocation_feed.hpp"
#include "sessions/session_service.hpp"
#include "sql/database.hpp"

namespace safawinet::app {

// Each kind of work runs by itself; a round that fails is logged, and the next one comes after a pause.
class BackgroundWork {
 public:
  struct Parts {
    sql::Database& database;
    RevocationFeed& feed;
    KeyringWatch& keyring;
    KeyService& keys;
    MailLanes& mail;
    Bounces& bounces;
    ReputationGuard& reputation_guard;
    std::chrono::days mail_history;
    SessionService& sessions;
    BulkLogoutService& bulk_logouts;
    AccountService& accounts;
    UnderAttack& under_attack;
    ModeSwitch& modes;
    AuditChain& audit_chain;
    AuditCheckpoints& audit_checkpoints;
    std::chrono::days audit_retention;  // 0: for ever
    const Clock& clock;
    api::Idempotency& idempotency;
    api::ProcessState& process;
    Log& log;
  };
  explicit BackgroundWork(Parts parts) : parts_(parts) {}

  // Before the loops are started.
  void start(Workers& workers);
  // Only what answering needs and what a command may order; mails and the sweep wait for a server.
  void start_for_a_command(Workers& workers);

  // The last thing before the loops stop, for the thread that stops them: links what waits in the audit log, and signs
  // the end of its chain. Waits five seconds at the most; what is not done by then, another node does, or the next
  // start.
  void close_audit(Workers& workers);
  // Waits for the mails that are being handed over, and their records. Nothing more is begun while the process drains.
  void close_mail(Workers& workers);
  // The same without the signature, which is for a server to make.
  void close_audit_of_a_command(Workers& workers);

 private:
  Task<void> link_the_rest();
  Task<void> link_the_rest_and_sign();
  void follow_feed(Workers& workers);
  Task<void> deliver_mail(MailWorker& lane);
  Task<void> wait_for_lanes();
  Task<void> watch_reputation();
  Task<void> probe_database();
  Task<void> watch_keyring();
  Task<void> tend_keys();
  Task<void> watch_attacks();
  Task<void> end_mode();
  Task<void> sweep();
  Task<void> end_sessions_in_bulk();
  Task<void> link_audit();
  Task<void> sign_audit();
  Task<void> make_checkpoint();
  Task<void> purge_audit();
  Task<void> flush_log();

  Parts parts_;
  int lanes_at_work_ = 0;  // on the loop of mail, as are the next ones
  bool is_linking_ = false;
  bool is_closing_ = false;
};

}  // namespace safawinet::app
