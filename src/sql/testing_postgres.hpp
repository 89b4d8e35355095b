// For tests: a private PostgreSQL cluster in a temporary folder, one for the test program, and fresh databases on it.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/testing_folder.hpp"
#include "sql/postgres/migrate.hpp"

namespace safawinet::sql::testing {

class PostgresCluster {
 public:
  // Started at the first call, ended with the program.
  static PostgresCluster& shared() {
    static PostgresCluster cluster;
    return cluster;
  }

  ~PostgresCluster() {
    ::kill(server_, SIGINT);
    ::waitpid(server_, nullptr, 0);
  }
  PostgresCluster(const PostgresCluster&) = delete;
  PostgresCluster& operator=(const PostgresCluster&) = delete;

  [[nodiscard]] std::string url(const std::string& database) const {
    return "postgresql://postgres@/" + database + "?host=" + folder_;
  }
  [[nodiscard]] PostgresOptions options(const std::string& database) const {
    PostgresOptions made;
    made.url = url(database);
    return made;
  }

  // A copy of a database that has been migrated once. Its name.
  std::string create_database() {
    auto name = "test_" + std::to_string(++databases_);
    run_by_hand("postgres", "CREATE DATABASE " + name + " TEMPLATE migrated");
    return name;
  }
  void drop_database(const std::string& name) {
    run_by_hand("postgres", "DROP DATABASE IF EXISTS " + name + " WITH (FORCE)");
  }

  // Any number of statements, as somebody types them.
  void run_by_hand(const std::string& database, const std::string& script) const {
    const ConnectionHandle connection(PQconnectdb(url(database).c_str()));
    PQsetNoticeReceiver(connection.get(), [](void*, const PGresult*) {}, nullptr);
    PGresult* result = PQexec(connection.get(), script.c_str());
    const auto status = PQresultStatus(result);
    PQclear(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      throw std::runtime_error(PQerrorMessage(connection.get()));
    }
  }

 private:
  PostgresCluster() {
    if (geteuid() == 0) run({"chown", "postgres", folder_});
    run(as_postgres({programs() + "initdb", "--pgdata=" + data(), "--username=postgres", "--auth=trust", "--no-sync",
                     "--encoding=UTF8", "--locale=C.UTF-8"}));
    // Nothing here is tested for surviving a crash of the machine; those tests have clusters of their own.
    server_ = start(as_postgres({programs() + "postgres", "-D", data(), "-k", folder_, "-c", "listen_addresses=", "-c",
                                 "fsync=off", "-c", "max_connections=200", "-c", "shared_buffers=32MB"}));
    wait_until_it_answers();
    run_by_hand("postgres", "CREATE DATABASE migrated");
    migrate_postgres(options("migrated"));
  }

  void wait_until_it_answers() const {
    for (int i = 0; i < 3'000; ++i) {
      if (PQping(url("postgres").c_str()) == PQPING_OK) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    throw std::runtime_error("the PostgreSQL server does not start; its log is " + folder_ + "/log");
  }

  [[nodiscard]] std::string data() const { return folder_ + "/data"; }

  // The newest that is installed.
  static std::string programs() {
    std::vector<std::filesystem::path> versions;
    for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql")) versions.push_back(entry);
    if (versions.empty()) throw std::runtime_error("PostgreSQL is not installed: script/packages test");
    return (*std::ranges::max_element(versions) / "bin" / "").string();
  }

  // The server refuses to be root, and ends with us.
  static std::vector<std::string> as_postgres(std::vector<std::string> command) {
    std::vector<std::string> whole{"setpriv", "--pdeathsig=INT"};
    if (geteuid() == 0) whole.insert(whole.end(), {"--reuid=postgres", "--regid=postgres", "--clear-groups"});
    whole.insert(whole.end(), command.begin(), command.end());
    return whole;
  }

  [[nodiscard]] pid_t start(const std::vector<std::string>& command) const {
    const auto log = folder_ + "/log";
    auto words = command;
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const auto child = ::fork();
    if (child != 0) return child;
    const int output = ::open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0666);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    [[maybe_unused]] const int gone = ::chdir("/");
    ::execvp(arguments.front(), arguments.data());
    ::_exit(127);
  }

  void run(const std::vector<std::string>& command) const {
    int status = 0;
    ::waitpid(start(command), &status, 0);
    if (status != 0) throw std::runtime_error(command.front() + " failed; its log is " + folder_ + "/log");
  }

  safawinet::testing::TemporaryFolder temporary_;
  std::string folder_ = temporary_.path();
  pid_t server_ = -1;
  int databases_ = 0;
};

}  // namespace safawinet::sql::testing
