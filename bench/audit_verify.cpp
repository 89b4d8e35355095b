// How long it takes to verify the whole audit log, beside reading the same rows without looking at them.
// One JSON object on stdout.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <array>
#include <boost/json.hpp>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

#include "audit/audit_chain.hpp"
#include "base/run_task.hpp"
#include "new_database.hpp"

namespace safawinet::bench {
namespace {

constexpr int kEntriesOfOneTransaction = 1'000;
constexpr sql::ConnectionBudget kConnections{.shared = 1, .transactions = 2};

struct Options {
  std::string sqlite_file;
  std::string postgres_url;
  std::int64_t entries = 1'000'000;
  int repetitions = 3;
};

class Bench {
 public:
  explicit Bench(const Options& options)
      : options_(options), database_(make_database(options.sqlite_file, options.postgres_url, kConnections, loop_)) {}

  boost::json::object run() {
    fill();
    boost::json::array read;
    boost::json::array verified;
    boost::json::array processor;
    for (int i = 0; i < options_.repetitions; ++i) {
      read.emplace_back(seconds_of([this] { return read_all(); }));
      const auto before = std::clock();
      verified.emplace_back(seconds_of([this] { return verify_all(); }));
      processor.emplace_back(static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC);
    }
    return {{"entries", options_.entries},
            {"readSeconds", read},
            {"verifySeconds", verified},
            {"verifyProcessorSeconds", processor}};
  }

 private:
  void fill() {
    for (std::int64_t done = 0; done < options_.entries; done += kEntriesOfOneTransaction) {
      auto body = [this](sql::Transaction& transaction) -> Task<Result<bool>> {
        for (int i = 0; i < kEntriesOfOneTransaction; ++i) {
          AuditEntry entry{
              .action = "user.logged-in",
              .outcome = AuditOutcome::done,
              .actor = Actor::user(UserId::make(clock_, random_)),
              .target = "session:" + UserId::make(clock_, random_).text(),
              .reason = {},
              .origin = {.ip_address = "192.0.2.8", .network = {}, .user_agent = {}, .request_id = "abcdefghijklmnop"}};
          co_await audit_.record(transaction, std::move(entry));
        }
        co_return true;
      };
      run_task(loop_, database_->transact(std::move(body)));
      run_task(loop_, chain_.link_waiting());
    }
  }

  template <class Work>
  double seconds_of(const Work& work) {
    const auto began = std::chrono::steady_clock::now();
    if (work() != options_.entries) throw std::runtime_error("not every entry was there");
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  }

  std::int64_t read_all() {
    std::int64_t rows = 0;
    std::int64_t after = 0;
    for (;;) {
      const auto page = run_task(loop_, store_.linked(*database_, after, AuditStore::kReadAtOnce));
      if (page.empty()) return rows;
      rows += static_cast<std::int64_t>(page.size());
      after = page.back().position;
    }
  }

  std::int64_t verify_all() {
    std::int64_t rows = 0;
    std::optional<std::int64_t> from;
    for (;;) {
      const auto verified = run_task(loop_, chain_.verify(from, {}));
      if (!verified.findings.empty()) throw std::runtime_error("a finding: " + verified.findings.front().detail);
      rows += verified.rows;
      if (verified.is_complete) return rows;
      from = verified.verified_up_to + 1;
    }
  }

  Options options_;
  SystemClock clock_;
  SystemRandom random_;
  EventLoop loop_{1};
  std::unique_ptr<sql::Database> database_;
  AuditKeys keys_{.entries = MacKey(key(1)), .chain = MacKey(key(2))};
  CheckpointKey checkpoint_key_{key(3)};
  AuditLog audit_{clock_, random_, keys_.entries};
  AuditStore store_;
  AuditChain chain_{AuditChain::Parts{.database = *database_,
                                      .audit = audit_,
                                      .clock = clock_,
                                      .slow_loop = loop_,
                                      .keys = keys_,
                                      .checkpoint_key = checkpoint_key_}};
};

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Verifies an audit log that it makes"};
  auto* where = app.add_option_group("where");
  where->add_option("--sqlite", options.sqlite_file, "a new file");
  where->add_option("--postgres", options.postgres_url, "an empty database");
  where->require_option(1);
  app.add_option("--entries", options.entries, "how many")->check(CLI::PositiveNumber);
  app.add_option("--repetitions", options.repetitions, "how often")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  try {
    Bench bench(options);
    std::cout << bench.run() << '\n';
    return 0;
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << '\n';
    return 1;
  }
}

}  // namespace
}  // namespace safawinet::bench

int main(int argc, char** argv) { return safawinet::bench::main(argc, argv); }
