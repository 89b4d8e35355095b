// The server that the tests of test/http/ talk to: it answers every request with what the handler saw, as JSON, and
// writes the path of each request to standard error, so that a test can tell what ran.
//
//   safawinet_http_echo [--port N] [--loops N] [--certificate FILE --key FILE] [--max-connections N] [--timeout-ms N]
//                       [--drain-ms N]
//
// The first line on standard output is "listening HOST:PORT". SIGTERM and SIGINT drain.
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/json.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/encoding.hpp"
#include "http/listener.hpp"
#include "http/server.hpp"

namespace safawinet::http {
namespace {

using Arguments = std::map<std::string, std::string, std::less<>>;
using WorkGuard = boost::asio::executor_work_guard<Executor>;

constexpr int drain_milliseconds = 10'000;

int number_of(const Arguments& arguments, std::string_view name, int otherwise) {
  const auto found = arguments.find(name);
  if (found == arguments.end()) return otherwise;
  int number = 0;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) throw std::runtime_error("no number: " + text);
  return number;
}

std::optional<std::chrono::milliseconds> sleep_asked_for(std::string_view query) {
  constexpr std::string_view name = "sleep-ms=";
  if (!query.starts_with(name)) return std::nullopt;
  int milliseconds = 0;
  std::from_chars(query.data() + name.size(), query.data() + query.size(), milliseconds);
  return std::chrono::milliseconds(milliseconds);
}

std::string describe(const Request& request) {
  boost::json::array fields;
  for (const Field& field : request.fields) {
    fields.push_back(boost::json::array{boost::json::string(field.name), boost::json::string(field.value)});
  }
  const boost::json::object seen = {
      {"method", name_of(request.method)},
      {"target", request.target},
      {"path", request.path},
      {"query", request.query},
      {"fields", std::move(fields)},
      {"body", to_hex(as_bytes(request.body))},
      {"peer", request.peer.text()},
      {"encrypted", request.is_encrypted},
      {"gone", request.presence->has_gone()},
  };
  return boost::json::serialize(seen);
}

void note(const std::string& text) {
  const std::string line = text + "\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

constexpr std::chrono::hours for_ever{24};

// Three pieces, then the end.
Task<void> stream_pieces(BodySink& sink) {
  for (const std::string_view piece : {"one\n", "", "two\n", "three\n"}) co_await sink.send(piece);
}

// One piece, and then it waits until it is over.
Task<void> stream_and_wait(BodySink& sink) {
  bool goes_on = co_await sink.send("first\n");
  while (goes_on) goes_on = co_await sink.wait(for_ever);
  const bool is_sent = co_await sink.send("too late\n");
  note(is_sent ? "sent too late" : "ended /stream-waits");
}

// As fast as the client reads.
Task<void> stream_flood(BodySink& sink) {
  const std::string piece(64 * 1024, 'x');
  bool goes_on = true;
  std::size_t pieces = 0;
  while (goes_on) {
    goes_on = co_await sink.send(piece);
    ++pieces;
  }
  note("ended /stream-flood after " + std::to_string(pieces));
}

Task<void> stream_and_throw(BodySink& sink) {
  co_await sink.send("first\n");
  throw std::runtime_error("thrown by the producer");
}

// Goes on when another thread wakes it.
Task<void> stream_woken(BodySink& sink) {
  co_await sink.send("asleep\n");
  std::jthread other([wake = sink.waker()] { wake(); });
  const bool goes_on = co_await sink.wait(for_ever);
  if (goes_on) co_await sink.send("awake\n");
}

BodyProducer producer_of(std::string_view path) {
  if (path == "/stream") return &stream_pieces;
  if (path == "/stream-waits") return &stream_and_wait;
  if (path == "/stream-flood") return &stream_flood;
  if (path == "/stream-throws") return &stream_and_throw;
  if (path == "/stream-woken") return &stream_woken;
  return nullptr;
}

Task<Response> echo(Request& request) {
  if (request.path == "/plain") {
    Response response{.status = 200, .content_type = "text/plain", .body = "Hello\n"};
    co_return response;
  }
  note("ran " + std::string(request.path));
  if (const auto sleep = sleep_asked_for(request.query)) {
    Timer timer(co_await boost::asio::this_coro::executor, *sleep);
    boost::system::error_code ignored;
    co_await timer.async_wait(boost::asio::redirect_error(use_task, ignored));
  }
  if (request.path == "/throws") throw std::runtime_error("thrown by the handler");
  Response response{.status = 200, .content_type = "application/json", .body = describe(request)};
  if (auto producer = producer_of(request.path)) {
    response = {.status = 200, .content_type = "text/plain", .body = {}, .stream = std::move(producer)};
  }
  if (request.path == "/empty") response = {.status = 204, .content_type = {}, .body = {}};
  if (request.path == "/close") response.close = true;
  if (request.path == "/large") response.body.assign(8 * 1024 * 1024, 'x');
  if (request.path == "/split") response.with("X-Test", "one\r\nX-Injected: two");
  co_return response;
}

Response refuse(unsigned status, std::string_view detail) {
  return {.status = status, .content_type = "text/plain", .body = std::string(detail)};
}

std::optional<std::size_t> body_bytes_of(std::string_view path) {
  if (path == "/webhook") return 256 * 1024;
  return std::nullopt;
}

ServerOptions options_of(const Arguments& arguments) {
  ServerOptions options;
  options.port = static_cast<std::uint16_t>(number_of(arguments, "--port", 0));
  options.max_connections = static_cast<std::size_t>(number_of(arguments, "--max-connections", 10'000));
  options.limits.body_bytes_of = &body_bytes_of;
  if (arguments.contains("--timeout-ms")) {
    const std::chrono::milliseconds timeout(number_of(arguments, "--timeout-ms", 0));
    options.timeouts = {timeout, timeout, timeout, timeout, timeout, timeout};
  }
  if (arguments.contains("--certificate")) {
    options.tls =
        TlsFiles{.certificate_chain_file = arguments.at("--certificate"), .private_key_file = arguments.at("--key")};
  }
  for (const InheritedSocket& socket : take_inherited_sockets()) options.inherited_sockets.push_back(socket.descriptor);
  return options;
}

using Signals = boost::asio::basic_signal_set<Executor>;

Task<void> end_on_signal(Signals& signals, Server& server, std::chrono::milliseconds drain_at_most,
                         std::vector<WorkGuard>& guards, const std::vector<std::unique_ptr<EventLoop>>& loops) {
  co_await signals.async_wait(use_task);
  const bool has_ended = co_await server.drain(drain_at_most);
  std::cerr << (has_ended ? "drained" : "drain timed out") << std::endl;
  server.stop();
  guards.clear();
  // Handlers that sleep on would keep their loop running.
  if (!has_ended) {
    for (const auto& loop : loops) loop->stop();
  }
}

int run(const Arguments& arguments) {
  std::vector<std::unique_ptr<EventLoop>> loops;
  std::vector<EventLoop*> loop_pointers;
  std::vector<WorkGuard> guards;
  for (int index = 0; index < number_of(arguments, "--loops", 1); ++index) {
    loops.push_back(std::make_unique<EventLoop>(1));
    loop_pointers.push_back(loops.back().get());
    guards.emplace_back(loops.back()->get_executor());
  }
  Server server(loop_pointers, options_of(arguments), &echo, &refuse,
                [](std::string_view what, std::string_view cause) {
                  std::cerr << "failure " << what << ": " << cause << std::endl;
                });
  const std::chrono::milliseconds drain_at_most(number_of(arguments, "--drain-ms", drain_milliseconds));
  Signals signals(loops.front()->get_executor(), SIGTERM, SIGINT);
  boost::asio::co_spawn(*loops.front(), end_on_signal(signals, server, drain_at_most, guards, loops),
                        boost::asio::detached);
  server.start();
  std::cout << "listening " << server.address() << std::endl;
  std::vector<std::jthread> threads;
  for (const auto& loop : loops) threads.emplace_back([&loop] { loop->run(); });
  threads.clear();
  return 0;
}

}  // namespace
}  // namespace safawinet::http

int main(int count, char** values) {
  try {
    safawinet::http::Arguments arguments;
    for (int index = 1; index + 1 < count; index += 2) arguments[values[index]] = values[index + 1];
    return safawinet::http::run(arguments);
  } catch (const std::exception& error) {
    std::cerr << error.what() << std::endl;
    return 2;
  }
}
