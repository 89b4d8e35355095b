#include "app/local_api.hpp"

#include <signal.h>

#include <boost/asio/co_spawn.hpp>

#include <future>
#include <stdexcept>
#include <utility>

#include "access/operator.hpp"
#include "app/services.hpp"
#include "app/start_failure.hpp"
#include "base/run_task.hpp"
#include "base/signals_blocked.hpp"

namespace safawinet::app {
namespace {

sigset_t all_signals() {
  sigset_t all;
  sigfillset(&all);
  return all;
}

}  // namespace

struct LocalApi::Parts {
  Parts(const config::Settings& settings, const std::string& account)
      : acting(Operator::local(account)), services(settings, Purpose::one_command) {}

  Operator acting;
  Services services;
};

LocalApi::LocalApi(const config::Settings& settings, const std::string& account) {
  // Signals are for the thread that waits for answers, not for the loops.
  const SignalsBlocked while_threads_are_made(all_signals());
  parts_ = std::make_unique<Parts>(settings, account);
  auto& services = parts_->services;
  services.make(settings.http.listen.port);
  services.make_api();
  try {
    run_task(services.workers->background(), services.feed->catch_up());
  } catch (const Unavailable& error) {
    throw StartFailure(kExitFailed, error.what());
  }
  services.background->start_for_a_command(*services.workers);
  services.workers->start();
}

LocalApi::~LocalApi() {
  auto& services = parts_->services;
  services.background->close_audit_of_a_command(*services.workers);
}

http::Response LocalApi::answer(http::Method method, std::string_view target, std::string_view body,
                                std::string_view idempotency_key) {
  const auto question = target.find('?');
  http::Request request;
  request.method = method;
  request.target = target;
  request.path = target.substr(0, question);
  request.query = question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
  request.body = body;
  request.peer = IpAddress{.bytes = {127, 0, 0, 1}, .is_v6 = false};
  if (!body.empty()) request.fields.push_back({"Content-Type", "application/json"});
  if (!idempotency_key.empty()) request.fields.push_back({"Idempotency-Key", idempotency_key});

  std::promise<http::Response> promise;
  auto answered = promise.get_future();
  auto& loop = *parts_->services.workers->request_loops().front();
  boost::asio::co_spawn(loop, parts_->services.pipeline->answer_local(request, parts_->acting),
                        [&promise](std::exception_ptr failure, http::Response response) {
                          if (failure) {
                            promise.set_exception(failure);
                          } else {
                            promise.set_value(std::move(response));
                          }
                        });
  return answered.get();
}

}  // namespace safawinet::app
