#include "app/application.hpp"

#include <signal.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <array>
#include <future>
#include <optional>
#include <thread>
#include <utility>

#include "accounts/account_service.hpp"
#include "api/openapi.hpp"
#include "api/pipeline.hpp"
#include "api/routes.hpp"
#include "app/background_work.hpp"
#include "app/data_folder.hpp"
#include "app/metrics_page.hpp"
#include "app/start_failure.hpp"
#include "app/storage.hpp"
#include "app/version.hpp"
#include "base/encoding.hpp"
#include "base/run_task.hpp"
#include "cache/redis/redis_rate_limiter.hpp"
#include "cache/redis/stream.hpp"
#include "config/config.hpp"
#include "http/listener.hpp"
#include "http/server.hpp"
#include "mail/transport.hpp"
#include "runtime/workers.hpp"
#include "sessions/keyring_store.hpp"

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

MasterKey find_master_key(const config::Settings& settings, const DataFolder& folder, Random& random) {
  if (!settings.secrets.master_key) return folder.master_key(random);
  return MasterKey::parse(to_base64(as_bytes(settings.secrets.master_key->reveal()))).value();
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

SecretText generate_password(Random& random) {
  std::array<std::uint8_t, 18> bytes{};
  random.fill(std::as_writable_bytes(std::span(bytes)));
  return SecretText(to_base64url(bytes));
}

http::ServerOptions listen_on(const config::ListenAddress& address) {
  http::ServerOptions options;
  options.host = address.host;
  options.port = address.port;
  return options;
}

}  // namespace

// Members are made in this order. They end in the order that ~Application says.
struct Application::Parts {
  explicit Parts(const config::Settings& from)
      : settings(from),
        log(level_of(settings.log.level)),
        folder(settings.storage.data_dir,
               settings.database.url.empty() ? DataFolder::Use::alone : DataFolder::Use::shared),
        master_key(find_master_key(settings, folder, random)) {
    prepare_schema(settings, log);
    workers = std::make_unique<Workers>(or_cores(settings.workers.count));
    database = open_database(settings, workers->all());
    hash_pool = std::make_unique<HashPool>(or_cores(settings.passwords.threads), settings.limits.max_wait);
  }

  config::Settings settings;
  Log log;
  SystemClock machine_clock;
  DatabaseClock clock{machine_clock};  // with a database server: its time, whatever this machine's clock says
  SystemRandom random;
  DataFolder folder;
  MasterKey master_key;
  api::ProcessState process;
  std::unique_ptr<Workers> workers;
  std::unique_ptr<sql::Database> database;
  std::unique_ptr<HashPool> hash_pool;

  std::optional<Published<Keyring>> keyring;
  std::string public_url;
  std::optional<RevocationFeed> feed;
  std::optional<AuditLog> audit;
  std::optional<Outbox> outbox;
  std::optional<Letters> letters;
  std::unique_ptr<MailTransport> transport;
  std::optional<MailWorker> mail_worker;
  std::optional<SessionService> sessions;
  std::optional<BulkLogoutService> bulk_logouts;
  std::optional<AccessGuard> guard;
  std::optional<Passwords> passwords;
  std::optional<Attempts> attempts;
  std::unique_ptr<RateLimiter> limits;
  RedisRateLimiter* shared_limits = nullptr;  // the same object, if it counts in Redis
  std::optional<AccountService> accounts;

  std::optional<api::AuthApi> auth_api;
  std::optional<api::UsersApi> users_api;
  std::optional<api::SessionsApi> sessions_api;
  std::optional<api::AdminApi> admin_api;
  std::optional<api::BulkLogoutApi> bulk_logout_api;
  std::optional<api::PagesApi> pages_api;
  std::optional<api::PublicApi> public_api;
  std::optional<api::OperationsApi> operations_api;
  std::optional<api::Idempotency> idempotency;
  std::optional<RequestMetrics> request_metrics;
  std::optional<RequestMetrics> operations_metrics;
  Metrics metrics;
  std::optional<api::Pipeline> pipeline;
  std::optional<api::Pipeline> operations_pipeline;
  std::unique_ptr<http::Server> server;
  std::unique_ptr<http::Server> operations_server;
  std::optional<KeyringWatch> keyring_watch;
  std::optional<BackgroundWork> background;

  void load_keys();
  void make_services();
  void make_limits();
  void connect_to_cache();
  void make_first_administrator();
  [[nodiscard]] std::filesystem::path hand_over(const EmailAddress& email, const SecretText& password) const;
  void make_api();
  void listen();

  std::unique_ptr<http::Server> make_server(std::vector<EventLoop*> loops, http::ServerOptions options,
                                            std::optional<api::Pipeline>& answers);
  api::Pipeline make_pipeline(std::vector<api::Route> routes, RequestMetrics& figures);
};

Application::Application(const config::Settings& settings) : parts_(std::make_unique<Parts>(settings)) {
  parts_->load_keys();
  // The address is needed first: without a public URL in the settings, the links in mails have the port that was bound.
  // Clients wait in the backlog until run().
  parts_->listen();
  parts_->make_services();
  parts_->make_first_administrator();
  parts_->make_api();
}

Application::~Application() {
  if (!parts_) return;
  // Threads first, so that nothing runs any more; what posts to the loops; then the loops, with the coroutines that
  // still wait in them and refer to the services; then the services.
  if (parts_->server) parts_->server->stop();
  if (parts_->operations_server) parts_->operations_server->stop();
  parts_->workers->stop();
  parts_->hash_pool.reset();
  parts_->database.reset();
  if (parts_->shared_limits != nullptr) parts_->shared_limits->client().abandon_waiting();
  if (parts_->feed) parts_->feed->abandon_waiting();
  parts_->server.reset();
  parts_->operations_server.reset();
  parts_->workers.reset();
}

void Application::run() {
  auto& parts = *parts_;
  run_task(parts.workers->background(), parts.feed->catch_up());
  parts.connect_to_cache();
  parts.background->start(*parts.workers);
  parts.workers->start();
  parts.server->start();
  parts.operations_server->start();
  parts.log.event(LogLevel::info, "listening",
                  {{"address", parts.server->address()},
                   {"operationsAddress", parts.operations_server->address()},
                   {"publicUrl", parts.public_url},
                   {"version", kVersion},
                   {"database", engine_name(parts.settings)},
                   {"dataDir", parts.settings.storage.data_dir.string()},
                   {"mailDir", parts.settings.mail.directory.string()}});

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  int signal = 0;
  sigwait(&signals, &signal);
  parts.log.event(LogLevel::info, "draining", {{"signal", std::string_view(signal == SIGTERM ? "SIGTERM" : "SIGINT")}});
  parts.process.is_draining = true;

  auto drained = std::make_shared<std::promise<bool>>();
  auto is_drained = drained->get_future();
  auto drain = [&parts]() -> Task<bool> {
    const auto at_most = std::chrono::duration_cast<std::chrono::milliseconds>(parts.settings.http.drain);
    co_return co_await parts.server->drain(at_most);
  };
  boost::asio::co_spawn(parts.workers->background(), drain, [drained](std::exception_ptr failure, bool all_ended) {
    drained->set_value(!failure && all_ended);
  });
  constexpr timespec kPoll{.tv_sec = 0, .tv_nsec = 20'000'000};
  bool is_second_signal = false;
  while (is_drained.wait_for(std::chrono::seconds(0)) != std::future_status::ready && !is_second_signal) {
    is_second_signal = sigtimedwait(&signals, nullptr, &kPoll) > 0;
  }
  const bool all_ended = !is_second_signal && is_drained.get();
  parts.log.event(all_ended ? LogLevel::info : LogLevel::warning, "stopped", {{"drained", all_ended}});
}

void Application::Parts::load_keys() {
  try {
    auto load = load_keyring(*database, master_key, algorithm_of(settings.tokens.algorithm), clock, random);
    keyring.emplace(run_task(workers->background(), std::move(load)));
  } catch (const WrongMasterKey& error) {
    throw StartFailure(kExitFailed, std::string(error.what()) + ": set SAFAWINET_MASTER_KEY (or put back master.key)");
  } catch (const Unavailable& error) {
    throw StartFailure(kExitFailed, error.what());
  }
}

void Application::Parts::make_services() {
  public_url = config::public_url(settings, server->port());
  const auto audience = settings.tokens.audience.empty() ? public_url : settings.tokens.audience;
  feed.emplace(*database, clock, settings.revocation.lease, &clock);
  audit.emplace(clock, random, MacKey(master_key.derive("audit")));
  outbox.emplace(clock, random, master_key);
  letters.emplace(public_url);
  try {
    transport = std::make_unique<FileTransport>(settings.mail.directory, settings.mail.from);
  } catch (const std::exception& error) {
    throw StartFailure(kExitFailed, std::string("cannot use the mail folder (mail.directory): ") + error.what());
  }
  mail_worker.emplace(*database, clock, master_key, *transport);
  const SessionRules rules{.refresh_grace = settings.sessions.refresh_grace,
                           .idle = settings.sessions.idle,
                           .absolute = settings.sessions.absolute,
                           .access_lifetime = settings.tokens.access_lifetime,
                           .issuer = public_url,
                           .audience = audience};
  const SessionService::Parts session_parts{.database = *database,
                                            .feed = *feed,
                                            .keyring = *keyring,
                                            .audit = *audit,
                                            .outbox = *outbox,
                                            .letters = *letters,
                                            .clock = clock,
                                            .random = random};
  sessions.emplace(session_parts, rules);
  bulk_logouts.emplace(
      BulkLogoutService::Parts{.database = *database,
                               .feed = *feed,
                               .audit = *audit,
                               .clock = clock,
                               .random = random,
                               .slow_loop = workers->mail(),
                               .confirmation_key = MacKey(master_key.derive("bulk-logout-confirmation"))});
  guard.emplace(*keyring, *feed, clock, public_url, audience);
  passwords.emplace(*hash_pool, PasswordPolicy(settings.passwords.minimum_length));
  attempts.emplace(*database, clock, MacKey(master_key.derive("attempts")));
  make_limits();
  accounts.emplace(
      AccountService::Parts{.database = *database,
                            .sessions = *sessions,
                            .passwords = *passwords,
                            .attempts = *attempts,
                            .limits = *limits,
                            .audit = *audit,
                            .outbox = *outbox,
                            .letters = *letters,
                            .clock = clock,
                            .random = random,
                            .slow_loop = workers->mail(),
                            .registration = mode_of(settings.accounts.registration),
                            .on_superadmin_password_changed = [this] { folder.delete_first_administrator(); }});
}

void Application::Parts::make_limits() {
  const auto& url = settings.cache.redis;
  if (!url) {
    limits = std::make_unique<MemoryRateLimiter>(clock);
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
  auto shared = std::make_unique<RedisRateLimiter>(workers->background(), std::move(address),
                                                   MacKey(master_key.derive("rate-limits")), clock, random);
  shared_limits = shared.get();
  limits = std::move(shared);
}

// Gives the cache a moment to be there for the first requests. Without it we start all the same.
void Application::Parts::connect_to_cache() {
  if (shared_limits == nullptr) return;
  auto& loop = workers->background();
  auto on_change = [this](bool is_up, std::string_view cause) {
    log.event(is_up ? LogLevel::info : LogLevel::warning, is_up ? "cache-healed" : "cache-down", {{"cause", cause}});
  };
  boost::asio::co_spawn(loop, shared_limits->client().run(std::move(on_change)), boost::asio::detached);
  run_task(loop, shared_limits->client().wait_for_first_try());
}

void Application::Parts::make_first_administrator() {
  auto& loop = workers->background();
  if (run_task(loop, accounts->has_superadmin())) return;
  const auto text =
      settings.accounts.admin_email.empty() ? std::string(kFirstAdministratorEmail) : settings.accounts.admin_email;
  auto email = EmailAddress::parse(text);
  if (!email)
    throw StartFailure(kExitUsage, "SAFAWINET_ADMIN_EMAIL (accounts.admin_email) is no e-mail address: " + text);
  const bool is_generated = settings.accounts.admin_password.empty();
  const auto password = is_generated ? generate_password(random) : settings.accounts.admin_password;
  // Told before it is the password: the other way round, a crash in between would leave one that nobody knows.
  const auto file = is_generated ? hand_over(*email, password) : std::filesystem::path();
  const auto made = run_task(loop, accounts->ensure_superadmin(*email, password));
  if (!made) {
    folder.delete_first_administrator();
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
std::filesystem::path Application::Parts::hand_over(const EmailAddress& email, const SecretText& password) const {
  if (isatty(STDOUT_FILENO) == 0) return folder.write_first_administrator(email.text(), password);
  const auto message =
      "First administrator: " + email.text() + "\nPassword:            " + std::string(password.reveal()) + "\n";
  [[maybe_unused]] const auto written = ::write(STDOUT_FILENO, message.data(), message.size());
  return {};
}

void Application::Parts::make_api() {
  auth_api.emplace(*accounts, *sessions, *guard);
  users_api.emplace(*accounts);
  sessions_api.emplace(*sessions);
  admin_api.emplace(*accounts, *sessions);
  bulk_logout_api.emplace(*bulk_logouts);
  pages_api.emplace(*accounts);
  operations_api.emplace(metrics);
  idempotency.emplace(*database, clock, MacKey(master_key.derive("idempotency")));
  const auto described = api::routes(api::Apis{});
  const auto operations = api::operations_routes(nullptr);
  public_api.emplace(api::PublicApi::Parts{.database = *database,
                                           .feed = *feed,
                                           .keyring = *keyring,
                                           .limits = *limits,
                                           .process = process,
                                           .issuer = public_url,
                                           .jwks_url = public_url + "/.well-known/jwks.json",
                                           .openapi = api::openapi_document(described, public_url, kVersion),
                                           .docs_page = api::docs_page(described, operations, kVersion)});
  request_metrics.emplace(api::route_names(described));
  operations_metrics.emplace(api::route_names(operations));
  fill_metrics(metrics, MetricsSources{.requests = *request_metrics,
                                       .database = *database,
                                       .feed = *feed,
                                       .limits = *limits,
                                       .hash_pool = *hash_pool,
                                       .passwords = *passwords,
                                       .server = *server});
  const api::Apis apis{.auth = &*auth_api,
                       .users = &*users_api,
                       .sessions = &*sessions_api,
                       .admin = &*admin_api,
                       .bulk_logouts = &*bulk_logout_api,
                       .pages = &*pages_api,
                       .open = &*public_api};
  pipeline.emplace(make_pipeline(api::routes(apis), *request_metrics));
  operations_pipeline.emplace(make_pipeline(api::operations_routes(&*operations_api), *operations_metrics));
  keyring_watch.emplace(KeyringWatch::Parts{.database = *database,
                                            .master_key = master_key,
                                            .algorithm = algorithm_of(settings.tokens.algorithm),
                                            .clock = clock,
                                            .random = random,
                                            .published = *keyring});
  background.emplace(BackgroundWork::Parts{.database = *database,
                                           .feed = *feed,
                                           .keyring = *keyring_watch,
                                           .mail = *mail_worker,
                                           .sessions = *sessions,
                                           .bulk_logouts = *bulk_logouts,
                                           .accounts = *accounts,
                                           .idempotency = *idempotency,
                                           .process = process,
                                           .log = log});
}

api::Pipeline Application::Parts::make_pipeline(std::vector<api::Route> routes, RequestMetrics& figures) {
  const api::Pipeline::Parts with{.guard = *guard,
                                  .limits = *limits,
                                  .idempotency = *idempotency,
                                  .audit = *audit,
                                  .database = *database,
                                  .metrics = figures,
                                  .log = log,
                                  .clock = clock,
                                  .random = random};
  api::PipelineOptions options{.trusted_proxies = networks_of(settings.http.trusted_proxies),
                               .exempt_networks = networks_of(settings.limits.exempt_networks),
                               .cors_origins = settings.http.cors_origins};
  return api::Pipeline(with, std::move(routes), std::move(options));
}

void Application::Parts::listen() {
  auto options = listen_on(settings.http.listen);
  options.max_connections = settings.http.max_connections;
  if (settings.tls.is_enabled()) {
    options.tls = http::TlsFiles{settings.tls.certificate_file.string(), settings.tls.private_key_file.string()};
  }
  try {
    for (const auto& socket : http::take_inherited_sockets()) options.inherited_sockets.push_back(socket.descriptor);
    server = make_server(workers->request_loops(), std::move(options), pipeline);
    operations_server =
        make_server({&workers->background()}, listen_on(settings.http.operations_listen), operations_pipeline);
  } catch (const std::exception& error) {
    throw StartFailure(kExitFailed, error.what());
  }
}

std::unique_ptr<http::Server> Application::Parts::make_server(std::vector<EventLoop*> loops,
                                                              http::ServerOptions options,
                                                              std::optional<api::Pipeline>& answers) {
  // `answers` is filled before the server is started.
  return std::make_unique<http::Server>(
      std::move(loops), std::move(options), [&answers](http::Request& request) { return answers->answer(request); },
      [&answers](unsigned status, std::string_view detail) { return answers->refuse_unreadable(status, detail); },
      [this](std::string_view what, std::string_view cause) {
        log.event(LogLevel::warning, "server-failure", {{"what", what}, {"cause", cause}});
      });
}

void block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

}  // namespace safawinet::app
