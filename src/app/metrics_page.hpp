// What /metrics shows, and where each figure comes from.
#pragma once

#include "access/compromise_mode.hpp"
#include "accounts/passwords.hpp"
#include "accounts/under_attack.hpp"
#include "api/public_api.hpp"
#include "api/resource_servers_api.hpp"
#include "audit/audit_log.hpp"
#include "cache/rate_limiter.hpp"
#include "http/server.hpp"
#include "mail/mail_worker.hpp"
#include "observe/metrics.hpp"
#include "runtime/hash_pool.hpp"
#include "sessions/revocation_feed.hpp"
#include "sql/database.hpp"

namespace safawinet::app {

// All outlive the metrics.
struct MetricsSources {
  const RequestMetrics& requests;
  const sql::Database& database;
  const RevocationFeed& feed;
  const api::ResourceServersApi& resource_servers;
  const RateLimiter& limits;
  const HashPool& hash_pool;
  const Passwords& passwords;
  const UnderAttack& under_attack;
  const AuditLog& audit;
  const ModeInForce& mode;
  const api::ProcessState& process;
  const MailHold& mail_hold;
  const http::Server& server;
};

void fill_metrics(Metrics& metrics, MetricsSources sources);

}  // namespace safawinet::app
