// The peer of GET /v1/users/me: what Boost.Beast alone does with the same answer. One event loop per core, each
// accepting through SO_REUSEPORT, one coroutine per connection that reads a request and answers 200 with a fixed body.
// No routing, no token, no deadline, no log: what a server built on Beast cannot be faster than without leaving Beast.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/task.hpp"

namespace safawinet::bench {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Protocol = asio::ip::tcp;
using Stream = asio::basic_stream_socket<Protocol, Executor>;
using Acceptor = asio::basic_socket_acceptor<Protocol, Executor>;
using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

// Ends by an exception when the client goes, which co_spawn's `detached` drops: the normal end of a connection here.
Task<void> serve(Stream stream, const std::string& body) {
  boost::beast::flat_buffer buffer;
  for (;;) {
    http::request<http::string_body> request;
    co_await http::async_read(stream, buffer, request, use_task);
    http::response<http::string_body> response(http::status::ok, request.version());
    response.set(http::field::server, "bare-beast");
    response.set(http::field::content_type, "application/json");
    response.keep_alive(request.keep_alive());
    response.body() = body;
    response.prepare_payload();
    co_await http::async_write(stream, response, use_task);
    if (!response.keep_alive()) co_return;
  }
}

Task<void> accept(Acceptor acceptor, const std::string& body) {
  for (;;) {
    Stream stream = co_await acceptor.async_accept(use_task);
    stream.set_option(Protocol::no_delay(true));
    const Executor executor = stream.get_executor();
    asio::co_spawn(executor, serve(std::move(stream), body), asio::detached);
  }
}

Acceptor listen(EventLoop& loop, std::uint16_t port) {
  const Protocol::endpoint endpoint(asio::ip::address_v4::loopback(), port);
  Acceptor acceptor(loop.get_executor());
  acceptor.open(endpoint.protocol());
  acceptor.set_option(asio::socket_base::reuse_address(true));
  acceptor.set_option(ReusePort(true));
  acceptor.bind(endpoint);
  acceptor.listen();
  return acceptor;
}

std::string read_whole(const std::string& file) {
  std::ifstream input(file, std::ios::binary);
  if (!input) throw std::runtime_error("cannot read " + file);
  return {std::istreambuf_iterator<char>(input), std::istreambuf_iterator<char>()};
}

void run(std::uint16_t port, std::size_t loop_count, const std::string& body) {
  std::vector<std::unique_ptr<EventLoop>> loops;
  for (std::size_t number = 0; number < loop_count; ++number) {
    loops.push_back(std::make_unique<EventLoop>(1));
    Acceptor acceptor = listen(*loops.back(), port);
    if (port == 0) port = acceptor.local_endpoint().port();
    asio::co_spawn(loops.back()->get_executor(), accept(std::move(acceptor), body), asio::detached);
  }
  asio::signal_set signals(*loops.front(), SIGTERM, SIGINT);
  signals.async_wait([&loops](const boost::system::error_code&, int) {
    for (const auto& loop : loops) loop->stop();
  });
  std::cout << "127.0.0.1:" << port << std::endl;

  std::vector<std::jthread> threads;
  for (std::size_t number = 1; number < loop_count; ++number) {
    threads.emplace_back([&loop = *loops[number]] { loop.run(); });
  }
  loops.front()->run();
}

}  // namespace
}  // namespace safawinet::bench

int main(int argc, char** argv) {
  CLI::App app("Answers every request with one body; prints the address that it listens on.");
  std::string body_file;
  std::uint16_t port = 0;
  std::size_t loops = std::thread::hardware_concurrency();
  app.add_option("--body", body_file, "file with the body of every answer")->required();
  app.add_option("--port", port, "on 127.0.0.1; 0 picks a free one");
  app.add_option("--loops", loops, "event loops")->check(CLI::Range(1, 64));
  CLI11_PARSE(app, argc, argv);
  try {
    safawinet::bench::run(port, loops, safawinet::bench::read_whole(body_file));
  } catch (const std::exception& error) {
    std::cerr << "safawinet_bare_beast: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
