// For tests: a Redis server of their own, and a peer that answers what it is told to.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/file.hpp"
#include "base/testing_folder.hpp"
#include "cache/redis/protocol.hpp"

namespace safawinet::testing {

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// A listening socket on a free port.
inline std::pair<int, std::uint16_t> listen_somewhere() {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto address = loopback(0);
  socklen_t size = sizeof(address);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener, 16) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no free port");
  }
  return {listener, ntohs(address.sin_port)};
}

// redis-server in a folder of its own, without persistence.
class RedisServer {
 public:
  explicit RedisServer(std::vector<std::string> options = {}) : options_(std::move(options)) {
    const auto [listener, port] = listen_somewhere();
    ::close(listener);
    port_ = port;
    start();
  }
  ~RedisServer() { kill(); }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }

  // Returns when it answers.
  void start() {
    std::vector<std::string> words{
        "redis-server", "--port", std::to_string(port_),   "--bind",    "127.0.0.1", "--save",      "",  "--appendonly",
        "no",           "--dir",  folder_.path().string(), "--logfile", "log",       "--daemonize", "no"};
    words.insert(words.end(), options_.begin(), options_.end());
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    process_ = ::fork();
    if (process_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // also when the test is killed
      ::execvp("redis-server", arguments.data());
      ::_exit(127);
    }
    for (int tries = 0; tries < 5'000; ++tries) {
      if (is_answering()) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    throw std::runtime_error("redis-server did not start");
  }

  void kill() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    process_ = 0;
  }
  void freeze() const { ::kill(process_, SIGSTOP); }
  void thaw() const { ::kill(process_, SIGCONT); }

  // Sends one command on a connection of its own. Arrays cannot be read.
  [[nodiscard]] redis::Reply ask(const std::vector<std::string_view>& words) const {
    const Descriptor connection(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = loopback(port_);
    if (::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      throw std::runtime_error("redis-server is not there");
    }
    const auto command = redis::format_command(words);
    if (::write(connection.get(), command.data(), command.size()) < 0) throw std::runtime_error("cannot write");
    redis::ReplyReader reader;
    char buffer[4096];
    for (;;) {
      if (auto reply = reader.next()) return *std::move(reply);
      const auto count = ::read(connection.get(), buffer, sizeof(buffer));
      if (count <= 0) throw std::runtime_error("redis-server closed the connection");
      reader.feed({buffer, static_cast<std::size_t>(count)});
    }
  }

  // The same, for what must succeed.
  void tell(const std::vector<std::string_view>& words) const {
    const auto reply = ask(words);
    if (reply.kind == redis::Reply::Kind::error) throw std::runtime_error(reply.text);
  }

 private:
  [[nodiscard]] bool is_answering() const {
    try {
      return !ask({"PING"}).text.empty();
    } catch (const std::exception&) {
      return false;
    }
  }

  std::vector<std::string> options_;
  TemporaryFolder folder_;
  std::uint16_t port_ = 0;
  pid_t process_ = 0;
};

// Listens, and answers whatever arrives with `first`, once on each connection, and with `then` after that. For what a
// real server cannot be made to say.
class ScriptedPeer {
 public:
  ScriptedPeer(std::string first, std::string then)
      : first_(std::move(first)), then_(std::move(then)), thread_([this] { serve(); }) {}
  ~ScriptedPeer() {
    is_over_ = true;
    ::shutdown(listening_.first, SHUT_RDWR);
    thread_.join();
    ::close(listening_.first);
  }
  ScriptedPeer(const ScriptedPeer&) = delete;
  ScriptedPeer& operator=(const ScriptedPeer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return listening_.second; }

 private:
  void serve() {
    while (!is_over_) {
      const Descriptor connection(::accept4(listening_.first, nullptr, nullptr, SOCK_CLOEXEC));
      if (connection.get() < 0) continue;
      const timeval patience{.tv_sec = 0, .tv_usec = 20'000};
      ::setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
      ::setsockopt(connection.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
      answer(connection.get());
    }
  }

  void answer(int connection) const {
    bool is_first = true;
    char buffer[4096];
    while (!is_over_) {
      const auto count = ::recv(connection, buffer, sizeof(buffer), 0);
      if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (count <= 0) return;
      const auto& words = is_first ? first_ : then_;
      is_first = false;
      if (::send(connection, words.data(), words.size(), MSG_NOSIGNAL) < 0) return;
    }
  }

  const std::string first_;
  const std::string then_;
  const std::pair<int, std::uint16_t> listening_ = listen_somewhere();
  std::atomic<bool> is_over_{false};
  std::thread thread_;  // the last: it uses the others
};

}  // namespace safawinet::testing
