#include "app/background_work.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>

#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/pause.hpp"

namespace safawinet::app {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLogFlushInterval{20};
constexpr milliseconds kMailLongestWait{1'000};  // a mail to be tried again is due by the clock, without any commit
constexpr milliseconds kBulkLogoutLongestWait{1'000};  // a node may have died with one, without any commit
constexpr milliseconds kReputationInterval{30'000};
constexpr milliseconds kProbeInterval{5'000};
constexpr milliseconds kProbeIntervalWhenIll{500};
constexpr milliseconds kKeyringInterval{20};
constexpr milliseconds kKeysInterval{10'000};
constexpr milliseconds kAttackInterval{500};
constexpr milliseconds kModeInterval{250};  // how late a compromise mode may end
constexpr milliseconds kSweepInterval{30'000};
constexpr milliseconds kSweepIntervalWhenBehind{50};
constexpr milliseconds kAuditLinkInterval{250};
constexpr std::chrono::minutes kCheckpointInterval{1};
constexpr std::chrono::hours kAuditPurgeInterval{1};
constexpr milliseconds kAuditPurgeIntervalWhenBehind{200};
constexpr milliseconds kPauseAfterFailure{1'000};
constexpr milliseconds kLinkerPatience{2};
constexpr milliseconds kLanesInterval{10};
constexpr std::chrono::seconds kClosingAtMost{5};

void spawn(EventLoop& loop, Task<void> work) { boost::asio::co_spawn(loop, std::move(work), boost::asio::detached); }

// For a thread that is not the loop's.
void run_to_its_end(EventLoop& loop, Task<void> work) {
  auto ended = std::make_shared<std::promise<void>>();
  const auto has_ended = ended->get_future();
  boost::asio::co_spawn(loop, std::move(work), [ended](const std::exception_ptr&) { ended->set_value(); });
  has_ended.wait_for(kClosingAtMost);
}

}  // namespace

void BackgroundWork::start(Workers& workers) {
  follow_feed(workers);
  spawn(workers.background(), probe_database());
  spawn(workers.background(), watch_keyring());
  spawn(workers.background(), watch_attacks());
  spawn(workers.background(), end_mode());
  spawn(workers.background(), flush_log());
  for (auto& lane : parts_.mail) spawn(workers.mail(), deliver_mail(*lane));
  spawn(workers.mail(), watch_reputation());
  spawn(workers.mail(), end_sessions_in_bulk());
  spawn(workers.mail(), link_audit());
  spawn(workers.mail(), sign_audit());
  spawn(workers.mail(), purge_audit());
  spawn(workers.mail(), tend_keys());
  spawn(workers.mail(), sweep());  // looks at every session, and must not keep the feed waiting
}

void BackgroundWork::start_for_a_command(Workers& workers) {
  follow_feed(workers);
  spawn(workers.background(), watch_keyring());
  spawn(workers.background(), flush_log());
  spawn(workers.mail(), end_sessions_in_bulk());
  spawn(workers.mail(), link_audit());
}

void BackgroundWork::follow_feed(Workers& workers) {
  auto on_feed_failure = [this](const std::string& why) {
    parts_.log.event(LogLevel::error, "revocation-feed-failed", {{"cause", why}});
  };
  spawn(workers.background(), parts_.feed.follow(std::move(on_feed_failure)));
}

Task<void> BackgroundWork::deliver_mail(MailWorker& lane) {
  sql::ChangeMark seen;
  for (;;) {
    std::string failure;
    Delivery delivery;
    ++lanes_at_work_;
    try {
      delivery = co_await lane.deliver_due();
    } catch (const std::exception& error) {
      failure = error.what();
    }
    --lanes_at_work_;
    if (delivery.has_tried()) parts_.process.is_mail_failing = delivery.is_servers_trouble;
    parts_.process.mails_sent += static_cast<std::uint64_t>(delivery.sent);
    parts_.process.mails_tried_in_vain += static_cast<std::uint64_t>(delivery.failed);
    parts_.process.mails_ended_unsent += static_cast<std::uint64_t>(delivery.ended);
    if (delivery.sent > 0) parts_.log.event(LogLevel::info, "mail-sent", {{"mails", std::int64_t{delivery.sent}}});
    if (delivery.ended > 0)
      parts_.log.event(LogLevel::warning, "mail-ended", {{"mails", std::int64_t{delivery.ended}}});
    if (delivery.failed > 0) {
      parts_.log.event(LogLevel::error, "mail-failed",
                       {{"mails", std::int64_t{delivery.failed}}, {"cause", delivery.last_failure}});
    }
    if (failure.empty() && !delivery.is_idle()) continue;
    try {
      if (failure.empty()) co_await parts_.database.wait_for_change(seen, kMailLongestWait);
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (failure.empty()) continue;
    parts_.log.event(LogLevel::error, "mail-worker-failed", {{"cause", failure}});
    co_await pause_for(kPauseAfterFailure);
  }
}

Task<void> BackgroundWork::watch_reputation() {
  bool was_held = false;
  for (;;) {
    std::optional<std::string> reason;
    std::string failure;
    try {
      reason = co_await parts_.reputation_guard.look();
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (failure.empty() && reason.has_value() != was_held) {
      was_held = reason.has_value();
      parts_.log.event(was_held ? LogLevel::error : LogLevel::info, was_held ? "mail-held-back" : "mail-released",
                       {{"cause", reason.value_or("")}});
    }
    if (!failure.empty()) parts_.log.event(LogLevel::error, "reputation-guard-failed", {{"cause", failure}});
    co_await pause_for(kReputationInterval);
  }
}

Task<void> BackgroundWork::probe_database() {
  auto before = sql::Health::ok;
  for (;;) {
    co_await parts_.database.probe();
    const auto state = parts_.database.state();
    const bool is_ok = state.health == sql::Health::ok;
    if (state.health != before) {
      parts_.log.event(is_ok ? LogLevel::info : LogLevel::error, is_ok ? "database-healed" : "database-ill",
                       {{"cause", state.reason}});
      before = state.health;
    }
    co_await pause_for(is_ok ? kProbeInterval : kProbeIntervalWhenIll);
  }
}

// Another node may have made or moved a key, and so may somebody by hand.
Task<void> BackgroundWork::watch_keyring() {
  for (;;) {
    co_await pause_for(kKeyringInterval);
    if (!parts_.keyring.is_behind()) continue;
    std::string failure;
    try {
      co_await parts_.keyring.look();
      parts_.log.event(LogLevel::info, "keyring-read", {});
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (failure.empty()) continue;
    parts_.log.event(LogLevel::error, "keyring-failed", {{"cause", failure}});
    co_await pause_for(kPauseAfterFailure);
  }
}

Task<void> BackgroundWork::tend_keys() {
  for (;;) {
    std::vector<KeyEntry> moved;
    Resealed resealed;
    std::string failure;
    try {
      moved = co_await parts_.keys.tend();
      resealed = co_await parts_.keys.reseal();
    } catch (const std::exception& error) {
      failure = error.what();
    }
    for (const auto& key : moved) {
      parts_.log.event(LogLevel::info, "key-moved",
                       {{"id", key.id}, {"purpose", name_of(key.purpose)}, {"state", name_of(key.state)}});
    }
    if (resealed.values > 0) parts_.log.event(LogLevel::info, "resealed", {{"values", resealed.values}});
    if (resealed.unreadable > 0) {
      parts_.log.event(LogLevel::error, "sealed-with-unknown-key", {{"values", resealed.unreadable}});
    }
    if (!failure.empty()) parts_.log.event(LogLevel::error, "keys-failed", {{"cause", failure}});
    co_await pause_for(kKeysInterval);
  }
}

Task<void> BackgroundWork::watch_attacks() {
  bool was_on = false;
  for (;;) {
    std::optional<AttackState> state;
    std::string failure;
    try {
      state = co_await parts_.under_attack.look();
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (state && state->is_on != was_on) {
      was_on = state->is_on;
      parts_.log.event(was_on ? LogLevel::warning : LogLevel::info,
                       was_on ? "under-attack-began" : "under-attack-ended",
                       {{"state", name_of(state->mode)}, {"reason", state->reason}});
    }
    if (!failure.empty()) parts_.log.event(LogLevel::error, "under-attack-failed", {{"cause", failure}});
    if (failure.empty()) {
      co_await pause_for(kAttackInterval);
    } else {
      co_await pause_for(kPauseAfterFailure);
    }
  }
}

// Where it cannot be recorded that it has ended, it goes on.
Task<void> BackgroundWork::end_mode() {
  for (;;) {
    co_await pause_for(kModeInterval);
    bool has_ended = false;
    std::string failure;
    try {
      has_ended = co_await parts_.modes.end_when_over();
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (has_ended) parts_.log.event(LogLevel::warning, "compromise-mode-expired", {});
    if (failure.empty()) continue;
    parts_.log.event(LogLevel::error, "compromise-mode-failed", {{"cause", failure}});
    co_await pause_for(kPauseAfterFailure);
  }
}

Task<void> BackgroundWork::sweep() {
  for (;;) {
    bool has_more = false;
    std::string failure;
    try {
      has_more = co_await parts_.sessions.sweep();
      co_await parts_.accounts.sweep();
      co_await parts_.idempotency.sweep();
      const bool has_more_mail = co_await parts_.bounces.sweep(parts_.mail_history);
      has_more = has_more || has_more_mail;
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (!failure.empty()) parts_.log.event(LogLevel::warning, "sweep-failed", {{"cause", failure}});
    co_await pause_for(has_more ? kSweepIntervalWhenBehind : kSweepInterval);
  }
}

Task<void> BackgroundWork::end_sessions_in_bulk() {
  sql::ChangeMark seen;
  for (;;) {
    std::optional<BulkLogout> finished;
    std::string failure;
    try {
      finished = co_await parts_.bulk_logouts.work();
      if (!finished) co_await parts_.database.wait_for_change(seen, kBulkLogoutLongestWait);
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (finished) {
      parts_.log.event(LogLevel::info, "bulk-logout-done",
                       {{"id", finished->id.text()}, {"sessionsEnded", finished->sessions_ended}});
    }
    if (failure.empty()) continue;
    parts_.log.event(LogLevel::error, "bulk-logout-failed", {{"cause", failure}});
    co_await pause_for(kPauseAfterFailure);
  }
}

Task<void> BackgroundWork::link_audit() {
  while (!is_closing_) {
    std::int64_t linked = 0;
    std::string failure;
    is_linking_ = true;
    try {
      linked = co_await parts_.audit_chain.link_waiting();
    } catch (const std::exception& error) {
      failure = error.what();
    }
    is_linking_ = false;
    if (!failure.empty()) {
      parts_.log.event(LogLevel::error, "audit-sequencer-failed", {{"cause", failure}});
      co_await pause_for(kPauseAfterFailure);
    } else if (linked < AuditStore::kLinkedAtOnce) {
      co_await pause_for(kAuditLinkInterval);
    }
  }
}

Task<void> BackgroundWork::sign_audit() {
  for (;;) {
    co_await make_checkpoint();
    co_await pause_for(kCheckpointInterval);
  }
}

Task<void> BackgroundWork::make_checkpoint() {
  CheckpointMade made;
  std::string failure;
  try {
    made = co_await parts_.audit_checkpoints.make();
  } catch (const std::exception& error) {
    failure = error.what();
  }
  if (!failure.empty()) parts_.log.event(LogLevel::error, "audit-checkpoint-failed", {{"cause", failure}});
  if (!made.damage.empty()) parts_.log.event(LogLevel::error, "audit-chain-damaged", {{"cause", made.damage}});
  if (!made.file_failure.empty()) {
    parts_.log.event(LogLevel::error, "audit-checkpoint-file-failed", {{"cause", made.file_failure}});
  }
  if (!made.checkpoint) co_return;
  const auto& checkpoint = *made.checkpoint;
  const auto at = to_rfc3339(checkpoint.at);
  const auto public_key = parts_.audit_checkpoints.public_key();
  parts_.log.event(LogLevel::info, "audit-checkpoint",
                   {{"position", checkpoint.point.position},
                    {"link", checkpoint.point.link},
                    {"at", at},
                    {"publicKey", public_key},
                    {"signature", checkpoint.signature}});
}

void BackgroundWork::close_mail(Workers& workers) { run_to_its_end(workers.mail(), wait_for_lanes()); }

Task<void> BackgroundWork::wait_for_lanes() {
  while (lanes_at_work_ > 0) co_await pause_for(kLanesInterval);
}

void BackgroundWork::close_audit(Workers& workers) { run_to_its_end(workers.mail(), link_the_rest_and_sign()); }

void BackgroundWork::close_audit_of_a_command(Workers& workers) { run_to_its_end(workers.mail(), link_the_rest()); }

Task<void> BackgroundWork::link_the_rest() {
  // Of two linkers one does nothing: so ours is let finish first.
  is_closing_ = true;
  while (is_linking_) co_await pause_for(kLinkerPatience);
  std::int64_t linked = AuditStore::kLinkedAtOnce;
  try {
    while (linked >= AuditStore::kLinkedAtOnce) linked = co_await parts_.audit_chain.link_waiting();
  } catch (const std::exception&) {
    linked = 0;  // another node links it, or this one after its next start
  }
}

Task<void> BackgroundWork::link_the_rest_and_sign() {
  co_await link_the_rest();
  co_await make_checkpoint();
}

Task<void> BackgroundWork::purge_audit() {
  if (parts_.audit_retention == std::chrono::days(0)) co_return;
  for (;;) {
    AuditPurge purged;
    std::string failure;
    try {
      purged = co_await parts_.audit_chain.purge(parts_.clock.now() - parts_.audit_retention);
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (!purged.findings.empty()) {
      const auto& first = purged.findings.front();
      failure = "evidence is kept: " + std::string(first.kind) + " at position " +
                std::to_string(first.position.value_or(0)) + ": " + first.detail;
    }
    if (!failure.empty()) parts_.log.event(LogLevel::error, "audit-purge-failed", {{"cause", failure}});
    if (purged.rows > 0) parts_.log.event(LogLevel::info, "audit-purged", {{"entries", purged.rows}});
    if (purged.rows > 0) {
      co_await pause_for(kAuditPurgeIntervalWhenBehind);
    } else {
      co_await pause_for(kAuditPurgeInterval);
    }
  }
}

Task<void> BackgroundWork::flush_log() {
  for (;;) {
    co_await pause_for(kLogFlushInterval);
    parts_.log.flush();
  }
}

}  // namespace safawinet::app
