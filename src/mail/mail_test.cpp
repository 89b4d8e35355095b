#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "base/run_task.hpp"
#include "base/testing.hpp"
#include "mail/letters.hpp"
#include "mail/outbox.hpp"
#include "sql/testing.hpp"
#include "sql/testing_engines.hpp"

namespace safawinet {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class BrokenTransport final : public MailTransport {
 public:
  void send(const Uuid&, const Mail&, Time) override { throw std::runtime_error("nobody answers"); }
};

// The node that uses it dies while it sends.
struct Death {};
class DeadlyTransport final : public MailTransport {
 public:
  void send(const Uuid&, const Mail&, Time) override { throw Death(); }
};

class KeptMail final : public MailTransport {
 public:
  void send(const Uuid&, const Mail& mail, Time) override { subjects.push_back(mail.subject); }

  std::vector<std::string> subjects;
};

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

  std::vector<std::string> delivered() {
    std::vector<std::string> mails;
    for (const auto& file : std::filesystem::directory_iterator(file_.folder() / "mail")) {
      std::ifstream in(file.path(), std::ios::binary);
      std::stringstream text;
      text << in.rdbuf();
      mails.push_back(text.str());
    }
    return mails;
  }

  std::int64_t waiting() {
    static constexpr sql::Statement count{"SELECT count(*) FROM mail_outbox"};
    return run_task(loop_, database_.read(count)).front().get<std::int64_t>(0);
  }

  // Both at once.
  void deliver_together(MailWorker& one, MailWorker& other) {
    int left = 2;
    loop_.restart();
    const auto guard = boost::asio::make_work_guard(loop_);
    for (auto* worker : {&one, &other}) {
      auto done = [&](std::exception_ptr failure, Delivery) {
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
  FileTransport files_{file_.folder() / "mail", "Safawinet <no-reply@example.com>"};
  MailWorker worker_{database_, clock_, master_key_, files_};
};

TEST_P(OutboxTest, a_mail_of_a_committed_transaction_arrives_once) {
  enqueue({.to = "ada@example.com", .subject = "Hello", .text = "line one\nline two\n"});
  EXPECT_EQ(run_task(loop_, worker_.deliver_due()).sent, 1);
  EXPECT_EQ(run_task(loop_, worker_.deliver_due()).sent, 0);
  ASSERT_EQ(delivered().size(), 1U);
  EXPECT_THAT(delivered().front(), HasSubstr("To: ada@example.com\r\n"));
  EXPECT_THAT(delivered().front(), HasSubstr("line one\r\nline two\r\n"));
}

TEST_P(OutboxTest, a_mail_of_a_transaction_that_rolled_back_does_not) {
  enqueue({.to = "ada@example.com", .subject = "Hello", .text = "x"}, false);
  EXPECT_EQ(run_task(loop_, worker_.deliver_due()).sent, 0);
}

TEST_P(OutboxTest, what_waits_cannot_be_read_in_the_database) {
  enqueue({.to = "ada@example.com", .subject = "Hello", .text = "the secret link"});
  static constexpr sql::Statement all{"SELECT sealed FROM mail_outbox"};
  const auto sealed = run_task(loop_, database_.read(all)).front().get<std::string>(0);
  EXPECT_THAT(sealed, Not(HasSubstr("secret")));
  EXPECT_THAT(sealed, Not(HasSubstr("ada")));
}

TEST_P(OutboxTest, a_mail_that_fails_waits_longer_each_time_and_is_never_dropped) {
  BrokenTransport broken;
  MailWorker failing(database_, clock_, master_key_, broken);
  enqueue({.to = "ada@example.com", .subject = "Hello", .text = "x"});
  EXPECT_EQ(run_task(loop_, failing.deliver_due()).failed, 1);
  EXPECT_EQ(run_task(loop_, failing.deliver_due()).failed, 0) << "not due before five seconds have passed";
  clock_.advance(std::chrono::seconds(5));
  EXPECT_EQ(run_task(loop_, failing.deliver_due()).failed, 1);
  clock_.advance(std::chrono::seconds(9));
  EXPECT_EQ(run_task(loop_, failing.deliver_due()).failed, 0);
  clock_.advance(std::chrono::seconds(1));
  EXPECT_EQ(run_task(loop_, worker_.deliver_due()).sent, 1);
  EXPECT_EQ(waiting(), 0);
}

TEST_P(OutboxTest, of_two_nodes_one_sends_a_mail_and_between_them_they_send_all) {
  for (int i = 0; i < 60; ++i) {
    enqueue({.to = "ada@example.com", .subject = std::to_string(i), .text = "x"});
    clock_.advance(std::chrono::milliseconds(1));
  }
  KeptMail kept;
  MailWorker one(database_, clock_, master_key_, kept);
  MailWorker other(database_, clock_, master_key_, kept);
  deliver_together(one, other);  // takes 50 at a time
  deliver_together(one, other);
  EXPECT_EQ(kept.subjects.size(), 60U);
  std::ranges::sort(kept.subjects);
  EXPECT_EQ(std::ranges::adjacent_find(kept.subjects), kept.subjects.end());
  EXPECT_EQ(waiting(), 0);
}

TEST_P(OutboxTest, a_mail_whose_node_died_while_sending_it_is_sent_a_minute_later) {
  DeadlyTransport deadly;
  MailWorker dying(database_, clock_, master_key_, deadly);
  enqueue({.to = "ada@example.com", .subject = "Hello", .text = "x"});
  EXPECT_THROW(run_task(loop_, dying.deliver_due()), Death);
  clock_.advance(std::chrono::seconds(59));
  EXPECT_EQ(run_task(loop_, worker_.deliver_due()).sent, 0);
  clock_.advance(std::chrono::seconds(1));
  EXPECT_EQ(run_task(loop_, worker_.deliver_due()).sent, 1);
  EXPECT_EQ(waiting(), 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, OutboxTest, ::testing::ValuesIn(sql::testing::kEngines),
                         ::testing::PrintToStringParamName());

TEST(Rfc5322, a_header_cannot_be_smuggled_in) {
  const auto text = to_rfc5322(Uuid{}, {.to = "a@b.example\r\nBcc: x@y.example", .subject = "a\r\nX: y", .text = ""},
                               "from@example.com", Time{});
  EXPECT_THAT(text, Not(HasSubstr("\r\nBcc:")));
  EXPECT_THAT(text, Not(HasSubstr("\r\nX:")));
}

TEST(Rfc5322, the_date_is_in_the_form_of_the_rfc) {
  const auto text =
      to_rfc5322(Uuid{}, {.to = "a@b.example", .subject = "Grüße", .text = ""}, "from@example.com", Time{});
  EXPECT_THAT(text, HasSubstr("Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"));
  EXPECT_THAT(text, HasSubstr("Subject: =?UTF-8?B?R3LDvMOfZQ==?=\r\n"));
}

TEST(Letters, links_are_whole_and_begin_with_the_public_url) {
  const Letters letters("https://id.example.com");
  const auto mail = letters.verify_email("ada@example.com", SecretText("sf_ev_abc"));
  EXPECT_THAT(mail.text, HasSubstr("\nhttps://id.example.com/verify-email?token=sf_ev_abc\n"));
}

}  // namespace
}  // namespace safawinet
