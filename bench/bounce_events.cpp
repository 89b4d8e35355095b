// How many permanent bounces of known users a second are taken: signature checked, taken once, durable before they
// would be answered. Beside it, in turns, the same database with nothing of ours around it: single inserts, and as many
// rows as a bounce writes in one transaction each; durable too. One JSON object on stdout.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <array>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "aws/sns.hpp"
#include "base/run_task.hpp"
#include "bounces/bounces.hpp"
#include "crypto/certificate.hpp"
#include "new_database.hpp"
#include "sessions/revocation_feed.hpp"

namespace safawinet::bench {
namespace {

struct Options {
  std::string sqlite_file;
  std::string postgres_url;
  std::string envelopes_file;    // one signed envelope on each line
  std::string certificate_file;  // that signed them
  int at_once = 64;
};

std::string read_file(const std::string& name) {
  std::ifstream in(name, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + name);
  return {std::istreambuf_iterator<char>(in), {}};
}

constexpr sql::Statement kInsert{"INSERT INTO sns_messages (message_id, received_at) VALUES ($1, $2)"};
constexpr sql::Statement kUser{
    "INSERT INTO users (id, email, name, locale, password_hash, role, email_verified_at, created_at, updated_at) "
    "VALUES ($1, $2, 'Seeded Person', 'en', '', 'customer', $3, $3, $3)"};
constexpr sql::Statement kMail{
    "INSERT INTO mail_history (id, user_id, email, kind, outcome, attempts, provider_id, created_at, ended_at) "
    "VALUES ($1, $2, $3, 'test', 'sent', 1, $4, $5, $5)"};
// The message, the feedback, the suppression, and what becomes of the mail, of the user and of the count.
constexpr int kRowsOfABounce = 6;
constexpr sql::ConnectionBudget kConnections{.shared = 8, .transactions = 16};

class Bench {
 public:
  explicit Bench(const Options& options)
      : options_(options),
        database_(make_database(options.sqlite_file, options.postgres_url, kConnections, loop_)),
        certificate_(Certificate::parse_pem(read_file(options.certificate_file)).value()) {
    std::ifstream in(options.envelopes_file);
    for (std::string line; std::getline(in, line);) envelopes_.push_back(line);
    if (envelopes_.empty()) throw std::runtime_error("no envelopes in " + options.envelopes_file);
  }

  boost::json::object run() {
    make_mails();
    boost::json::array events;
    boost::json::array inserts;
    boost::json::array transactions;
    const std::size_t part = envelopes_.size() / kRounds;
    for (std::size_t round = 0; round < kRounds; ++round) {
      inserts.emplace_back(per_second(part, [&](std::size_t i) { return insert(round * part + i); }));
      transactions.emplace_back(per_second(part, [&](std::size_t i) { return insert_rows(round * part + i); }));
      events.emplace_back(per_second(part, [&](std::size_t i) { return take(round * part + i); }));
    }
    return {{"eventsOfARound", part},
            {"atOnce", options_.at_once},
            {"rowsOfABounce", kRowsOfABounce},
            {"insertsPerSecond", inserts},
            {"transactionsPerSecond", transactions},
            {"eventsPerSecond", events}};
  }

 private:
  static constexpr std::size_t kRounds = 5;

  static std::shared_ptr<const Keyring> make_keyring() {
    Keyring::Parts parts{.active = SigningKey::generate(SigningAlgorithm::eddsa),
                         .verifying = {},
                         .mac_keys = {{1, MacKey(key(2))}},
                         .active_mac_key_id = 1};
    return std::make_shared<const Keyring>(std::move(parts));
  }

  // The users to whom the mails went that the events are about.
  void make_mails() {
    per_second(envelopes_.size(), [&](std::size_t i) { return make_mail(i); });
  }

  Task<void> make_mail(std::size_t i) {
    const auto message = aws::parse_sns_message(envelopes_[i]).value();
    const auto event = parse_ses_event(message.message).value();
    const auto now = clock_.now();
    const auto user = Uuid::version7(now, random_);
    const auto mail = Uuid::version7(now, random_);
    co_await database_->write(kUser, user, event.recipients.front().email, now);
    co_await database_->write(kMail, mail, user, event.recipients.front().email, event.provider_id, now);
  }

  Task<void> insert(std::size_t i) {
    const auto id = "insert-" + std::to_string(i);
    const auto now = clock_.now();
    co_await database_->write(kInsert, id, now);
  }

  Task<void> insert_rows(std::size_t i) {
    auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
      for (int row = 0; row < kRowsOfABounce; ++row) {
        const auto id = "row-" + std::to_string(i) + "-" + std::to_string(row);
        const auto now = clock_.now();
        co_await transaction.execute(kInsert, id, now);
      }
      co_return true;
    };
    co_await database_->transact(std::move(body));
  }

  Task<void> take(std::size_t i) {
    const auto message = aws::parse_sns_message(envelopes_[i]).value();
    const auto text = aws::canonical_text(message);
    const auto signature = from_base64(message.signature).value();
    if (!certificate_.verify(SignatureDigest::sha256, as_bytes(text), signature)) throw std::runtime_error("forged");
    auto event = parse_ses_event(message.message).value();
    const auto taken = co_await bounces_.take(std::move(event), message.message_id);
    if (taken.value() != Taken::acted) throw std::runtime_error("not acted on");
  }

  template <class Work>
  double per_second(std::size_t count, const Work& work) {
    std::size_t next = 0;
    int running = options_.at_once;
    std::exception_ptr failure;
    const auto began = std::chrono::steady_clock::now();
    auto lane = [&]() -> Task<void> {
      while (next < count && !failure) {
        const auto mine = next++;
        co_await work(mine);
      }
    };
    loop_.restart();
    const auto guard = boost::asio::make_work_guard(loop_);
    for (int i = 0; i < options_.at_once; ++i) {
      boost::asio::co_spawn(loop_, lane(), [&](std::exception_ptr failed) {
        if (failed) failure = failed;
        if (--running == 0) loop_.stop();
      });
    }
    loop_.run();
    if (failure) std::rethrow_exception(failure);
    return static_cast<double>(count) / std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  }

  Options options_;
  EventLoop loop_{1};
  SystemClock clock_;
  SystemRandom random_;
  std::unique_ptr<sql::Database> database_;
  Certificate certificate_;
  std::vector<std::string> envelopes_;
  AuditLog audit_{clock_, random_, MacKey(key(1))};
  Log log_{LogLevel::error};
  MasterKey master_key_{MasterKey::parse(MasterKey::generate_text(random_).reveal()).value()};
  Outbox outbox_{clock_, random_, master_key_};
  Letters letters_{"https://id.example.com"};
  Published<Keyring> keyring_{make_keyring()};
  RevocationFeed feed_{*database_, clock_, std::chrono::seconds(2)};
  ModeInForce mode_;
  SessionService sessions_{{.database = *database_,
                            .feed = feed_,
                            .keyring = keyring_,
                            .mode = mode_,
                            .audit = audit_,
                            .outbox = outbox_,
                            .letters = letters_,
                            .clock = clock_,
                            .random = random_},
                           SessionRules{}};
  Bounces bounces_{
      {.database = *database_, .sessions = sessions_, .audit = audit_, .log = log_, .clock = clock_, .random = random_},
      BounceRules{}};
};

int run(int argc, char** argv) {
  CLI::App app("Bounce events a second, beside single inserts");
  Options options;
  auto* sqlite = app.add_option("--sqlite", options.sqlite_file, "A new database file");
  app.add_option("--postgres", options.postgres_url, "A new database")->excludes(sqlite);
  app.add_option("--envelopes", options.envelopes_file, "Signed envelopes, one on each line")->required();
  app.add_option("--certificate", options.certificate_file, "That signed them, PEM")->required();
  app.add_option("--at-once", options.at_once, "Events under way at a time");
  CLI11_PARSE(app, argc, argv);
  std::cout << boost::json::serialize(Bench(options).run()) << '\n';
  return 0;
}

}  // namespace
}  // namespace safawinet::bench

int main(int argc, char** argv) {
  try {
    return safawinet::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "safawinet_bounce_events: " << error.what() << '\n';
    return 1;
  }
}
