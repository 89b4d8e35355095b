#include "app/application.hpp"

#include <signal.h>

#include <boost/asio/co_spawn.hpp>

#include <future>
#include <optional>
#include <utility>

#include "api/routes.hpp"
#include "app/metrics_page.hpp"
#include "app/services.hpp"
#include "app/start_failure.hpp"
#include "app/storage.hpp"
#include "app/version.hpp"
#include "base/run_task.hpp"
#include "http/listener.hpp"
#include "http/server.hpp"

namespace safawinet::app {
namespace {

http::ServerOptions listen_on(const config::ListenAddress& address) {
  http::ServerOptions options;
  options.host = address.host;
  options.port = address.port;
  return options;
}

}  // namespace

// Members are made in this order. They end in the order that ~Application says.
struct Application::Parts {
  explicit Parts(const config::Settings& settings) : services(settings, Purpose::serving) {}

  Services services;
  std::optional<api::OperationsApi> operations_api;
  std::optional<RequestMetrics> operations_metrics;
  Metrics metrics;
  std::optional<api::Pipeline> operations_pipeline;
  std::unique_ptr<http::Server> server;
  std::unique_ptr<http::Server> operations_server;

  void listen();
  void make_operations();

  std::unique_ptr<http::Server> make_server(std::vector<EventLoop*> loops, http::ServerOptions options,
                                            std::optional<api::Pipeline>& answers);
};

Application::Application(const config::Settings& settings) : parts_(std::make_unique<Parts>(settings)) {
  auto& services = parts_->services;
  // The address is needed first: without a public URL in the settings, the links in mails have the port that was bound.
  // Clients wait in the backlog until run().
  parts_->listen();
  services.make(parts_->server->port());
  services.make_first_administrator();
  services.make_api();
  parts_->make_operations();
}

Application::~Application() {
  if (!parts_) return;
  // Threads first, so that nothing runs any more; what posts to the loops; then the loops, with the coroutines that
  // still wait in them and refer to the services; then the services.
  if (parts_->server) parts_->server->stop();
  if (parts_->operations_server) parts_->operations_server->stop();
  parts_->services.stop();
  parts_->server.reset();
  parts_->operations_server.reset();
  parts_->services.workers.reset();
}

void Application::run() {
  auto& parts = *parts_;
  auto& services = parts.services;
  auto& log = services.log;
  run_task(services.workers->background(), services.feed->catch_up());
  services.connect_to_cache();
  services.background->start(*services.workers);
  services.workers->start();
  parts.server->start();
  parts.operations_server->start();
  log.event(LogLevel::info, "listening",
            {{"address", parts.server->address()},
             {"operationsAddress", parts.operations_server->address()},
             {"publicUrl", services.public_url},
             {"version", kVersion},
             {"database", engine_name(services.settings)},
             {"dataDir", services.settings.storage.data_dir.string()},
             {"mailDir", services.settings.mail.directory.string()}});

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  int signal = 0;
  sigwait(&signals, &signal);
  log.event(LogLevel::info, "draining", {{"signal", std::string_view(signal == SIGTERM ? "SIGTERM" : "SIGINT")}});
  services.process.is_draining = true;

  auto drained = std::make_shared<std::promise<bool>>();
  auto is_drained = drained->get_future();
  auto drain = [&parts, &services]() -> Task<bool> {
    const auto at_most = std::chrono::duration_cast<std::chrono::milliseconds>(services.settings.http.drain);
    co_return co_await parts.server->drain(at_most);
  };
  boost::asio::co_spawn(services.workers->background(), drain, [drained](std::exception_ptr failure, bool all_ended) {
    drained->set_value(!failure && all_ended);
  });
  constexpr timespec kPoll{.tv_sec = 0, .tv_nsec = 20'000'000};
  bool is_second_signal = false;
  while (is_drained.wait_for(std::chrono::seconds(0)) != std::future_status::ready && !is_second_signal) {
    is_second_signal = sigtimedwait(&signals, nullptr, &kPoll) > 0;
  }
  const bool all_ended = !is_second_signal && is_drained.get();
  // Whatever was done is in the chain and under a signature before the process ends, if the database lets it.
  if (all_ended) services.background->close_mail(*services.workers);
  if (all_ended) services.background->close_audit(*services.workers);
  log.event(all_ended ? LogLevel::info : LogLevel::warning, "stopped", {{"drained", all_ended}});
}

void Application::Parts::make_operations() {
  operations_api.emplace(metrics);
  auto operations = api::operations_routes(&*operations_api);
  operations_metrics.emplace(api::route_names(operations));
  fill_metrics(metrics, MetricsSources{.requests = *services.request_metrics,
                                       .database = *services.database,
                                       .feed = *services.feed,
                                       .resource_servers = *services.resource_servers_api,
                                       .limits = *services.limits,
                                       .hash_pool = *services.hash_pool,
                                       .passwords = *services.passwords,
                                       .under_attack = *services.under_attack,
                                       .audit = *services.audit,
                                       .mode = services.mode_in_force,
                                       .process = services.process,
                                       .mail_hold = services.mail_hold,
                                       .server = *server});
  operations_pipeline.emplace(services.make_pipeline(std::move(operations), *operations_metrics));
}

void Application::Parts::listen() {
  const auto& settings = services.settings;
  auto options = listen_on(settings.http.listen);
  options.max_connections = settings.http.max_connections;
  options.limits.body_bytes_of = [](std::string_view path) {
    return path == api::kSesEventsPath ? std::optional(api::kSnsBodyBytes) : std::nullopt;
  };
  if (settings.tls.is_enabled()) {
    options.tls = http::TlsFiles{settings.tls.certificate_file.string(), settings.tls.private_key_file.string()};
  }
  try {
    for (const auto& socket : http::take_inherited_sockets()) options.inherited_sockets.push_back(socket.descriptor);
    server = make_server(services.workers->request_loops(), std::move(options), services.pipeline);
    operations_server =
        make_server({&services.workers->background()}, listen_on(settings.http.operations_listen), operations_pipeline);
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
        services.log.event(LogLevel::warning, "server-failure", {{"what", what}, {"cause", cause}});
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
