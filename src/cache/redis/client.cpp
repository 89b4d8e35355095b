#include "cache/redis/client.hpp"

#include <openssl/evp.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "base/ascii.hpp"
#include "base/encoding.hpp"
#include "base/pause.hpp"
#include "cache/redis/stream.hpp"

namespace safawinet::redis {
namespace {

using SteadyTime = Timer::time_point;
using std::chrono::milliseconds;

constexpr milliseconds kFirstTryPoll{1};
constexpr std::size_t kReadBytes = 4'096;
constexpr std::size_t kLongestCause = 200;  // what a server says goes into the log, cut short

SteadyTime now() { return Timer::clock_type::now(); }

std::string sha1_hex(const std::string& text) {
  std::array<std::uint8_t, 20> digest{};
  if (EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha1(), nullptr) != 1) {
    throw std::runtime_error("OpenSSL has no SHA-1");
  }
  return to_hex(digest);
}

}  // namespace

struct Client::Call {
  ScriptCall what;
  SteadyTime begin = now();
  SteadyTime deadline = begin + kCallDeadline;
  std::unique_ptr<Resumption> waiter;  // none: a probe
  std::optional<std::int64_t> answer;
  bool has_ended = false;
};

// One attempt to connect and what became of it.
struct Client::Link {
  Link(EventLoop& loop, std::shared_ptr<boost::asio::ssl::context> tls)
      : stream(loop, std::move(tls)), setup_deadline(loop.get_executor()), alarm(loop.get_executor()) {}

  Stream stream;
  Timer setup_deadline;
  Timer alarm;  // the next deadline of a call, or the next probe
  ReplyReader reader;
  std::string outgoing;
  SteadyTime next_probe{};
  std::string cause;  // why it was given up; empty: it was not
  bool is_set_up = false;
  bool is_writing = false;
  bool has_ended = false;
  bool replace_at_once = false;
};

Client::Client(EventLoop& loop, ServerAddress address, Script script, Random& random)
    : loop_(loop),
      address_(std::move(address)),
      script_(std::move(script)),
      script_digest_(sha1_hex(script_.text)),
      random_(random) {}

Client::~Client() = default;

Task<void> Client::run(OnChange on_change) {
  on_change_ = std::move(on_change);
  unsigned failures = 0;
  for (;;) {
    if (failures == 0) phase_ = Phase::connecting;
    link_ = std::make_shared<Link>(loop_, address_.tls);
    const auto loss = co_await serve(link_);
    link_.reset();
    has_tried_ = true;
    if (loss.was_proven) failures = 0;
    if (!loss.may_be_replaced_at_once) ++failures;
    fail_all(sent_, loss.cause);
    if (failures == 0) continue;
    turn_down(loss.cause);
    Timer timer(co_await boost::asio::this_coro::executor, pause_after(failures));
    co_await timer.async_wait(use_task);
  }
}

Task<std::optional<std::int64_t>> Client::call(ScriptCall what) {
  if (phase_ == Phase::down) {
    ++skipped_;
    co_return std::nullopt;
  }
  auto call = std::make_shared<Call>();
  call->what = std::move(what);
  auto start = [this, &call](std::unique_ptr<Resumption> waiter) {
    call->waiter = std::move(waiter);
    const std::lock_guard lock(mutex_);
    arrived_.push_back(call);
    if (arrived_.size() == 1) boost::asio::post(loop_.get_executor(), [this] { take_in(); });
  };
  co_await suspend(std::move(start));
  co_return call->answer;
}

Task<void> Client::wait_for_first_try() {
  while (!has_tried_) co_await pause_for(kFirstTryPoll);
}

ClientState Client::state() const {
  return {.is_up = phase_ == Phase::up,
          .latency = std::chrono::microseconds(latency_us_),
          .calls = calls_,
          .errors = errors_,
          .skipped = skipped_};
}

void Client::abandon_waiting() {
  std::vector<std::unique_ptr<Resumption>> abandoned;  // they hold coroutines, which hold calls
  const std::lock_guard lock(mutex_);
  for (auto* calls : {&arrived_, &waiting_, &sent_, &timed_}) {
    for (const auto& call : *calls) abandoned.push_back(std::move(call->waiter));
    calls->clear();
  }
  link_.reset();
  lookup_.abandon_waiting();
}

// Returns when the connection has ended, with the reason.
Task<Client::Loss> Client::serve(std::shared_ptr<Link> link) {
  std::string failure;
  SteadyTime up_since{};
  link->setup_deadline.expires_after(kConnectDeadline);
  link->setup_deadline.async_wait([this, link](const boost::system::error_code& error) {
    if (error || link->has_ended || link->is_set_up) return;
    give_up(*link, "no connection within " + std::to_string(kConnectDeadline.count()) + " ms", false);
  });
  link->next_probe = now() + kProbeInterval;
  boost::asio::co_spawn(loop_, watch(link), boost::asio::detached);
  try {
    auto addresses = co_await lookup_.find(address_.host, address_.port);
    co_await link->stream.connect(std::move(addresses), address_.host);
    co_await log_in(*link);
    link->setup_deadline.expires_after(kCallDeadline);
    link->setup_deadline.async_wait([this, link](const boost::system::error_code& error) {
      if (!error && !link->has_ended && !link->is_set_up) give_up(*link, "the probe was not answered in time", false);
    });
    co_await prove(*link);
    link->is_set_up = true;
    link->setup_deadline.cancel();
    up_since = now();
    link->next_probe = up_since + kProbeInterval;
    failures_in_a_row_ = 0;
    phase_ = Phase::up;
    has_tried_ = true;
    if (std::exchange(is_reported_down_, false)) on_change_(true, {});
    for (const auto& call : std::exchange(waiting_, {})) {
      if (!call->has_ended) send(call, "EVALSHA");
    }
    co_await read_replies(*link);
  } catch (const std::exception& error) {
    failure = error.what();
  }
  link->has_ended = true;
  link->setup_deadline.cancel();
  link->alarm.cancel();
  link->stream.close();
  if (!link->cause.empty()) failure = link->cause;
  const bool was_proven = link->is_set_up && now() - up_since >= kProvenAfter;
  if (!was_proven) ++errors_;
  Loss loss{.cause = printable(failure, kLongestCause),
            .was_proven = was_proven,
            .may_be_replaced_at_once = was_proven && (link->cause.empty() || link->replace_at_once)};
  phase_ = loss.may_be_replaced_at_once ? Phase::connecting : Phase::down;
  co_return loss;
}

Task<void> Client::log_in(Link& link) {
  if (!address_.password.empty()) {
    std::vector<std::string_view> words{"AUTH", address_.password.reveal()};
    if (!address_.user.empty()) words.insert(words.begin() + 1, address_.user);
    const auto reply = co_await exchange(link, std::move(words));
    if (reply.kind != Reply::Kind::status) throw std::runtime_error("AUTH was answered with: " + reply.text);
  }
  if (address_.database != 0) {
    const auto number = std::to_string(address_.database);
    std::vector<std::string_view> words{"SELECT", number};
    const auto reply = co_await exchange(link, std::move(words));
    if (reply.kind != Reply::Kind::status) throw std::runtime_error("SELECT was answered with: " + reply.text);
  }
}

// Only a server that runs the script, and lets it write, is one. It knows the script from here on.
Task<void> Client::prove(Link& link) {
  std::vector<std::string_view> words{"EVAL", script_.text, "1", script_.probe.key};
  words.insert(words.end(), script_.probe.arguments.begin(), script_.probe.arguments.end());
  const auto reply = co_await exchange(link, std::move(words));
  if (reply.kind != Reply::Kind::integer || reply.number < script_.least) {
    throw std::runtime_error("the probe was answered with: " + reply.text);
  }
}

Task<Reply> Client::exchange(Link& link, std::vector<std::string_view> words) {
  const auto command = format_command(words);
  co_await link.stream.write(command);
  std::array<char, kReadBytes> buffer{};
  for (;;) {
    if (auto reply = link.reader.next()) co_return *std::move(reply);
    const auto count = co_await link.stream.read_some(buffer);
    link.reader.feed({buffer.data(), count});
  }
}

Task<void> Client::read_replies(Link& link) {
  std::array<char, kReadBytes> buffer{};
  for (;;) {
    while (const auto reply = link.reader.next()) take_reply(*reply);
    const auto count = co_await link.stream.read_some(buffer);
    link.reader.feed({buffer.data(), count});
  }
}

// Ends calls that are overdue, and probes.
Task<void> Client::watch(std::shared_ptr<Link> link) {
  while (!link->has_ended) {
    expire_overdue();
    if (now() >= link->next_probe) {
      link->next_probe = now() + kProbeInterval;
      if (phase_ == Phase::up) probe();
    }
    link->alarm.expires_at(timed_.empty() ? link->next_probe : std::min(link->next_probe, timed_.front()->deadline));
    boost::system::error_code is_woken;
    co_await link->alarm.async_wait(boost::asio::redirect_error(use_task, is_woken));
  }
}

Task<void> Client::write_out(std::shared_ptr<Link> link) {
  try {
    while (!link->outgoing.empty() && !link->has_ended) {
      const auto bytes = std::exchange(link->outgoing, {});
      co_await link->stream.write(bytes);
    }
  } catch (const std::exception&) {
    link->stream.close();  // the reader says why
  }
  link->is_writing = false;
}

void Client::take_in() {
  Calls arrived;
  {
    const std::lock_guard lock(mutex_);
    arrived.swap(arrived_);
  }
  for (const auto& call : arrived) {
    if (phase_ == Phase::down) {
      ++skipped_;
      end(*call);
    } else if (timed_.size() >= kCallsAtOnce) {
      ++errors_;
      end(*call);
    } else {
      timed_.push_back(call);
      if (phase_ == Phase::up) {
        send(call, "EVALSHA");
      } else {
        waiting_.push_back(call);
      }
    }
  }
  if (link_ && !timed_.empty() && link_->alarm.expiry() > timed_.front()->deadline) link_->alarm.cancel();
}

void Client::send(const std::shared_ptr<Call>& call, std::string_view command) {
  const bool is_by_name = command == "EVALSHA";
  std::vector<std::string_view> words{command, is_by_name ? script_digest_ : script_.text, "1", call->what.key};
  words.insert(words.end(), call->what.arguments.begin(), call->what.arguments.end());
  link_->outgoing += format_command(words);
  sent_.push_back(call);
  if (is_by_name) ++calls_;
  if (std::exchange(link_->is_writing, true)) return;
  boost::asio::co_spawn(loop_, write_out(link_), boost::asio::detached);
}

void Client::take_reply(const Reply& reply) {
  if (sent_.empty()) throw ProtocolError("an answer to nothing that was asked");
  const auto call = std::move(sent_.front());
  sent_.pop_front();
  if (reply.kind == Reply::Kind::integer && reply.number >= script_.least) return succeeded(*call, reply.number);
  if (reply.kind != Reply::Kind::error) throw ProtocolError("an answer that the script does not give");
  if (reply.text.starts_with("NOSCRIPT")) {
    if (!call->has_ended) send(call, "EVAL");
    return;
  }
  // Not at the beginning in older versions, which put "Error running script" there.
  if (reply.text.find("READONLY") != std::string::npos) give_up(*link_, reply.text, true);
  failed(*call, reply.text);
}

void Client::expire_overdue() {
  while (!timed_.empty() && (timed_.front()->has_ended || timed_.front()->deadline <= now())) {
    const auto call = std::move(timed_.front());
    timed_.pop_front();
    failed(*call, "no answer within " + std::to_string(kCallDeadline.count()) + " ms");
  }
  std::erase_if(waiting_, [](const auto& call) { return call->has_ended; });
}

void Client::probe() {
  const auto call = std::make_shared<Call>();
  call->what = script_.probe;
  timed_.push_back(call);
  send(call, "EVALSHA");
}

void Client::succeeded(Call& call, std::int64_t number) {
  if (call.has_ended) return;  // too late
  failures_in_a_row_ = 0;
  latency_us_ = std::chrono::duration_cast<std::chrono::microseconds>(now() - call.begin).count();
  call.answer = number;
  end(call);
}

void Client::failed(Call& call, const std::string& cause) {
  if (call.has_ended) return;
  ++errors_;
  end(call);
  if (!link_ || phase_ != Phase::up) return;
  link_->next_probe = std::min(link_->next_probe, now() + kProbeIntervalWhenIll);
  link_->alarm.cancel();
  if (++failures_in_a_row_ >= kFailuresInARow) give_up(*link_, cause, false);
}

void Client::end(Call& call) {
  call.has_ended = true;
  // Moved out first: the coroutine that it resumes holds the call.
  if (const auto waiter = std::move(call.waiter)) waiter->resume(nullptr);
}

void Client::give_up(Link& link, std::string cause, bool replace_at_once) {
  if (!link.cause.empty()) return;
  link.cause = std::move(cause);
  link.replace_at_once = replace_at_once;
  link.stream.close();
  lookup_.cancel();
}

void Client::fail_all(Calls& calls, const std::string& cause) {
  for (const auto& call : std::exchange(calls, {})) failed(*call, cause);
}

void Client::turn_down(const std::string& cause) {
  phase_ = Phase::down;
  fail_all(waiting_, cause);
  if (!std::exchange(is_reported_down_, true)) on_change_(false, cause);
}

milliseconds Client::pause_after(unsigned failures) {
  const auto longest = std::min(kFirstPause * (1 << std::min(failures - 1, 10U)), kLongestPause);
  std::array<std::byte, 4> bytes{};
  random_.fill(bytes);
  std::uint32_t chance = 0;
  std::memcpy(&chance, bytes.data(), bytes.size());
  return longest / 2 + milliseconds(chance % static_cast<std::uint32_t>(longest.count() / 2 + 1));
}

}  // namespace safawinet::redis
