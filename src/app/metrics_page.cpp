#include "app/metrics_page.hpp"

#include <chrono>

namespace safawinet::app {
namespace {

template <class Duration>
double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

void fill_metrics(Metrics& metrics, MetricsSources sources) {
  using enum Metrics::Kind;
  using Samples = std::vector<Metrics::Sample>;
  metrics.add(sources.requests);
  metrics.add(counter, "safawinet_password_verifications_total", "Passwords verified, by result.", "result", [sources] {
    const auto counts = sources.passwords.verifications();
    return Samples{{"ok", static_cast<double>(counts.matched)}, {"mismatch", static_cast<double>(counts.mismatched)}};
  });
  metrics.add(gauge, "safawinet_password_hashes_running", "Password hashes being computed.",
              [sources] { return static_cast<double>(sources.hash_pool.state().running); });
  metrics.add(gauge, "safawinet_password_hashes_waiting", "Password hashes that wait for a thread.",
              [sources] { return static_cast<double>(sources.hash_pool.state().waiting); });
  metrics.add(counter, "safawinet_admission_refusals_total",
              "Requests refused before any hash was computed, by reason.", "reason", [sources] {
                const auto state = sources.hash_pool.state();
                return Samples{{"busy", static_cast<double>(state.refused)},
                               {"client-gone", static_cast<double>(state.abandoned)}};
              });
  metrics.add(gauge, "safawinet_under_attack", "1 while unknown devices meet lower limits and stricter admission.",
              [sources] { return sources.under_attack.is_on() ? 1.0 : 0.0; });
  metrics.add(gauge, "safawinet_revocation_lag_seconds",
              "From the commit of the newest revocation to its being in force on this node.",
              [sources] { return seconds(sources.feed.last_lag()); });
  metrics.add(
      gauge, "safawinet_revocation_lease_seconds",
      "How long this node may go on accepting tokens without reading the revocation feed; negative: not any more.",
      [sources] { return seconds(sources.feed.lease_left()); });
  metrics.add(gauge, "safawinet_revoked_sessions", "Ended sessions in the revocation index.",
              [sources] { return static_cast<double>(sources.feed.index()->ended_sessions()); });
  metrics.add(gauge, "safawinet_revocation_streams", "Clients that follow the revocations as events.",
              [sources] { return static_cast<double>(sources.resource_servers.streams()); });
  metrics.add(counter, "safawinet_database_errors_total", "Calls that found the database unavailable.",
              [sources] { return static_cast<double>(sources.database.state().errors); });
  metrics.add(gauge, "safawinet_database_connections", "Open connections to the database server (0: embedded).",
              [sources] { return static_cast<double>(sources.database.state().connections); });
  metrics.add(gauge, "safawinet_database_transactions", "Connections that a transaction is using.",
              [sources] { return static_cast<double>(sources.database.state().connections_in_transaction); });
  metrics.add(gauge, "safawinet_database_waiting", "Calls that wait for a connection to the database server.",
              [sources] { return static_cast<double>(sources.database.state().waiting); });
  metrics.add(counter, "safawinet_audit_refusals_unrecorded_total",
              "Refused logins that are not in the audit log: there were too many of them, or it could not be written.",
              [sources] { return static_cast<double>(sources.audit.unrecorded()); });
  metrics.add(counter, "safawinet_mails_total",
              "Mails that this node sent, tried to send in vain, or found that nobody will take.", "outcome",
              [sources] {
                const auto& process = sources.process;
                return Samples{{"sent", static_cast<double>(process.mails_sent)},
                               {"failed", static_cast<double>(process.mails_tried_in_vain)},
                               {"ended", static_cast<double>(process.mails_ended_unsent)}};
              });
  metrics.add(gauge, "safawinet_mail_held_back", "1 while mail that one can do without is held back.",
              [sources] { return sources.mail_hold.is_on() ? 1.0 : 0.0; });
  metrics.add(gauge, "safawinet_compromise_mode", "1 for the compromise mode that is in force on this node.", "mode",
              [sources] {
                const auto in_force = sources.mode.state()->mode;
                Samples samples;
                for (const auto mode : kCompromiseModes) {
                  samples.push_back({std::string(name_of(mode)), mode == in_force ? 1.0 : 0.0});
                }
                return samples;
              });
  // All of these stay zero without a shared cache.
  metrics.add(counter, "safawinet_cache_errors_total",
              "Calls of the shared cache, and attempts to connect to it, that failed.",
              [sources] { return static_cast<double>(sources.limits.state().errors); });
  metrics.add(counter, "safawinet_cache_calls_total", "Calls of the shared cache.",
              [sources] { return static_cast<double>(sources.limits.state().calls); });
  metrics.add(counter, "safawinet_cache_skipped_calls_total",
              "Calls of the shared cache that were spared, since it was known to be down.",
              [sources] { return static_cast<double>(sources.limits.state().skipped); });
  metrics.add(gauge, "safawinet_cache_down", "1 while the shared cache is down and this node counts for itself.",
              [sources] { return sources.limits.state().is_up ? 0.0 : 1.0; });
  metrics.add(gauge, "safawinet_connections", "Open client connections.",
              [sources] { return static_cast<double>(sources.server.connections()); });
}

}  // namespace safawinet::app
