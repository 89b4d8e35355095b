// What the libraries below the server can do in a tight loop, with nothing of ours around them:
//   rotations  SQLite: the rotation UPDATE of a session on a copy of the server's database, committed in batches
//   hashes     libsodium: argon2id at the server's cost (m=19 MiB, t=2, p=1), verified on N threads
// One JSON object on stdout.
#include <sodium.h>
#include <sqlite3.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <atomic>
#include <boost/json.hpp>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace safawinet::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// As the server's writer opens its database.
constexpr const char* kSettings =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -16000;";

// The statement of src/sessions/session_store.cpp.
constexpr const char* kRotate =
    "UPDATE refresh_sessions "
    "SET generation = generation + 1, rotated_at = $3, expires_at = min(ends_at, $4), ip_address = $5 "
    "WHERE id = $1 AND generation = $2 AND expires_at > $3 AND epoch = (SELECT epoch FROM session_epoch) "
    "AND (SELECT is_active FROM users WHERE users.id = refresh_sessions.user_id) "
    "RETURNING user_id, generation, epoch, created_at, expires_at, "
    "(SELECT role FROM users WHERE users.id = refresh_sessions.user_id), "
    "(SELECT token_version FROM users WHERE users.id = refresh_sessions.user_id)";
constexpr const char* kLivingSessions =
    "SELECT id, generation FROM refresh_sessions WHERE epoch = (SELECT epoch FROM session_epoch) "
    "AND expires_at > strftime('%Y-%m-%dT%H:%M:%f', 'now', '+1 hour')";
constexpr const char* kTimes =
    "SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z', strftime('%Y-%m-%dT%H:%M:%f', 'now', '+14 days') || '000Z'";

constexpr std::size_t kHashMemoryBytes = std::size_t{19} * 1024 * 1024;
constexpr unsigned long long kHashPasses = 2;

class Statement {
 public:
  Statement(sqlite3* database, const char* sql) {
    if (sqlite3_prepare_v2(database, sql, -1, &statement_, nullptr) != SQLITE_OK) {
      throw std::runtime_error(sqlite3_errmsg(database));
    }
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() { sqlite3_finalize(statement_); }

  // Parameters by name, since SQLite numbers them by first appearance. Text is not copied: it must outlive the run.
  void bind(const char* name, const std::string& text) {
    sqlite3_bind_text(statement_, index_of(name), text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  }
  void bind(const char* name, std::int64_t number) { sqlite3_bind_int64(statement_, index_of(name), number); }
  // Whether there is a row; after the last one the statement can run again.
  bool step() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    sqlite3_reset(statement_);
    if (code != SQLITE_DONE) throw std::runtime_error(sqlite3_errstr(code));
    return false;
  }
  // Runs to the end; how many rows came back.
  int run() {
    int rows = 0;
    while (step()) ++rows;
    return rows;
  }
  [[nodiscard]] std::string text(int column) const {
    return reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  }
  [[nodiscard]] std::int64_t number(int column) const { return sqlite3_column_int64(statement_, column); }

 private:
  [[nodiscard]] int index_of(const char* name) const { return sqlite3_bind_parameter_index(statement_, name); }

  sqlite3_stmt* statement_ = nullptr;
};

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

Database open(const std::string& file) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(raw);
  if (code != SQLITE_OK || sqlite3_exec(raw, kSettings, nullptr, nullptr, nullptr) != SQLITE_OK) {
    throw std::runtime_error("cannot open " + file);
  }
  return database;
}

struct Session {
  std::string id;
  std::int64_t generation = 0;
};

std::vector<Session> living_sessions(sqlite3* database) {
  std::vector<Session> sessions;
  Statement list(database, kLivingSessions);
  while (list.step()) sessions.push_back({.id = list.text(0), .generation = list.number(1)});
  if (sessions.empty()) throw std::runtime_error("the database has no living session");
  return sessions;
}

// Rotations per second when `batch` of them share a commit.
double measure_rotations(sqlite3* database, std::vector<Session>& sessions, std::size_t batch, double seconds) {
  Statement begin(database, "BEGIN IMMEDIATE");
  Statement commit(database, "COMMIT");
  Statement times(database, kTimes);
  times.step();
  const std::string now = times.text(0);
  const std::string later = times.text(1);
  times.run();
  const std::string address = "127.0.0.1";
  Statement rotate(database, kRotate);
  rotate.bind("$3", now);
  rotate.bind("$4", later);
  rotate.bind("$5", address);
  std::mt19937_64 random(batch);
  std::uint64_t done = 0;
  const Clock::time_point start = Clock::now();
  while (seconds_since(start) < seconds) {
    begin.run();
    for (std::size_t count = 0; count < batch; ++count) {
      Session& session = sessions[random() % sessions.size()];
      rotate.bind("$1", session.id);
      rotate.bind("$2", session.generation++);
      if (rotate.run() != 1) throw std::runtime_error("a rotation found no session");
    }
    commit.run();
    done += batch;
  }
  return static_cast<double>(done) / seconds_since(start);
}

boost::json::object rotations(const std::string& file, const std::vector<std::size_t>& batches, double seconds) {
  const Database database = open(file);
  std::vector<Session> sessions = living_sessions(database.get());
  boost::json::object result;
  for (const std::size_t batch : batches) {
    result[std::to_string(batch)] = measure_rotations(database.get(), sessions, batch, seconds);
  }
  return {{"sessions", sessions.size()}, {"rotationsPerSecondByBatch", std::move(result)}};
}

boost::json::object hashes(std::size_t thread_count, double seconds) {
  const std::string password = "correct horse battery staple";
  std::string stored(crypto_pwhash_STRBYTES, '\0');
  if (crypto_pwhash_str_alg(stored.data(), password.data(), password.size(), kHashPasses, kHashMemoryBytes,
                            crypto_pwhash_ALG_ARGON2ID13) != 0) {
    throw std::runtime_error("hashing failed");
  }
  std::atomic<std::uint64_t> done = 0;
  const Clock::time_point start = Clock::now();
  {
    std::vector<std::jthread> threads;
    threads.reserve(thread_count);
    for (std::size_t thread = 0; thread < thread_count; ++thread) {
      threads.emplace_back([&] {
        while (seconds_since(start) < seconds) {
          if (crypto_pwhash_str_verify(stored.data(), password.data(), password.size()) != 0) std::terminate();
          ++done;
        }
      });
    }
  }
  return {{"threads", thread_count}, {"hashesPerSecond", static_cast<double>(done) / seconds_since(start)}};
}

}  // namespace
}  // namespace safawinet::bench

int main(int argc, char** argv) {
  CLI::App app("Measures what SQLite and libsodium do in a tight loop; JSON on stdout.");
  app.require_subcommand(1);
  double seconds = 3;
  std::string file;
  std::vector<std::size_t> batches{16, 32, 64};
  std::size_t threads = std::thread::hardware_concurrency();
  CLI::App* rotations = app.add_subcommand("rotations", "batched commits of the rotation UPDATE");
  rotations->add_option("--database", file, "a copy of a server's database, which is changed")
      ->required()
      ->check(CLI::ExistingFile);
  rotations->add_option("--batch", batches, "rotations per commit, several may be given")->check(CLI::Range(1, 4096));
  rotations->add_option("--seconds", seconds, "for each batch size")->check(CLI::Range(0.1, 60.0));
  CLI::App* hashes = app.add_subcommand("hashes", "argon2id, m=19 MiB, t=2, p=1");
  hashes->add_option("--threads", threads)->check(CLI::Range(1, 64));
  hashes->add_option("--seconds", seconds)->check(CLI::Range(0.1, 60.0));
  CLI11_PARSE(app, argc, argv);
  try {
    if (sodium_init() < 0) throw std::runtime_error("libsodium does not start");
    std::cout << boost::json::serialize(*rotations ? safawinet::bench::rotations(file, batches, seconds)
                                                   : safawinet::bench::hashes(threads, seconds))
              << std::endl;
  } catch (const std::exception& error) {
    std::cerr << "safawinet_engine_limits: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
