#include "app/services.hpp"

#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <iostream>
#include <thread>
#include <utility>

#include "api/openapi.hpp"
#include "app/start_failure.hpp"
#include "app/storage.hpp"
#include "app/version.hpp"
#include "base/encoding.hpp"
#include "base/run_task.hpp"
#include "cache/redis/stream.hpp"
#include "config/config.hpp"

namespace safawinet::app {
namespace {

constexpr std::string_view kFirstAdministratorEmail = "admin@localhost";

unsigned or_cores(std::size_t count) {
  return count != 0 ? static_cast<unsigned>(count) : std::max(1U, std::thread::hardware_concurrency());
}

SigningAlgorithm algorithm_of(config::SigningAlgorithm algorithm) {
  switch (algorithm) {
    case config::SigningAlgorithm::eddsa:
      return SigningAlgorithm::eddsa;
    case config::SigningAlgorithm::es256:
      return SigningAlgorithm::es256;
    case config::SigningAlgorithm::rs256:
      return SigningAlgorithm::rs256;
  }
  std::unreachable();
}

RegistrationMode mode_of(config::Registration registration) {
  switch (registration) {
    case config::Registration::open:
      return RegistrationMode::open;
    case config::Registration::invite:
      return RegistrationMode::invite;
    case config::Registration::closed:
      return RegistrationMode::closed;
  }
  std::unreachable();
}

AttackMode attack_mode_of(config::UnderAttackMode mode) {
  switch (mode) {
    case config::UnderAttackMode::automatic:
      return AttackMode::automatic;
    case config::UnderAttackMode::on:
      return AttackMode::on;
    case config::UnderAttackMode::off:
      return AttackMode::off;
  }
  std::unreachable();
}

std::optional<Role> role_of(config::SecondFactorRequired required) {
  switch (required) {
    case config::SecondFactorRequired::from_none:
      return std::nullopt;
    case config::SecondFactorRequired::from_support:
      return Role::support;
    case config::SecondFactorRequired::from_admin:
      return Role::admin;
    case config::SecondFactorRequired::from_superadmin:
      return Role::superadmin;
  }
  std::unreachable();
}

LogLevel level_of(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::debug:
      return LogLevel::debug;
    case config::LogLevel::info:
      return LogLevel::info;
    case config::LogLevel::warning:
      return LogLevel::warning;
    case config::LogLevel::error:
      return LogLevel::error;
  }
  std::unreachable();
}

std::vector<IpNetwork> networks_of(const std::vector<std::string>& texts) {
  std::vector<IpNetwork> networks;
  for (const auto& text : texts) networks.push_back(IpNetwork::parse(text).value());  // checked by config/
  return networks;
}

MasterKey to_master_key(const SecretText& bytes) {
  return MasterKey::parse(to_base64(as_bytes(bytes.reveal()))).value();  // checked by config/
}

MasterKey find_master_key(const config::Settings& settings, const DataFolder& folder, Random& random) {
  const auto& secrets = settings.secrets;
  auto key = secrets.master_key ? to_master_key(*secrets.master_key) : folder.master_key(random);
  auto other = secrets.other_master_key ? to_master_key(*secrets.other_master_key) : folder.other_master_key();
  std::vector<MasterKey> others;
  if (other) others.push_back(std::move(*other));
  key.also_open_with(std::move(others));
  return key;
}

// A verifier that remembered the list just before a key came into it, and whatever stands between us and it.
constexpr std::chrono::seconds kMarginOfLists{30};
// Longer than any access token lives, by any clock that is nearly right.
constexpr std::chrono::minutes kSignaturesMatter{65};
// Nodes hear of a new key within the lease, or serve nothing.
constexpr std::chrono::seconds kNodesKnowAfter{10};

KeyringRules keyring_rules_of(const config::Settings& settings) {
  return {.signing = {.algorithm = std::string(name_of(algorithm_of(settings.tokens.algorithm))),
                      .known_before = settings.keys.jwks_max_age + kMarginOfLists,
                      .verifies_after = kSignaturesMatter,
                      .rotated_every = settings.keys.rotate},
          .refresh_mac = {.algorithm = "HS256",
                          .known_before = kNodesKnowAfter,
                          .verifies_after = settings.sessions.absolute + std::chrono::days(1),
                          .rotated_every = settings.keys.rotate}};
}

// "https://accounts.example.com:8443" -> "accounts.example.com"
std::string host_of(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  return std::string(url.substr(0, url.rfind(':')));
}

void prepare_schema(const config::Settings& settings, Log& log) {
  const auto on_wait = [&log](std::string_view reason) {
    log.event(LogLevel::warning, "waiting-for-database", {{"cause", reason}});
    log.flush();
  };
  const auto version = app::prepare_schema(settings, on_wait);
  if (version.before == version.after) return;
  log.event(LogLevel::info, "migrated", {{"from", std::int64_t{version.before}}, {"to", std::int64_t{version.after}}});
}

LogLevel log_level_of(const config::Settings& settings, Purpose purpose) {
  return purpose == Purpose::serving ? level_of(settings.log.level) : LogLevel::error;
}

DataFolder::Use use_of_folder(const config::Settings& settings, Purpose purpose) {
  if (!settings.database.url.empty()) return DataFolder::Use::shared;
  return purpose == Purpose::serving ? DataFolder::Use::alone : DataFolder::Use::for_a_command;
}

void prepare_schema_for_a_command(config::Settings settings) {
  settings.database.migrate = config::Migration::check;
  const auto on_wait = [](std::string_view reason) { std::cerr << "safawinet: waiting: " << reason << '\n'; };
  app::prepare_schema(settings, on_wait);
}

}  // namespace

Services::Services(const config::Settings& from, Purpose what_for)
    : purpose(what_for),
      settings(from),
      log(log_level_of(settings, purpose)),
      folder(settings.storage.data_dir, use_of_folder(settings, purpose)),
      master_key(find_master_key(settings, folder, random)) {
  if (purpose == Purpose::serving) {
    prepare_schema(settings, log);
  } else {
    prepare_schema_for_a_command(settings);
  }
  workers = std::make_unique<Workers>(purpose == Purpose::serving ? or_cores(settings.workers.count) : 1U);
  database = open_database(settings, workers->all());
  mail_pool = std::make_unique<BlockingPool>(static_cast<unsigned>(settings.mail.connections));
  amazon_pool = std::make_unique<BlockingPool>(1);
  hash_pool = std::make_unique<HashPool>(or_cores(settings.passwords.threads), settings.limits.max_wait);
  load_keys();
}

Services::~Services() {
  if (workers) stop();
  workers.reset();
}

void Services::stop() {
  mail_pool->begin_to_stop();
  amazon_pool->begin_to_stop();
  workers->stop();
  hash_pool.reset();
  mail_pool->stop();
  amazon_pool->stop();
  database.reset();
  if (shared_limits != nullptr) shared_limits->client().abandon_waiting();
  if (feed) feed->abandon_waiting();
}

void Services::load_keys() {
  try {
    const auto rules = keyring_rules_of(settings);
    auto loaded = run_task(workers->background(), load_keyring(*database, master_key, rules, clock, random));
    keyring.emplace(std::move(loaded.keyring));
    root = std::move(loaded.root);
    KeyringWatch::Parts parts{.database = *database,
                              .master_key = master_key,
                              .rules = rules,
                              .clock = clock,
                              .random = random,
                              .published = *keyring};
    keyring_watch.emplace(std::move(parts), std::move(loaded.states));
  } catch (const WrongMasterKey& error) {
    throw StartFailure(kExitFailed, std::string(error.what()) + ": set SAFAWINET_MASTER_KEY (or put back master.key)");
  } catch (const Unavailable& error) {
    throw StartFailure(kExitFailed, error.what());
  }
}

void Services::make(std::uint16_t port) {
  public_url = config::public_url(settings, port);
  const auto audience = settings.tokens.audience.empty() ? public_url : settings.tokens.audience;
  auto on_keys = [this](std::string_view states) { keyring_watch->hear(states); };
  feed.emplace(*database, clock, settings.revocation.lease, &clock, std::move(on_keys));
  audit.emplace(clock, random, MacKey(root->derive("audit")));
  make_mode_switch();
  checkpoint_key.emplace(root->derive("audit-checkpoint"));
  audit_chain.emplace(AuditChain::Parts{
      .database = *database,
      .audit = *audit,
      .clock = clock,
      .slow_loop = workers->mail(),
      .keys = {.entries = MacKey(root->derive("audit")), .chain = MacKey(root->derive("audit-chain"))},
      .checkpoint_key = *checkpoint_key});
  audit_checkpoints.emplace(AuditCheckpoints::Parts{.chain = *audit_chain,
                                                    .key = *checkpoint_key,
                                                    .clock = clock,
                                                    .slow_loop = workers->mail(),
                                                    .file = settings.audit.checkpoint_file});
  outbox.emplace(clock, random, master_key);
  letters.emplace(public_url, service_name_of(settings));
  const SessionRules rules{.refresh_grace = settings.sessions.refresh_grace,
                           .idle = settings.sessions.idle,
                           .absolute = settings.sessions.absolute,
                           .access_lifetime = settings.tokens.access_lifetime,
                           .issuer = public_url,
                           .audience = audience};
  const SessionService::Parts session_parts{.database = *database,
                                            .feed = *feed,
                                            .keyring = *keyring,
                                            .mode = mode_in_force,
                                            .audit = *audit,
                                            .outbox = *outbox,
                                            .letters = *letters,
                                            .clock = clock,
                                            .random = random};
  sessions.emplace(session_parts, rules);
  bulk_logouts.emplace(BulkLogoutService::Parts{.database = *database,
                                                .feed = *feed,
                                                .audit = *audit,
                                                .clock = clock,
                                                .random = random,
                                                .slow_loop = workers->mail(),
                                                .confirmation_key = MacKey(root->derive("bulk-logout-confirmation"))});
  key_service.emplace(KeyService::Parts{.database = *database,
                                        .master_key = master_key,
                                        .rules = keyring_rules_of(settings),
                                        .watch = *keyring_watch,
                                        .sessions = *sessions,
                                        .audit = *audit,
                                        .clock = clock,
                                        .random = random,
                                        .slow_loop = workers->mail()});
  guard.emplace(*keyring, *feed, mode_in_force, clock, public_url, audience);
  make_passwords();
  under_attack.emplace(UnderAttack::Parts{.database = *database,
                                          .audit = *audit,
                                          .hash_pool = *hash_pool,
                                          .clock = clock,
                                          .setting = attack_mode_of(settings.limits.under_attack)});
  attempts.emplace(*database, clock, MacKey(root->derive("attempts")), [this] { return under_attack->is_on(); });
  known_origins.emplace(*database, clock, MacKey(root->derive("known-origins")));
  make_limits();
  api_keys.emplace(ApiKeys::Parts{.database = *database,
                                  .audit = *audit,
                                  .limits = *limits,
                                  .mode = mode_in_force,
                                  .clock = clock,
                                  .random = random});
  session_finder.emplace(SessionFinder::Parts{.database = *database,
                                              .keyring = *keyring,
                                              .api_keys = *api_keys,
                                              .audit = *audit,
                                              .clock = clock,
                                              .slow_loop = workers->mail(),
                                              .issuer = public_url,
                                              .audience = audience});
  make_accounts();
  make_mail();
}

void Services::make_accounts() {
  accounts.emplace(
      AccountService::Parts{.database = *database,
                            .sessions = *sessions,
                            .passwords = *passwords,
                            .attempts = *attempts,
                            .known_origins = *known_origins,
                            .under_attack = *under_attack,
                            .limits = *limits,
                            .mode = mode_in_force,
                            .audit = *audit,
                            .outbox = *outbox,
                            .letters = *letters,
                            .clock = clock,
                            .random = random,
                            .slow_loop = workers->mail(),
                            .registration = mode_of(settings.accounts.registration),
                            .on_superadmin_password_changed = [this] { folder.delete_first_administrator(); }});
  administration.emplace(Administration::Parts{.database = *database,
                                               .sessions = *sessions,
                                               .audit = *audit,
                                               .outbox = *outbox,
                                               .letters = *letters,
                                               .clock = clock});
  assistance.emplace(Assistance::Parts{.database = *database,
                                       .accounts = *accounts,
                                       .sessions = *sessions,
                                       .attempts = *attempts,
                                       .limits = *limits,
                                       .audit = *audit,
                                       .clock = clock});
  user_import.emplace(*database, *audit, mode_in_force, clock, random);
  user_making.emplace(UserMaking::Parts{.database = *database,
                                        .accounts = *accounts,
                                        .passwords = *passwords,
                                        .audit = *audit,
                                        .clock = clock,
                                        .random = random});
  factor_codes.emplace(FactorCodes::Parts{.database = *database,
                                          .accounts = *accounts,
                                          .attempts = *attempts,
                                          .limits = *limits,
                                          .outbox = *outbox,
                                          .letters = *letters,
                                          .master_key = master_key,
                                          .clock = clock});
  enrolment.emplace(Enrolment::Parts{.database = *database,
                                     .accounts = *accounts,
                                     .sessions = *sessions,
                                     .codes = *factor_codes,
                                     .audit = *audit,
                                     .outbox = *outbox,
                                     .letters = *letters,
                                     .master_key = master_key,
                                     .clock = clock,
                                     .random = random,
                                     .issuer = host_of(public_url)});
  second_step.emplace(SecondStep::Parts{.database = *database,
                                        .accounts = *accounts,
                                        .sessions = *sessions,
                                        .codes = *factor_codes,
                                        .audit = *audit,
                                        .clock = clock});
  readmission.emplace(Readmission::Parts{.database = *database,
                                         .accounts = *accounts,
                                         .codes = *factor_codes,
                                         .audit = *audit,
                                         .outbox = *outbox,
                                         .letters = *letters,
                                         .clock = clock});
  revocation_pages.emplace(*database, *feed, clock, MacKey(root->derive("revocation-cursor")));
}

void Services::make_mail() {
  const BounceRules rules{.threshold = settings.bounces.threshold,
                          .holds_accounts = settings.bounces.action == config::BounceAction::hold};
  const Bounces::Parts bounce_parts{
      .database = *database, .sessions = *sessions, .audit = *audit, .log = log, .clock = clock, .random = random};
  bounces.emplace(bounce_parts, rules);
  mail_desk.emplace(MailDesk::Parts{.database = *database,
                                    .audit = *audit,
                                    .outbox = *outbox,
                                    .letters = *letters,
                                    .master_key = master_key,
                                    .clock = clock});
  reputation_guard.emplace(*database, mail_hold, clock, settings.bounces.has_guard);
  aws::SnsTrust trust{.topics = settings.bounces.sns_topics,
                      .takes_version_1 = settings.bounces.sns_signature_version == config::SignatureVersion::one};
  sns_verifier.emplace(std::move(trust), settings.tls.ca_file, *amazon_pool, clock);
  const MailRates rates{.per_second = settings.mail.rate_per_second,
                        .per_domain_and_minute = settings.mail.rate_per_domain_and_minute};
  MailWorker::Parts lane_parts{.database = *database,
                               .master_key = master_key,
                               .limits = own_mail_limits ? *own_mail_limits : *limits,
                               .pool = *mail_pool,
                               .hold = mail_hold,
                               .clock = clock,
                               .random = random,
                               .rates = rates,
                               .is_closing = [this] { return process.is_draining.load(); },
                               .on_refused = [this](RefusedRecipient refused) -> Task<void> {
                                 return bounces->take_refusal(std::move(refused));
                               }};
  if (purpose == Purpose::serving) mail_lanes = make_mail_lanes(settings, lane_parts);
}

void Services::make_passwords() {
  PasswordRules rules{.minimum_length = settings.passwords.minimum_length,
                      .service_names = {host_of(public_url), Sender::parse(settings.mail.from).name}};
  if (const auto& file = settings.passwords.blocklist_file; !file.empty()) {
    auto list = PasswordBlocklist::read(file);
    if (!list) throw StartFailure(kExitUsage, "passwords.blocklist_file: " + file.string() + " " + list.error());
    log.event(LogLevel::info, "blocklist-read",
              {{"file", file.string()},
               {"passwords", static_cast<std::int64_t>(list->size())},
               {"passedOver", static_cast<std::int64_t>(list->passed_over())}});
    rules.blocklist = &blocklist.emplace(*std::move(list));
  }
  passwords.emplace(*hash_pool, PasswordPolicy(std::move(rules)));
}

void Services::make_mode_switch() {
  auto on_change = [this](const ModeState& before, const ModeState& after) {
    if (before.mode == after.mode && before.expires_at == after.expires_at) return;  // another reason
    const auto until = after.expires_at ? to_rfc3339(*after.expires_at) : std::string();
    const auto level = after.mode == CompromiseMode::normal ? LogLevel::info : LogLevel::warning;
    log.event(
        level, "compromise-mode",
        {{"mode", name_of(after.mode)}, {"actor", std::string_view(after.actor)}, {"until", std::string_view(until)}});
  };
  mode_switch.emplace(ModeSwitch::Parts{.database = *database,
                                        .audit = *audit,
                                        .clock = clock,
                                        .in_force = mode_in_force,
                                        .on_change = std::move(on_change)});
  feed->also_read([this] { return mode_switch->look(); });
}

void Services::make_limits() {
  const auto& url = settings.cache.redis;
  if (!url || purpose == Purpose::one_command) {
    limits = std::make_unique<MemoryRateLimiter>(clock);
    own_mail_limits = std::make_unique<MemoryRateLimiter>(clock, kLongestMailWindow);
    return;
  }
  redis::ServerAddress address{.host = url->host,
                               .port = url->port,
                               .user = url->user,
                               .password = url->password,
                               .database = url->database,
                               .tls = {}};
  try {
    if (url->is_tls) address.tls = redis::make_client_tls(settings.tls.ca_file.string());
  } catch (const std::exception& error) {
    throw StartFailure(kExitFailed, error.what());
  }
  // Of the master key and not of the root secret: nodes of several databases may count together.
  auto shared =
      std::make_unique<RedisRateLimiter>(workers->background(), std::move(address),
                                         MacKey(RootSecret::of(master_key).derive("rate-limits")), clock, random);
  shared_limits = shared.get();
  limits = std::move(shared);
}

void Services::connect_to_cache() {
  if (shared_limits == nullptr) return;
  auto& loop = workers->background();
  auto on_change = [this](bool is_up, std::string_view cause) {
    log.event(is_up ? LogLevel::info : LogLevel::warning, is_up ? "cache-healed" : "cache-down", {{"cause", cause}});
  };
  boost::asio::co_spawn(loop, shared_limits->client().run(std::move(on_change)), boost::asio::detached);
  run_task(loop, shared_limits->client().wait_for_first_try());
}

void Services::make_first_administrator() {
  auto& loop = workers->background();
  const auto text =
      settings.accounts.admin_email.empty() ? std::string(kFirstAdministratorEmail) : settings.accounts.admin_email;
  if (run_task(loop, accounts->has_superadmin())) {
    // SQL by hand may have disabled the last one. That is obeyed, and said; it is no reason to make another account.
    if (run_task(loop, accounts->has_working_superadmin())) return;
    log.event(LogLevel::warning, "no-superadmin",
              {{"email", text}, {"cause", "each superadmin is disabled, or has an address that is not proved"}});
    return;
  }
  auto email = EmailAddress::parse(text);
  if (!email)
    throw StartFailure(kExitUsage, "SAFAWINET_ADMIN_EMAIL (accounts.admin_email) is no e-mail address: " + text);
  const bool is_generated = settings.accounts.admin_password.empty();
  const auto password = is_generated ? SecretText(random_text<18>(random)) : settings.accounts.admin_password;
  // Told before it is the password: the other way round, a crash in between would leave one that nobody knows.
  const auto file = is_generated ? hand_over(*email, password) : std::filesystem::path();
  const auto made = run_task(loop, accounts->ensure_superadmin(*email, password));
  if (!made) {
    if (is_generated) folder.delete_first_administrator();
    if (made.error().code == ErrorCode::conflict) {
      // SQL by hand has left no superadmin. It is obeyed: serving goes on, and whoever is at the machine makes another.
      log.event(LogLevel::warning, "no-superadmin", {{"email", email->text()}, {"cause", made.error().detail.text}});
      return;
    }
    std::string why = made.error().detail.text;
    for (const auto& field : made.error().fields) why += (why.empty() ? "" : "; ") + field.detail;
    throw StartFailure(kExitUsage, "SAFAWINET_ADMIN_PASSWORD (accounts.admin_password) cannot be used: " + why);
  }
  if (!*made) {
    // Another node was faster, with a password of its own.
    if (is_generated) folder.delete_first_administrator();
    log.event(LogLevel::info, "first-administrator-made-elsewhere", {{"email", email->text()}});
    return;
  }
  if (file.empty()) return;
  log.event(LogLevel::info, "first-administrator-made", {{"email", email->text()}, {"passwordFile", file.string()}});
}

// To the terminal if there is somebody to read it, else to a file, which is returned; never to the log.
std::filesystem::path Services::hand_over(const EmailAddress& email, const SecretText& password) const {
  if (isatty(STDOUT_FILENO) == 0) return folder.write_first_administrator(email.text(), password);
  const auto message =
      "First administrator: " + email.text() + "\nPassword:            " + std::string(password.reveal()) + "\n";
  [[maybe_unused]] const auto written = ::write(STDOUT_FILENO, message.data(), message.size());
  return {};
}

void Services::make_api() {
  auto origins = settings.http.cors_origins;
  origins.push_back(public_url);
  auth_api.emplace(api::AuthApi::Parts{.accounts = *accounts,
                                       .sessions = *sessions,
                                       .guard = *guard,
                                       .second_step = *second_step,
                                       .readmission = *readmission,
                                       .origins = api::BrowserOrigins(std::move(origins))});
  users_api.emplace(*accounts);
  sessions_api.emplace(*sessions);
  users_admin_api.emplace(api::UsersAdminApi::Parts{.accounts = *accounts,
                                                    .sessions = *sessions,
                                                    .administration = *administration,
                                                    .assistance = *assistance,
                                                    .making = *user_making,
                                                    .import = *user_import,
                                                    .enrolment = *enrolment});
  factors_api.emplace(*enrolment, *second_step);
  email_api.emplace(api::EmailApi::Parts{.bounces = *bounces,
                                         .desk = *mail_desk,
                                         .guard = *reputation_guard,
                                         .accounts = *accounts,
                                         .letters = *letters,
                                         .clock = clock});
  email_events_api.emplace(api::EmailEventsApi::Parts{.verifier = *sns_verifier, .bounces = *bounces, .log = log});
  forced_logout_api.emplace(*accounts, *sessions);
  bulk_logout_api.emplace(*bulk_logouts);
  find_api.emplace(*session_finder);
  api_keys_api.emplace(*api_keys, clock);
  keys_api.emplace(*key_service, clock);
  resource_servers_api.emplace(api::ResourceServersApi::Parts{.guard = *guard,
                                                              .sessions = *sessions,
                                                              .pages = *revocation_pages,
                                                              .feed = *feed,
                                                              .database = *database,
                                                              .clock = clock});
  audit_api.emplace(*audit_chain, *audit_checkpoints, clock);
  under_attack_api.emplace(*under_attack);
  mode_api.emplace(*mode_switch, api::ModeApi::Usual{.access_lifetime = settings.tokens.access_lifetime,
                                                     .refresh_grace = settings.sessions.refresh_grace});
  pages_api.emplace(*accounts);
  idempotency.emplace(*database, clock, MacKey(root->derive("idempotency")));
  const auto described = api::routes(api::Apis{});
  const auto operations = api::operations_routes(nullptr);
  public_api.emplace(api::PublicApi::Parts{.database = *database,
                                           .feed = *feed,
                                           .keyring = *keyring,
                                           .limits = *limits,
                                           .process = process,
                                           .mode = mode_in_force,
                                           .issuer = public_url,
                                           .jwks_url = public_url + "/.well-known/jwks.json",
                                           .jwks_max_age = settings.keys.jwks_max_age,
                                           .openapi = api::openapi_document(described, public_url, kVersion),
                                           .docs_page = api::docs_page(described, operations, kVersion)});
  request_metrics.emplace(api::route_names(described));
  const api::Apis apis{.auth = &*auth_api,
                       .users = &*users_api,
                       .sessions = &*sessions_api,
                       .users_admin = &*users_admin_api,
                       .forced_logout = &*forced_logout_api,
                       .bulk_logouts = &*bulk_logout_api,
                       .finding = &*find_api,
                       .resource_servers = &*resource_servers_api,
                       .audit = &*audit_api,
                       .modes = &*mode_api,
                       .api_keys = &*api_keys_api,
                       .keyring = &*keys_api,
                       .under_attack = &*under_attack_api,
                       .pages = &*pages_api,
                       .open = &*public_api,
                       .factors = &*factors_api,
                       .email = &*email_api,
                       .email_events = &*email_events_api};
  pipeline.emplace(make_pipeline(api::routes(apis), *request_metrics));
  background.emplace(BackgroundWork::Parts{.database = *database,
                                           .feed = *feed,
                                           .keyring = *keyring_watch,
                                           .keys = *key_service,
                                           .mail = mail_lanes,
                                           .bounces = *bounces,
                                           .reputation_guard = *reputation_guard,
                                           .mail_history = settings.mail.history,
                                           .sessions = *sessions,
                                           .bulk_logouts = *bulk_logouts,
                                           .accounts = *accounts,
                                           .under_attack = *under_attack,
                                           .modes = *mode_switch,
                                           .audit_chain = *audit_chain,
                                           .audit_checkpoints = *audit_checkpoints,
                                           .audit_retention = settings.audit.retention,
                                           .clock = clock,
                                           .idempotency = *idempotency,
                                           .process = process,
                                           .log = log});
}

api::Pipeline Services::make_pipeline(std::vector<api::Route> routes, RequestMetrics& figures) {
  const api::Pipeline::Parts with{.guard = *guard,
                                  .api_keys = *api_keys,
                                  .attempts = *attempts,
                                  .limits = *limits,
                                  .idempotency = *idempotency,
                                  .audit = *audit,
                                  .database = *database,
                                  .metrics = figures,
                                  .log = log,
                                  .mode = mode_in_force,
                                  .clock = clock,
                                  .random = random};
  api::PipelineOptions options{.trusted_proxies = networks_of(settings.http.trusted_proxies),
                               .exempt_networks = networks_of(settings.limits.exempt_networks),
                               .cors_origins = settings.http.cors_origins,
                               .second_factor_required_from = role_of(settings.accounts.second_factor_required_from)};
  return api::Pipeline(with, std::move(routes), std::move(options));
}

}  // namespace safawinet::app
