#include "sql/postgres/migrate.hpp"

#include <stdexcept>
#include <utility>

#include "sql/postgres/failure.hpp"
#include "sql/postgres/result.hpp"

namespace safawinet::sql {
namespace {

constexpr int kLeastServerVersion = 150000;
constexpr int kPoolerTries = 5;
constexpr std::chrono::minutes kMigrationTimeout{30};  // of one statement, or of the wait for another node

// One connection for questions at start.
class Session {
 public:
  explicit Session(const PostgresOptions& options) : opened_(open_connection(options)) {
    PQsetNoticeReceiver(handle(), [](void*, const PGresult*) {}, nullptr);
  }

  // One statement or several; the answer of the last.
  Rows run(const std::string& text) {
    const ResultHandle result(PQexec(handle(), text.c_str()));
    const auto status = PQresultStatus(result.get());
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return to_rows(*result);
    const char* sqlstate = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    const char* message = PQresultErrorField(result.get(), PG_DIAG_MESSAGE_PRIMARY);
    if (sqlstate == nullptr) throw Unavailable("database: " + std::string(PQerrorMessage(handle())));
    std::rethrow_exception(to_exception(sqlstate, message != nullptr ? message : ""));
  }
  std::int64_t number(const std::string& text) { return run(text).front().get<std::int64_t>(0); }

  [[nodiscard]] PGconn* handle() const { return opened_.handle.get(); }

 private:
  OpenedConnection opened_;
};

int read_version(Session& session) {
  const bool is_there = session.run("SELECT to_regclass('public.schema_version') IS NOT NULL").front().get<bool>(0);
  return is_there ? static_cast<int>(session.number("SELECT version FROM schema_version")) : 0;
}

[[noreturn]] void refuse_newer(int version) {
  throw std::runtime_error("the schema of the database is version " + std::to_string(version) +
                           ", this binary knows up to " + std::to_string(postgres_newest_version()) +
                           ": install the newer binary again");
}

void apply(Session& session, const Migration& migration) {
  session.run("BEGIN");
  session.run(std::string(migration.text));
  session.run("UPDATE schema_version SET version = " + std::to_string(migration.number));
  session.run("COMMIT");
}

}  // namespace

SchemaVersion migrate_postgres(const PostgresOptions& options) {
  auto patient = options;
  patient.statement_timeout = kMigrationTimeout;
  patient.lock_timeout = kMigrationTimeout;
  Session session(patient);
  SchemaVersion version{.before = read_version(session), .after = postgres_newest_version()};
  if (version.before > version.after) refuse_newer(version.before);
  if (version.before == version.after) return version;
  // Held by the session: it goes with it, however that ends.
  session.run("SELECT pg_advisory_lock(hashtext('safawinet'), hashtext('migrate'))");
  session.run(
      "CREATE TABLE IF NOT EXISTS schema_version (one boolean PRIMARY KEY DEFAULT true CHECK (one), version integer "
      "NOT "
      "NULL); INSERT INTO schema_version (version) VALUES (0) ON CONFLICT DO NOTHING");
  version.before = read_version(session);  // another node may have done it meanwhile
  if (version.before > version.after) refuse_newer(version.before);
  for (const auto& migration : postgres_migrations()) {
    if (migration.number > version.before) apply(session, migration);
  }
  return version;
}

int postgres_newest_version() { return postgres_migrations().back().number; }

int postgres_schema_version(const PostgresOptions& options) {
  Session session(options);
  return read_version(session);
}

void check_server(const PostgresOptions& options) {
  Session first(options);
  if (PQserverVersion(first.handle()) < kLeastServerVersion) {
    throw std::runtime_error("the database server is too old (" +
                             std::string(PQparameterStatus(first.handle(), "server_version")) +
                             "): PostgreSQL 15 or later is needed");
  }
  const auto backend = [](Session& session) { return session.number("SELECT pg_backend_pid()"); };
  const auto seen = backend(first);
  // A server tells its own number at the handshake; somebody in between tells another.
  if (seen == PQbackendPID(first.handle())) return;
  for (int i = 0; i < kPoolerTries; ++i) {
    Session second(options);
    if (backend(second) == seen || backend(first) != seen) {
      throw std::runtime_error(
          "DATABASE_URL leads to a pooler that gives each transaction another server connection (PgBouncer with "
          "pool_mode=transaction). Prepared statements, LISTEN and session settings do not work through it: give the "
          "URL of the server itself, or set pool_mode=session. Safawinet keeps few connections by itself "
          "(database.shared_connections, database.transaction_connections).");
    }
  }
}

}  // namespace safawinet::sql
