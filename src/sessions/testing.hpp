// For tests of whatever has to do with sessions: all of it at work, on a real database, with a clock and a generator
// that the test owns.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "audit/audit_log.hpp"
#include "base/published.hpp"
#include "base/run_task.hpp"
#include "base/testing.hpp"
#include "crypto/keyring.hpp"
#include "mail/letters.hpp"
#include "mail/mail_worker.hpp"
#include "mail/outbox.hpp"
#include "sessions/access_guard.hpp"
#include "sessions/revocation_feed.hpp"
#include "sessions/session_service.hpp"
#include "sql/testing_engines.hpp"

namespace safawinet::testing {

inline constexpr std::chrono::milliseconds kLease{2'000};

// How often races are run: as the test says, times SAFAWINET_TEST_ROUNDS.
inline int rounds(int usual) {
  const char* factor = std::getenv("SAFAWINET_TEST_ROUNDS");
  return factor == nullptr ? usual : usual * std::max(1, std::atoi(factor));
}

inline SessionRules usual_rules() {
  return {.refresh_grace = std::chrono::seconds(30),
          .idle = std::chrono::days(14),
          .absolute = std::chrono::days(30),
          .access_lifetime = std::chrono::minutes(10),
          .issuer = "https://id.example.com",
          .audience = "https://api.example.com"};
}

inline SessionRules rules_with_grace(std::chrono::seconds grace) {
  auto rules = usual_rules();
  rules.refresh_grace = grace;
  return rules;
}

struct NewUser {
  std::string email = "ada@example.com";
  std::string_view role = "customer";
  bool is_verified = true;
};

// Keeps what was sent.
class KeptMail final : public MailTransport {
 public:
  explicit KeptMail(std::vector<Mail>& mails) : mails_(mails) {}
  Handover send(const Uuid&, const Mail& mail, Time) override {
    mails_.push_back(mail);
    return {};
  }

 private:
  std::vector<Mail>& mails_;
};

// Its clock starts at the present, since the triggers ask the database what time it is. Threading: one thread; only
// run_together uses more than the first loop.
struct SessionsAtWork {
  explicit SessionsAtWork(const sql::testing::Engine& engine, const SessionRules& session_rules = usual_rules(),
                          std::size_t loop_count = 1)
      : loops(make_loops(loop_count)), opened(engine.open(pointers(loops))), rules(session_rules) {
    run(feed.catch_up());
  }

  template <class T>
  T run(Task<T> task) {
    return run_task(*loops.front(), std::move(task));
  }

  // Runs all at once, spread over the loops, each on a thread of its own. T needs a default.
  template <class T>
  std::vector<T> run_together(std::vector<Task<T>> tasks) {
    std::vector<std::optional<T>> answers(tasks.size());  // not of T: the bits of a vector of bool share bytes
    std::vector<std::exception_ptr> failures(tasks.size());
    std::atomic<std::size_t> left{tasks.size()};
    std::vector<boost::asio::executor_work_guard<Executor>> guards;
    for (auto& loop : loops) {
      loop->restart();
      guards.push_back(boost::asio::make_work_guard(*loop));
    }
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      auto done = [&, i](std::exception_ptr failure, T answer) {
        failures[i] = failure;
        answers[i].emplace(std::move(answer));
        if (--left == 0) std::ranges::for_each(loops, [](auto& loop) { loop->stop(); });
      };
      boost::asio::co_spawn(loops[i % loops.size()]->get_executor(), std::move(tasks[i]), std::move(done));
    }
    std::vector<std::thread> threads;
    for (auto& loop : loops) threads.emplace_back([&loop] { loop->run(); });
    for (auto& thread : threads) thread.join();
    for (const auto& failure : failures) {
      if (failure) std::rethrow_exception(failure);
    }
    std::vector<T> all;
    for (auto& answer : answers) all.push_back(std::move(*answer));
    return all;
  }

  // `text` is a literal: statements are found again by their address.
  template <class... Parameters>
  sql::Rows rows(const char* text, const Parameters&... parameters) {
    const sql::Statement statement{text};
    return run(database.read(statement, parameters...));
  }
  template <class... Parameters>
  std::int64_t number(const char* text, const Parameters&... parameters) {
    return rows(text, parameters...).front().template get<std::int64_t>(0);
  }
  template <class... Parameters>
  std::string text(const char* sql_text, const Parameters&... parameters) {
    return rows(sql_text, parameters...).front().template get<std::string>(0);
  }
  // Somebody else's SQL, and what this node has learned of it.
  void by_hand(const std::string& script) {
    opened->run_by_hand(script);
    run(feed.catch_up());
  }

  UserId add_user(const NewUser& user = {}) {
    static constexpr sql::Statement insert{
        "INSERT INTO users (id, email, password_hash, role, email_verified_at, created_at, updated_at) "
        "VALUES ($1, $2, 'unusable', $3, $4, $5, $5)"};
    const auto now = clock.now();
    const auto id = UserId::make(clock, random);
    const auto verified_at = user.is_verified ? std::optional(now) : std::nullopt;
    run(database.write(insert, id, user.email, user.role, verified_at, now));
    return id;
  }

  // Sessions that nobody has tokens of, in one statement.
  void add_sessions(UserId user, int count) {
    const auto now = "'" + to_rfc3339(clock.now()) + "'";
    const auto end = "'" + to_rfc3339(clock.now() + std::chrono::days(14)) + "'";
    std::string script =
        "INSERT INTO refresh_sessions (id, user_id, epoch, created_at, rotated_at, expires_at, ends_at) VALUES ";
    for (int i = 0; i < count; ++i) {
      script.append(i == 0 ? "('" : ", ('").append(SessionId::make(clock, random).text());
      script.append("', '").append(user.text()).append("', 1, ").append(now).append(", ").append(now);
      script.append(", ").append(end).append(", ").append(end).append(")");
    }
    opened->run_by_hand(script);
  }

  Result<IssuedTokens> try_sign_in(UserId user, std::int64_t credential_version = 1) {
    Device device{.name = "Firefox on Linux", .user_agent = "Mozilla/5.0", .ip_address = "192.0.2.7"};
    return run(sessions.start(user, credential_version, std::move(device), origin));
  }
  IssuedTokens sign_in(UserId user) { return try_sign_in(user).value(); }
  Result<IssuedTokens> refresh(const SecretText& token) { return run(sessions.refresh(token, origin)); }

  [[nodiscard]] RefreshToken parsed(const SecretText& refresh_token) const {
    return keyring.get()->parse_refresh_token(refresh_token.reveal()).value();
  }
  [[nodiscard]] SessionId session_of(const IssuedTokens& tokens) const { return parsed(tokens.refresh_token).session; }

  [[nodiscard]] bool is_accepted(const IssuedTokens& tokens) {
    return guard.authenticate(tokens.access_token.reveal()).has_value();
  }
  // Neither token of it opens anything.
  [[nodiscard]] bool is_dead(const IssuedTokens& tokens) {
    return !is_accepted(tokens) && !refresh(tokens.refresh_token).has_value();
  }

  SessionsEnded force_logout(std::optional<UserId> user, std::optional<SessionId> spared, UserId actor) {
    ForcedLogout command{
        .user = user, .spared = spared, .reason = "stolen laptop", .acting = trusted(actor), .origin = origin};
    return run(sessions.force_logout(std::move(command))).value();
  }
  // Who may do everything, whatever the database says of them.
  static Operator trusted(UserId user) {
    auto acting = Operator::local("");
    acting.actor = Actor::user(user);
    return acting;
  }

  // What was mailed since the last call.
  std::vector<Mail> take_mails() {
    while (!run(mail_worker.deliver_due()).is_idle()) continue;
    return std::exchange(mailbox, {});
  }
  // Sends what was sealed with this key into the mailbox.
  MailWorker make_mail_worker(const MasterKey& sealing) {
    MailWorker::Parts parts{.database = database,
                            .master_key = sealing,
                            .limits = mail_limits,
                            .pool = mail_pool,
                            .hold = mail_hold,
                            .clock = clock,
                            .random = random};
    return {std::move(parts), std::make_unique<KeptMail>(mailbox)};
  }

  static std::vector<std::unique_ptr<EventLoop>> make_loops(std::size_t count) {
    std::vector<std::unique_ptr<EventLoop>> made;
    for (std::size_t i = 0; i < count; ++i) made.push_back(std::make_unique<EventLoop>(1));
    return made;
  }
  static std::vector<EventLoop*> pointers(const std::vector<std::unique_ptr<EventLoop>>& owned) {
    std::vector<EventLoop*> all;
    for (const auto& loop : owned) all.push_back(loop.get());
    return all;
  }

  static std::shared_ptr<const Keyring> make_keyring(Random& random) {
    Bytes mac_key(MacKey::kBytes);
    random.fill(std::as_writable_bytes(std::span(mac_key)));
    Keyring::Parts parts{.active = SigningKey::generate(SigningAlgorithm::eddsa),
                         .verifying = {},
                         .mac_keys = {{1, MacKey(mac_key)}},
                         .active_mac_key_id = 1};
    return std::make_shared<const Keyring>(std::move(parts));
  }

  ManualClock clock{SystemClock().now()};
  SeededRandom random;
  std::vector<std::unique_ptr<EventLoop>> loops;
  std::unique_ptr<sql::testing::TestDatabase> opened;
  sql::Database& database{opened->database()};
  MasterKey master_key{MasterKey::parse(MasterKey::generate_text(random).reveal()).value()};
  RootSecret root{RootSecret::generate(random)};
  Published<Keyring> keyring{make_keyring(random)};
  AuditLog audit{clock, random, MacKey(root.derive("audit"))};
  Outbox outbox{clock, random, master_key};
  Letters letters{"https://id.example.com"};
  std::vector<Mail> mailbox;
  MemoryRateLimiter mail_limits{clock};
  BlockingPool mail_pool{1};
  MailHold mail_hold;
  MailWorker mail_worker{make_mail_worker(master_key)};
  Origin origin{.ip_address = "192.0.2.8", .network = "192.0.2.0/24", .user_agent = "curl/8", .request_id = "r-1"};
  SessionRules rules;
  RevocationFeed feed{database, clock, kLease};
  ModeInForce mode_in_force;
  SessionService sessions{{.database = database,
                           .feed = feed,
                           .keyring = keyring,
                           .mode = mode_in_force,
                           .audit = audit,
                           .outbox = outbox,
                           .letters = letters,
                           .clock = clock,
                           .random = random},
                          rules};
  AccessGuard guard{keyring, feed, mode_in_force, clock, rules.issuer, rules.audience};
};

}  // namespace safawinet::testing
