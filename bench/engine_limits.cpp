// What the libraries below the server can do in a tight loop, with nothing of ours around them:
//   rotations  SQLite: the rotation UPDATE of a session, committed in batches (WAL, synchronous=FULL)
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
#include <filesystem>
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

// The tables that rotation touches, shaped as in the server's migrations.
constexpr const char* kSchema = R"sql(
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE users (
  id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE COLLATE NOCASE, is_active INTEGER NOT NULL DEFAULT 1,
  role TEXT NOT NULL DEFAULT 'customer', token_version INTEGER NOT NULL DEFAULT 1) WITHOUT ROWID;
CREATE TABLE session_epoch (one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL);
INSERT INTO session_epoch VALUES (1, 1);
CREATE TABLE refresh_sessions (
  id TEXT PRIMARY KEY, user_id TEXT NOT NULL, epoch INTEGER NOT NULL, generation INTEGER NOT NULL DEFAULT 1,
  created_at TEXT NOT NULL, rotated_at TEXT NOT NULL, expires_at TEXT NOT NULL, ends_at TEXT NOT NULL,
  network TEXT, device TEXT) WITHOUT ROWID;
CREATE INDEX refresh_sessions_user ON refresh_sessions (user_id);
CREATE TRIGGER session_expired AFTER UPDATE OF expires_at ON refresh_sessions
  WHEN NEW.expires_at < OLD.expires_at AND NEW.expires_at <= strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z' BEGIN
  DELETE FROM refresh_sessions WHERE id = NEW.id;
END;)sql";

constexpr const char* kInsertUser = "INSERT INTO users (id, email) VALUES (?1, ?1 || '@example.com')";
constexpr const char* kInsertSession =
    "INSERT INTO refresh_sessions VALUES (?1, ?2, 1, 1, ?3, ?3, '2099-01-01T00:00:00.000000Z',"
    " '2099-01-01T00:00:00.000000Z', '127.0.0.0/24', 'Firefox on Debian')";
// SQLite's RETURNING sees the updated table only, so what the access token says of the user is looked up beside it.
constexpr const char* kRotate =
    "UPDATE refresh_sessions SET generation = generation + 1, rotated_at = ?3, expires_at = min(?4, ends_at)"
    " FROM users, session_epoch WHERE refresh_sessions.id = ?1 AND generation = ?2 AND expires_at > ?3"
    " AND refresh_sessions.epoch = session_epoch.epoch AND users.id = user_id AND users.is_active"
    " RETURNING user_id, generation, epoch, ends_at, (SELECT role FROM users WHERE users.id = user_id),"
    " (SELECT token_version FROM users WHERE users.id = user_id)";
constexpr const char* kNow = "2026-01-01T00:00:00.000000Z";
constexpr const char* kLater = "2027-01-01T00:00:00.000000Z";

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

  void bind(int index, const std::string& text) {
    sqlite3_bind_text(statement_, index, text.data(), static_cast<int>(text.size()), nullptr);  // nullptr: not copied
  }
  void bind(int index, std::int64_t number) { sqlite3_bind_int64(statement_, index, number); }
  // Runs to the end; how many rows came back.
  int run() {
    int rows = 0;
    int code = SQLITE_ROW;
    while ((code = sqlite3_step(statement_)) == SQLITE_ROW) ++rows;
    sqlite3_reset(statement_);
    if (code != SQLITE_DONE) throw std::runtime_error(sqlite3_errstr(code));
    return rows;
  }

 private:
  sqlite3_stmt* statement_ = nullptr;
};

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

Database open_empty(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "engine-limits.db";
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file.string() + suffix);
  sqlite3* raw = nullptr;
  const int code = sqlite3_open(file.c_str(), &raw);
  Database database(raw);
  if (code != SQLITE_OK || sqlite3_exec(raw, kSchema, nullptr, nullptr, nullptr) != SQLITE_OK) {
    throw std::runtime_error("cannot make " + file.string());
  }
  return database;
}

std::string id_of(std::string_view kind, std::size_t number) {
  std::string id = "0198c0de-0000-7000-8000-";
  const std::string digits = std::to_string(number);
  return id.append(kind).append(11 - digits.size(), '0').append(digits);
}

// Rotations per second when `batch` of them share a commit.
double measure_rotations(sqlite3* database, std::vector<std::int64_t>& generations, std::size_t batch, double seconds) {
  Statement begin(database, "BEGIN IMMEDIATE");
  Statement commit(database, "COMMIT");
  Statement rotate(database, kRotate);
  std::mt19937_64 random(batch);
  const std::string now = kNow;
  const std::string later = kLater;
  std::uint64_t done = 0;
  const Clock::time_point start = Clock::now();
  while (seconds_since(start) < seconds) {
    begin.run();
    for (std::size_t count = 0; count < batch; ++count) {
      const std::size_t session = random() % generations.size();
      const std::string id = id_of("5", session);
      rotate.bind(1, id);
      rotate.bind(2, generations[session]++);
      rotate.bind(3, now);
      rotate.bind(4, later);
      if (rotate.run() != 1) throw std::runtime_error("a rotation found no session");
    }
    commit.run();
    done += batch;
  }
  return static_cast<double>(done) / seconds_since(start);
}

boost::json::object rotations(const std::string& folder, std::size_t sessions, std::size_t users,
                              const std::vector<std::size_t>& batches, double seconds) {
  const Database database = open_empty(folder);
  Statement(database.get(), "BEGIN").run();
  Statement insert_user(database.get(), kInsertUser);
  for (std::size_t user = 0; user < users; ++user) {
    const std::string id = id_of("1", user);
    insert_user.bind(1, id);
    insert_user.run();
  }
  Statement insert_session(database.get(), kInsertSession);
  for (std::size_t session = 0; session < sessions; ++session) {
    const std::string id = id_of("5", session);
    const std::string user_id = id_of("1", session % users);
    const std::string now = kNow;
    insert_session.bind(1, id);
    insert_session.bind(2, user_id);
    insert_session.bind(3, now);
    insert_session.run();
  }
  Statement(database.get(), "COMMIT").run();

  std::vector<std::int64_t> generations(sessions, 1);
  boost::json::object result;
  for (const std::size_t batch : batches) {
    result[std::to_string(batch)] = measure_rotations(database.get(), generations, batch, seconds);
  }
  return {{"sessions", sessions}, {"rotationsPerSecondByBatch", std::move(result)}};
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
  std::string folder;
  std::size_t sessions = 10'000;
  std::size_t users = 1'000;
  std::vector<std::size_t> batches{16, 32, 64};
  std::size_t threads = std::thread::hardware_concurrency();
  CLI::App* rotations = app.add_subcommand("rotations", "batched commits of the rotation UPDATE");
  rotations->add_option("--folder", folder, "where the database is made")->required()->check(CLI::ExistingDirectory);
  rotations->add_option("--sessions", sessions)->check(CLI::Range(1, 1'000'000));
  rotations->add_option("--users", users)->check(CLI::Range(1, 1'000'000));
  rotations->add_option("--batch", batches, "rotations per commit, several may be given")->check(CLI::Range(1, 4096));
  rotations->add_option("--seconds", seconds, "for each batch size")->check(CLI::Range(0.1, 60.0));
  CLI::App* hashes = app.add_subcommand("hashes", "argon2id, m=19 MiB, t=2, p=1");
  hashes->add_option("--threads", threads)->check(CLI::Range(1, 64));
  hashes->add_option("--seconds", seconds)->check(CLI::Range(0.1, 60.0));
  CLI11_PARSE(app, argc, argv);
  try {
    if (sodium_init() < 0) throw std::runtime_error("libsodium does not start");
    std::cout << boost::json::serialize(*rotations
                                            ? safawinet::bench::rotations(folder, sessions, users, batches, seconds)
                                            : safawinet::bench::hashes(threads, seconds))
              << std::endl;
  } catch (const std::exception& error) {
    std::cerr << "safawinet_engine_limits: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
