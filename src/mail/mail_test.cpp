#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "base/run_task.hpp"
#include "base/testing.hpp"
#include "cache/rate_limiter.hpp"
#include "mail/mail_worker.hpp"
#include "mail/outbox.hpp"
#include "sql/testing.hpp"
#include "sql/testing_engines.hpp"

namespace safawinet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// Does what it was told, and remembers what it was given.
class ToldTransport final : public MailTransport {
 public:
  explicit ToldTransport(std::vector<Mail>& kept, Handover told = {}) : kept_(kept), told_(std::move(told)) {}
  Handover send(const Uuid&, const Mail& mail, Time) override {
    kept_.push_back(mail);
    return told_;
  }

 private:
  std::vector<Mail>& kept_;
  Handover told_;
};

class BrokenTransport final : public MailTransport {
 public:
  Handover send(const Uuid&, const Mail&, Time) override { throw std::runtime_error("nobody answers"); }
};

Mail mail_with(std::string subject, MailKind kind = MailKind::reset_password) {
  return {.to = "ada@example.com", .kind = kind, .subject = std::move(subject), .text = "x\n"};
}

class OutboxTest : public ::testing::TestWithParam<sql::testing::Engine> {
 protected:
  void enqueue(const Mail& mail, bool commit = true) {
    const auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
      co_await outbox_.enqueue(transaction, mail);
      if (!commit) co_return refuse(ErrorCode::conflict);
      co_return true;
    };
    const auto outcome = run_task(loop_, database_.transact(body));
    EXPECT_EQ(outcome.has_value(), commit);
  }

  void suppress(SuppressionScope scope, std::string reason = "operator") {
    const Suppression suppression{.email = "ADA@example.com",
                                  .scope = scope,
                                  .reason = std::move(reason),
                                  .detail = {},
                                  .created_by = "system",
                                  .created_at = clock_.now()};
    const auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
      co_await store_.suppress(transaction, suppression);
      co_return true;
    };
    run_task(loop_, database_.transact(body)).value();
  }

  MailWorker worker_with(std::unique_ptr<MailTransport> transport, MailRates rates = {}) {
    MailWorker::Parts parts{.database = database_,
                            .master_key = master_key_,
                            .limits = limits_,
                            .pool = pool_,
                            .hold = hold_,
                            .clock = clock_,
                            .random = random_,
                            .rates = rates,
                            .is_closing = [this] { return is_closing_; },
                            .on_refused = [this](RefusedRecipient refused) -> Task<void> {
                              refused_.push_back(std::move(refused));
                              co_return;
                            }};
    return {std::move(parts), std::move(transport)};
  }
  MailWorker worker_told(Handover told = {}) {
    return worker_with(std::make_unique<ToldTransport>(sent_, std::move(told)));
  }

  Delivery deliver(MailWorker& worker) { return run_task(loop_, worker.deliver_due()); }

  std::string text_of(const char* sql) {
    const sql::Statement statement{sql};
    const auto rows = run_task(loop_, database_.read(statement));
    return rows.empty() ? std::string() : rows.front().find<std::string>(0).value_or("");
  }

  std::int64_t waiting() { return run_task(loop_, store_.count_waiting(database_)).waiting; }

  std::vector<std::string> subjects() const {
    std::vector<std::string> subjects;
    for (const auto& mail : sent_) subjects.push_back(mail.subject);
    return subjects;
  }

  // Both at once.
  void deliver_together(MailWorker& one, MailWorker& other) {
    int left = 2;
    loop_.restart();
    const auto guard = boost::asio::make_work_guard(loop_);
    for (auto* worker : {&one, &other}) {
      auto done = [&](std::exception_ptr failure, const Delivery&) {
        EXPECT_FALSE(failure);
        if (--left == 0) loop_.stop();
      };
      boost::asio::co_spawn(loop_.get_executor(), worker->deliver_due(), std::move(done));
    }
    loop_.run();
  }

  sql::testing::MigratedFile file_;
  EventLoop loop_{1};
  std::unique_ptr<sql::testing::TestDatabase> opened_ = GetParam().open({&loop_});
  sql::Database& database_ = opened_->database();
  testing::ManualClock clock_;
  testing::SeededRandom random_;
  MasterKey master_key_ = *MasterKey::parse(MasterKey::generate_text(random_).reveal());
  Outbox outbox_{clock_, random_, master_key_};
  MailStore store_;
  MemoryRateLimiter limits_{clock_};
  BlockingPool pool_{1};
  MailHold hold_;
  bool is_closing_ = false;
  std::vector<Mail> sent_;
  std::vector<RefusedRecipient> refused_;
};

TEST_P(OutboxTest, a_mail_of_a_committed_transaction_arrives_once) {
  const auto folder = file_.folder() / "mail";
  auto worker = worker_with(std::make_unique<FileTransport>(folder, Sender::parse("Safawinet <no-reply@example.com>")));
  enqueue({.to = "ada@example.com", .subject = "Hello", .text = "line one\nline two\n"});
  EXPECT_EQ(deliver(worker).sent, 1);
  EXPECT_TRUE(deliver(worker).is_idle());
  std::vector<std::string> files;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    std::ifstream in(file.path(), std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    files.push_back(text.str());
  }
  ASSERT_EQ(files.size(), 1U);
  EXPECT_THAT(files.front(), HasSubstr("To: ada@example.com\r\n"));
  EXPECT_THAT(files.front(), HasSubstr("line one\r\nline two\r\n"));
}

TEST_P(OutboxTest, a_mail_of_a_transaction_that_rolled_back_does_not) {
  auto worker = worker_told();
  enqueue(mail_with("Hello"), false);
  EXPECT_TRUE(deliver(worker).is_idle());
}

TEST_P(OutboxTest, what_waits_cannot_be_read_in_the_database) {
  enqueue({.to = "ada@example.com", .subject = "Hello", .text = "the secret link"});
  const auto sealed = text_of("SELECT sealed FROM mail_outbox");
  EXPECT_FALSE(sealed.empty());
  EXPECT_THAT(sealed, Not(HasSubstr("secret")));
  EXPECT_THAT(sealed, Not(HasSubstr("ada")));
}

TEST_P(OutboxTest, a_mail_that_fails_waits_longer_each_time) {
  auto failing = worker_with(std::make_unique<BrokenTransport>());
  auto worker = worker_told();
  enqueue(mail_with("Hello"));
  const auto failed = deliver(failing);
  EXPECT_EQ(failed.failed, 1);
  EXPECT_TRUE(failed.is_servers_trouble);
  EXPECT_THAT(text_of("SELECT last_error FROM mail_outbox"), HasSubstr("nobody answers"));
  clock_.advance(std::chrono::seconds(4));
  EXPECT_TRUE(deliver(failing).is_idle()) << "not due before about five seconds have passed";
  clock_.advance(std::chrono::seconds(2));
  EXPECT_EQ(deliver(failing).failed, 1);
  clock_.advance(std::chrono::seconds(8));
  EXPECT_TRUE(deliver(failing).is_idle()) << "now it is about ten";
  clock_.advance(std::chrono::seconds(4));
  EXPECT_EQ(deliver(worker).sent, 1);
  EXPECT_EQ(waiting(), 0);
}

TEST_P(OutboxTest, it_is_given_up_after_a_day_and_that_is_known) {
  auto failing = worker_told({.kind = Handover::Kind::later, .detail = "452 4.2.2 full", .is_about_mailbox = true});
  enqueue(mail_with("Hello"));
  for (int hour = 0; hour < 26; ++hour) {
    deliver(failing);
    clock_.advance(std::chrono::hours(1) + std::chrono::minutes(10));
  }
  EXPECT_EQ(waiting(), 0);
  EXPECT_EQ(text_of("SELECT outcome FROM mail_history"), "given-up");
  EXPECT_EQ(text_of("SELECT detail FROM mail_history"), "452 4.2.2 full");
  ASSERT_EQ(refused_.size(), 1U) << "the mailbox was full all day";
  EXPECT_FALSE(refused_.front().is_permanent);
}

TEST_P(OutboxTest, a_server_that_is_down_for_a_day_is_not_the_recipients_fault) {
  auto failing = worker_with(std::make_unique<BrokenTransport>());
  enqueue(mail_with("Hello"));
  clock_.advance(std::chrono::hours(24));
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(deliver(failing).failed, 1) << "however old it is, it is tried five times";
    clock_.advance(std::chrono::hours(2));
  }
  EXPECT_EQ(deliver(failing).ended, 1);
  EXPECT_TRUE(refused_.empty());
}

TEST_P(OutboxTest, a_refused_recipient_is_told_of_and_the_mail_is_over) {
  auto worker = worker_told(
      {.kind = Handover::Kind::recipient_refused, .detail = "550 5.1.1 no such user", .is_about_mailbox = true});
  enqueue(mail_with("Hello"));
  EXPECT_EQ(deliver(worker).ended, 1);
  EXPECT_EQ(waiting(), 0);
  EXPECT_EQ(text_of("SELECT outcome FROM mail_history"), "refused");
  ASSERT_EQ(refused_.size(), 1U);
  EXPECT_TRUE(refused_.front().is_permanent);
  EXPECT_EQ(refused_.front().email, "ada@example.com");
}

TEST_P(OutboxTest, a_refusal_that_does_not_say_why_is_not_for_good) {
  auto worker = worker_told({.kind = Handover::Kind::recipient_refused, .detail = "550 administrative prohibition"});
  enqueue(mail_with("Hello"));
  EXPECT_EQ(deliver(worker).ended, 1);
  ASSERT_EQ(refused_.size(), 1U);
  EXPECT_FALSE(refused_.front().is_permanent);
}

TEST_P(OutboxTest, a_lane_whose_claim_is_over_changes_nothing_of_the_mail) {
  enqueue(mail_with("Hello"));
  const auto claim = [&] {
    const auto now = clock_.now();
    const Time until = now + std::chrono::seconds(60);
    return run_task(loop_, store_.claim(database_, 0, now, until, 5)).at(0);
  };
  const auto first = claim();
  clock_.advance(std::chrono::seconds(61));
  const auto second = claim();
  const auto now = clock_.now();
  run_task(loop_, store_.give_back(database_, first, now));
  run_task(loop_, store_.postpone(database_, first, now, "it failed"));
  auto worker = worker_told();
  EXPECT_TRUE(deliver(worker).is_idle()) << "the second lane has it";
  run_task(loop_, store_.give_back(database_, second, now));
  EXPECT_EQ(deliver(worker).sent, 1);
}

TEST_P(OutboxTest, a_node_that_is_about_to_end_begins_nothing_and_gives_back_what_it_has_claimed) {
  enqueue(mail_with("one"));
  enqueue(mail_with("two"));
  auto worker = worker_told();
  is_closing_ = true;
  EXPECT_TRUE(deliver(worker).is_idle());
  is_closing_ = false;
  EXPECT_EQ(deliver(worker).sent, 2);
}

TEST_P(OutboxTest, an_address_that_bounced_is_tried_once_a_day_for_whoever_waits_for_a_link) {
  suppress(SuppressionScope::all, "bounce");
  auto worker = worker_told();
  enqueue(mail_with("changed", MailKind::password_changed));
  enqueue(mail_with("reset", MailKind::reset_password));
  enqueue(mail_with("reset again", MailKind::reset_password));
  while (waiting() > 0) deliver(worker);
  EXPECT_THAT(subjects(), ElementsAre("reset"));
  clock_.advance(std::chrono::hours(25));
  enqueue(mail_with("reset on the next day", MailKind::reset_password));
  while (waiting() > 0) deliver(worker);
  EXPECT_THAT(subjects(), ElementsAre("reset", "reset on the next day"));
}

TEST_P(OutboxTest, what_an_operator_suppressed_besides_holds) {
  suppress(SuppressionScope::all, "bounce");
  suppress(SuppressionScope::all, "operator");
  auto worker = worker_told();
  enqueue(mail_with("reset", MailKind::reset_password));
  while (waiting() > 0) deliver(worker);
  EXPECT_THAT(subjects(), ElementsAre());
}

TEST_P(OutboxTest, of_two_nodes_one_sends_a_mail_and_between_them_they_send_all) {
  for (int i = 0; i < 60; ++i) {
    enqueue(mail_with(std::to_string(i)));
    clock_.advance(std::chrono::milliseconds(1));
  }
  auto one = worker_told();
  auto other = worker_told();
  while (waiting() > 0) deliver_together(one, other);
  auto all = subjects();
  EXPECT_EQ(all.size(), 60U);
  std::ranges::sort(all);
  EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
}

TEST_P(OutboxTest, a_mail_whose_node_died_while_sending_it_is_sent_by_another) {
  enqueue(mail_with("Hello"));
  const auto now = clock_.now();
  const Time until = now + std::chrono::seconds(60);
  run_task(loop_, store_.claim(database_, 0, now, until, 5));  // and dies
  auto worker = worker_told();
  clock_.advance(std::chrono::seconds(59));
  EXPECT_TRUE(deliver(worker).is_idle());
  clock_.advance(std::chrono::seconds(1));
  EXPECT_EQ(deliver(worker).sent, 1);
  EXPECT_EQ(waiting(), 0);
}

TEST_P(OutboxTest, what_is_urgent_goes_first) {
  enqueue(mail_with("announcement", MailKind::announcement));
  enqueue(mail_with("invitation", MailKind::invitation));
  enqueue(mail_with("changed", MailKind::password_changed));
  enqueue(mail_with("reset", MailKind::reset_password));
  auto worker = worker_told();
  while (waiting() > 0) deliver(worker);
  EXPECT_THAT(subjects(), ElementsAre("reset", "changed", "invitation", "announcement"));
}

TEST_P(OutboxTest, while_the_guard_holds_mail_back_only_that_about_security_leaves) {
  enqueue(mail_with("invitation", MailKind::invitation));
  enqueue(mail_with("changed", MailKind::password_changed));
  hold_.set(true);
  auto worker = worker_told();
  deliver(worker);
  EXPECT_TRUE(deliver(worker).is_idle());
  EXPECT_THAT(subjects(), ElementsAre("changed"));
  hold_.set(false);
  deliver(worker);
  EXPECT_THAT(subjects(), ElementsAre("changed", "invitation"));
}

TEST_P(OutboxTest, a_suppressed_address_gets_nothing_and_one_that_complained_what_it_must_know) {
  suppress(SuppressionScope::not_security);
  enqueue(mail_with("changed", MailKind::password_changed));
  enqueue(mail_with("invitation", MailKind::invitation));
  auto worker = worker_told();
  while (waiting() > 0) deliver(worker);
  EXPECT_THAT(subjects(), ElementsAre("changed"));
  suppress(SuppressionScope::all);
  enqueue(mail_with("changed again", MailKind::password_changed));
  while (waiting() > 0) deliver(worker);
  EXPECT_THAT(subjects(), ElementsAre("changed"));
  EXPECT_EQ(text_of("SELECT count(*) || '' FROM mail_history WHERE outcome = 'suppressed'"), "2");
}

TEST_P(OutboxTest, a_domain_gets_no_more_than_its_rate_and_the_rest_later) {
  for (int i = 0; i < 4; ++i) enqueue(mail_with(std::to_string(i)));
  auto worker = worker_with(std::make_unique<ToldTransport>(sent_), {.per_domain_and_minute = 3});
  EXPECT_EQ(deliver(worker).sent, 3);
  EXPECT_EQ(waiting(), 1);
  clock_.advance(std::chrono::seconds(61));
  EXPECT_EQ(deliver(worker).sent, 1);
}

TEST_P(OutboxTest, a_mail_of_a_former_version_is_sent) {
  const auto id = Uuid::version7(clock_.now(), random_);
  const auto sealed = to_base64(
      master_key_.seal("mail/" + id.text(), as_bytes(R"({"to":"ada@example.com","subject":"Old","text":"x\n"})")));
  static constexpr sql::Statement insert{
      "INSERT INTO mail_outbox (id, sealed, next_attempt_at, created_at) VALUES ($1, $2, $3, $3)"};
  run_task(loop_, database_.write(insert, id, sealed, clock_.now()));
  auto worker = worker_told();
  EXPECT_EQ(deliver(worker).sent, 1);
  EXPECT_THAT(subjects(), ElementsAre("Old"));
}

INSTANTIATE_TEST_SUITE_P(Engines, OutboxTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace safawinet
