// What answers requests, made from the settings, top to bottom; with or without a server that listens for them.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "access/api_keys.hpp"
#include "access/compromise_mode.hpp"
#include "accounts/account_service.hpp"
#include "accounts/administration.hpp"
#include "accounts/assistance.hpp"
#include "accounts/user_import.hpp"
#include "accounts/user_making.hpp"
#include "api/mode_api.hpp"
#include "api/pipeline.hpp"
#include "api/routes.hpp"
#include "app/background_work.hpp"
#include "app/data_folder.hpp"
#include "app/mail_lanes.hpp"
#include "aws/sns.hpp"
#include "base/clock.hpp"
#include "base/published.hpp"
#include "base/random.hpp"
#include "bounces/bounces.hpp"
#include "bounces/mail_desk.hpp"
#include "bounces/reputation_guard.hpp"
#include "cache/redis/redis_rate_limiter.hpp"
#include "config/settings.hpp"
#include "evidence/session_finder.hpp"
#include "factors/enrolment.hpp"
#include "factors/factor_codes.hpp"
#include "factors/readmission.hpp"
#include "factors/second_step.hpp"
#include "incidents/mode_switch.hpp"
#include "keys/key_service.hpp"
#include "keys/keyring_watch.hpp"
#include "mail/outbox.hpp"
#include "observe/log.hpp"
#include "observe/metrics.hpp"
#include "runtime/blocking_pool.hpp"
#include "runtime/hash_pool.hpp"
#include "runtime/workers.hpp"
#include "sessions/bulk_logout_service.hpp"
#include "sessions/revocation_feed.hpp"
#include "sessions/revocation_pages.hpp"
#include "sessions/session_service.hpp"
#include "sql/database.hpp"

namespace safawinet::app {

enum class Purpose {
  serving,      // a node: it makes and migrates what is not there yet
  one_command,  // `--local`: what is there is used as it is; no cache is asked, and only failures are logged
};

// Threading: made, stopped and destroyed by one thread; the services are used on the loops of `workers`.
struct Services {
  // Opens the data folder, the master key, the database and the keyring. Throws StartFailure.
  Services(const config::Settings& from, Purpose what_for);
  ~Services();
  Services(const Services&) = delete;
  Services& operator=(const Services&) = delete;

  // Makes the services. `port`: the one of the public URL, where the settings have none. Throws StartFailure.
  void make(std::uint16_t port);
  // Makes the API with its pipeline, and what goes on beside the requests; after make().
  void make_api();
  api::Pipeline make_pipeline(std::vector<api::Route> routes, RequestMetrics& figures);
  // Gives the cache a moment to be there for the first requests. Without it we start all the same.
  void connect_to_cache();
  void make_first_administrator();
  // Ends the threads, so that nothing runs any more, and what posts to the loops. What still waits in the loops, and
  // refers to the services, is destroyed with the loops by ~Services; servers go in between. May be repeated.
  void stop();

  const Purpose purpose;
  const config::Settings settings;
  Log log;
  SystemClock machine_clock;
  DatabaseClock clock{machine_clock};  // with a database server: its time, whatever this machine's clock says
  SystemRandom random;
  DataFolder folder;
  MasterKey master_key;
  api::ProcessState process;
  ModeInForce mode_in_force;
  std::unique_ptr<Workers> workers;
  std::unique_ptr<sql::Database> database;
  std::unique_ptr<HashPool> hash_pool;
  std::unique_ptr<BlockingPool> mail_pool;    // conversations with mail servers
  std::unique_ptr<BlockingPool> amazon_pool;  // and with SNS

  std::optional<Published<Keyring>> keyring;
  std::shared_ptr<const RootSecret> root;
  std::optional<KeyringWatch> keyring_watch;
  std::string public_url;
  std::optional<RevocationFeed> feed;
  std::optional<AuditLog> audit;
  std::optional<CheckpointKey> checkpoint_key;
  std::optional<ModeSwitch> mode_switch;
  std::optional<AuditChain> audit_chain;
  std::optional<AuditCheckpoints> audit_checkpoints;
  std::optional<Outbox> outbox;
  std::optional<Letters> letters;
  std::optional<SessionService> sessions;
  std::optional<BulkLogoutService> bulk_logouts;
  std::optional<KeyService> key_service;
  std::optional<AccessGuard> guard;
  std::optional<RevocationPages> revocation_pages;
  std::optional<PasswordBlocklist> blocklist;
  std::optional<Passwords> passwords;
  std::optional<UnderAttack> under_attack;
  std::optional<Attempts> attempts;
  std::optional<KnownOrigins> known_origins;
  std::unique_ptr<RateLimiter> limits;
  // Where `limits` counts in this process, mail has a table of its own: it takes its turn more often than anybody logs
  // in.
  std::unique_ptr<RateLimiter> own_mail_limits;
  RedisRateLimiter* shared_limits = nullptr;  // the same object, if it counts in Redis
  std::optional<AccountService> accounts;
  std::optional<Administration> administration;
  std::optional<SessionFinder> session_finder;
  std::optional<ApiKeys> api_keys;
  std::optional<Assistance> assistance;
  std::optional<UserImport> user_import;
  std::optional<UserMaking> user_making;
  std::optional<FactorCodes> factor_codes;
  std::optional<Enrolment> enrolment;
  std::optional<SecondStep> second_step;
  std::optional<Readmission> readmission;
  std::optional<Bounces> bounces;
  std::optional<MailDesk> mail_desk;
  MailHold mail_hold;
  std::optional<ReputationGuard> reputation_guard;
  std::optional<aws::SnsVerifier> sns_verifier;
  MailLanes mail_lanes;

  std::optional<api::AuthApi> auth_api;
  std::optional<api::UsersApi> users_api;
  std::optional<api::SessionsApi> sessions_api;
  std::optional<api::UsersAdminApi> users_admin_api;
  std::optional<api::ForcedLogoutApi> forced_logout_api;
  std::optional<api::BulkLogoutApi> bulk_logout_api;
  std::optional<api::FindApi> find_api;
  std::optional<api::ApiKeysApi> api_keys_api;
  std::optional<api::KeysApi> keys_api;
  std::optional<api::ResourceServersApi> resource_servers_api;
  std::optional<api::AuditApi> audit_api;
  std::optional<api::UnderAttackApi> under_attack_api;
  std::optional<api::ModeApi> mode_api;
  std::optional<api::FactorsApi> factors_api;
  std::optional<api::EmailApi> email_api;
  std::optional<api::EmailEventsApi> email_events_api;
  std::optional<api::PagesApi> pages_api;
  std::optional<api::PublicApi> public_api;
  std::optional<api::Idempotency> idempotency;
  std::optional<RequestMetrics> request_metrics;
  std::optional<api::Pipeline> pipeline;
  std::optional<BackgroundWork> background;

 private:
  void load_keys();
  void make_mode_switch();
  void make_limits();
  void make_accounts();
  void make_passwords();
  void make_mail();
  [[nodiscard]] std::filesystem::path hand_over(const EmailAddress& email, const SecretText& password) const;
};

}  // namespace safawinet::app
