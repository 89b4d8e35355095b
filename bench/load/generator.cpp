#include "load/generator.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "load/connection.hpp"

namespace safawinet::bench {
namespace {

using std::chrono::nanoseconds;

constexpr nanoseconds kSweepInterval = std::chrono::milliseconds(50);
constexpr int kReconnectionsInARow = 100;  // then a connection is given up
constexpr std::size_t kEventsPerWait = 256;

std::uint64_t as_count(nanoseconds duration) {
  return static_cast<std::uint64_t>(std::max(duration, nanoseconds{0}).count());
}

// When requests are due. The moments depend on rate and seed alone, never on how the server does.
class Schedule {
 public:
  Schedule(Moment start, double rate_per_second, Arrivals arrivals, std::uint64_t seed)
      : next_(start), gap_nanoseconds_(1e9 / rate_per_second), arrivals_(arrivals), random_(seed), exponential_(1.0) {}

  [[nodiscard]] Moment next() const { return next_; }
  void advance() {
    remainder_ += arrivals_ == Arrivals::even ? gap_nanoseconds_ : gap_nanoseconds_ * exponential_(random_);
    const nanoseconds whole(static_cast<nanoseconds::rep>(remainder_));
    remainder_ -= static_cast<double>(whole.count());
    next_ += whole;
  }

 private:
  Moment next_;
  double gap_nanoseconds_;
  double remainder_ = 0;
  Arrivals arrivals_;
  std::mt19937_64 random_;
  std::exponential_distribution<double> exponential_;
};

struct Slot {
  Connection connection;
  std::size_t first_item = 0;
  std::size_t next_item = 0;
  std::size_t item = 0;  // of the request in flight
  Moment counts_from;    // of the request in flight: when it was due, or sent
  Moment sent_at;
  int failures_in_a_row = 0;
  bool is_busy = false;
  bool is_spent = false;  // has no usable item left, or cannot connect
  bool awaits_writable = false;
};

// One thread's part of a run.
class Driver {
 public:
  Driver(const Options& options, Workload& workload, std::size_t thread)
      : options_(options), workload_(workload), thread_(thread), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_.is_open()) throw std::runtime_error("epoll_create1 failed");
    for (std::size_t number = thread; number < options.connections; number += options.threads) {
      Slot& slot = slots_.emplace_back();
      slot.first_item = slot.next_item = number % workload.size();
      slot.is_spent = options.once && number >= workload.size();
    }
    most_requests_ =
        options.most_requests / options.threads + (thread < options.most_requests % options.threads ? 1 : 0);
  }

  // Throws when not even one connection can be made.
  void connect() {
    for (std::size_t number = 0; number < slots_.size(); ++number) {
      if (!slots_[number].is_spent && connect(number)) idle_.push_back(number);
    }
    if (idle_.empty()) throw std::runtime_error("cannot connect");
  }

  Tally run(Moment start) {
    counted_from_ = start + options_.warmup;
    end_ = counted_from_ + options_.duration;
    give_up_ = end_ + options_.answer_deadline;
    if (options_.loop == Loop::open) {
      run_open(start);
    } else {
      run_closed();
    }
    finish();
    return tally_;
  }

 private:
  void run_open(Moment start) {
    Schedule schedule(start, options_.rate_per_second / static_cast<double>(options_.threads), options_.arrivals,
                      options_.seed + thread_);
    std::uint64_t arrived = 0;
    for (Moment now = Clock::now(); now < give_up_; now = Clock::now()) {
      for (; schedule.next() <= now && schedule.next() < end_ && arrived < most_requests_;
           schedule.advance(), ++arrived) {
        due_.push_back(schedule.next());
      }
      while (!due_.empty() && !idle_.empty()) {
        const Moment due = due_.front();
        due_.pop_front();
        send(take_idle(), due);
      }
      const bool expects_more = schedule.next() < end_ && arrived < most_requests_;
      if (!expects_more && busy_ == 0 && (due_.empty() || idle_.empty())) {
        stopped_early_ = schedule.next() < end_;
        break;
      }
      wait_until(expects_more ? schedule.next() : give_up_);
    }
  }

  void run_closed() {
    std::uint64_t sent = 0;
    for (Moment now = Clock::now(); now < give_up_; now = Clock::now()) {
      while (!idle_.empty() && now < end_ && sent < most_requests_) {
        now = Clock::now();
        send(take_idle(), now);
        ++sent;
      }
      if (busy_ == 0) {
        stopped_early_ = now < end_;
        break;
      }
      wait_until(give_up_);
    }
  }

  std::size_t take_idle() {
    const std::size_t number = idle_.front();
    idle_.pop_front();
    return number;
  }

  void send(std::size_t number, Moment counts_from) {
    Slot& slot = slots_[number];
    slot.item = slot.next_item;
    slot.counts_from = counts_from;
    slot.sent_at = options_.loop == Loop::open ? Clock::now() : counts_from;
    slot.is_busy = true;
    ++busy_;
    if (!slot.connection.send(workload_.request(slot.item))) {
      fail(number, tally_.closed);
    } else if (slot.connection.has_unsent() != slot.awaits_writable) {
      watch(number, EPOLL_CTL_MOD);
    }
  }

  void wait_until(Moment moment) {
    const Moment now = Clock::now();
    if (now >= next_sweep_) sweep(now);
    const nanoseconds wait = std::clamp(std::min(moment, next_sweep_) - now, nanoseconds{0}, kSweepInterval);
    const timespec timeout{wait.count() / 1'000'000'000, wait.count() % 1'000'000'000};

    const int count = ::epoll_pwait2(epoll_.descriptor(), events_.data(), kEventsPerWait, &timeout, nullptr);
    if (count < 0 && errno != EINTR) throw std::runtime_error("epoll_pwait2 failed (Linux 5.11 or newer is needed)");
    for (int index = 0; index < count; ++index) handle(events_[static_cast<std::size_t>(index)]);
  }

  void handle(const epoll_event& event) {
    const std::size_t number = event.data.u64;
    Slot& slot = slots_[number];
    if (!slot.connection.is_open()) return;
    if ((event.events & EPOLLOUT) != 0) {
      if (!slot.connection.send_rest()) return fail(number, tally_.closed);
      if (!slot.connection.has_unsent()) watch(number, EPOLL_CTL_MOD);
    }
    if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
    Answer answer;
    switch (slot.connection.receive(answer)) {
      case Connection::Received::nothing:
        return;
      case Connection::Received::closed:
        return fail(number, tally_.closed);
      case Connection::Received::unreadable:
        return fail(number, tally_.unreadable);
      case Connection::Received::answer:
        if (!slot.is_busy) return fail(number, tally_.unreadable);
        return take(number, answer);
    }
  }

  void take(std::size_t number, const Answer& answer) {
    Slot& slot = slots_[number];
    const Moment now = Clock::now();
    slot.is_busy = false;
    slot.failures_in_a_row = 0;
    --busy_;
    workload_.take_answer(slot.item, answer.status, answer.body);
    if (is_counted(slot.counts_from) && (options_.loop == Loop::open || now <= end_)) {
      tally_.latency.record(as_count(now - slot.counts_from));
      ++tally_.statuses[static_cast<std::size_t>(answer.status) % tally_.statuses.size()];
      last_answer_ = now;
    }
    move_on(slot);
    if (slot.is_spent) return slot.connection.close();
    if (answer.keeps_connection || reconnect(number)) idle_.push_back(number);
  }

  // To the connection's next usable item, if it has one.
  void move_on(Slot& slot) {
    const std::size_t before = slot.next_item;
    do {
      slot.next_item += options_.connections;
      if (slot.next_item >= workload_.size()) {
        slot.next_item = slot.first_item;
        slot.is_spent = options_.once;
      }
    } while (!slot.is_spent && !workload_.is_usable(slot.next_item) && slot.next_item != before);
    if (!slot.is_spent) slot.is_spent = !workload_.is_usable(slot.next_item);
  }

  // The connection broke, or is broken off: its request (if any) failed, and the next one goes over a new connection.
  void fail(std::size_t number, std::uint64_t& counter) {
    Slot& slot = slots_[number];
    if (slot.is_busy) {
      slot.is_busy = false;
      --busy_;
      if (is_counted(slot.counts_from)) {
        ++counter;
        if (options_.loop == Loop::open) tally_.latency.record(as_count(Clock::now() - slot.counts_from));
      }
      move_on(slot);
    } else {
      std::erase(idle_, number);
    }
    if (slot.is_spent) return slot.connection.close();
    if (reconnect(number)) idle_.push_back(number);
  }

  bool reconnect(std::size_t number) {
    Slot& slot = slots_[number];
    ++tally_.reconnections;
    if (++slot.failures_in_a_row <= kReconnectionsInARow && connect(number)) return true;
    slot.connection.close();
    slot.is_spent = true;
    return false;
  }

  bool connect(std::size_t number) {
    Slot& slot = slots_[number];
    slot.connection.close();
    if (!slot.connection.open(options_.address, options_.port)) {
      ++tally_.not_connected;
      return false;
    }
    watch(number, EPOLL_CTL_ADD);
    return true;
  }

  void watch(std::size_t number, int operation) {
    Slot& slot = slots_[number];
    slot.awaits_writable = slot.connection.has_unsent();
    epoll_event event{};
    event.events = EPOLLIN | (slot.awaits_writable ? EPOLLOUT : 0U);
    event.data.u64 = number;
    if (::epoll_ctl(epoll_.descriptor(), operation, slot.connection.descriptor(), &event) != 0) {
      throw std::runtime_error("epoll_ctl failed");
    }
  }

  void sweep(Moment now) {
    next_sweep_ = now + kSweepInterval;
    for (std::size_t number = 0; number < slots_.size(); ++number) {
      const Slot& slot = slots_[number];
      if (slot.is_busy && now - slot.sent_at > options_.answer_deadline) fail(number, tally_.unanswered);
    }
  }

  // What never got an answer counts with the time that it has waited until now.
  void finish() {
    const Moment now = Clock::now();
    for (const Slot& slot : slots_) {
      if (!slot.is_busy || !is_counted(slot.counts_from)) continue;
      ++tally_.unanswered;
      if (options_.loop == Loop::open) tally_.latency.record(as_count(now - slot.counts_from));
    }
    for (const Moment due : due_) {
      if (!is_counted(due)) continue;
      ++tally_.not_sent;
      tally_.latency.record(as_count(now - due));
    }
    // Stopped by its time, the window is the duration; stopped earlier (count, items), it ends with the last answer.
    const Moment until = stopped_early_ ? last_answer_ : std::max(end_, last_answer_);
    tally_.elapsed_seconds = std::max(0.0, std::chrono::duration<double>(until - counted_from_).count());
  }

  [[nodiscard]] bool is_counted(Moment moment) const { return moment >= counted_from_; }

  using Clock = std::chrono::steady_clock;

  const Options& options_;
  Workload& workload_;
  std::size_t thread_;
  Socket epoll_;
  std::deque<Slot> slots_;
  std::deque<std::size_t> idle_;  // first in, first out: the load goes round all connections
  std::deque<Moment> due_;        // bounded by the count of requests
  std::size_t busy_ = 0;
  std::uint64_t most_requests_ = 0;
  bool stopped_early_ = false;  // by the count or by the items, not by the time
  Moment counted_from_;
  Moment end_;
  Moment give_up_;
  Moment next_sweep_;
  Moment last_answer_;
  std::array<epoll_event, kEventsPerWait> events_{};
  Tally tally_;
};

}  // namespace

void Tally::add(const Tally& other) {
  latency.merge(other.latency);
  for (std::size_t status = 0; status < statuses.size(); ++status) statuses[status] += other.statuses[status];
  closed += other.closed;
  unanswered += other.unanswered;
  unreadable += other.unreadable;
  not_sent += other.not_sent;
  not_connected += other.not_connected;
  reconnections += other.reconnections;
  elapsed_seconds = std::max(elapsed_seconds, other.elapsed_seconds);
}

Tally run_load(const Options& options, Workload& workload) {
  if (options.workload == WorkloadKind::refresh && workload.size() < options.connections) {
    throw std::runtime_error("refresh needs at least one session per connection");
  }
  std::deque<Driver> drivers;
  for (std::size_t thread = 0; thread < options.threads; ++thread) {
    drivers.emplace_back(options, workload, thread).connect();
  }
  const Moment start = std::chrono::steady_clock::now();
  std::vector<Tally> tallies(options.threads);
  {
    std::vector<std::jthread> threads;
    for (std::size_t thread = 1; thread < options.threads; ++thread) {
      threads.emplace_back([&, thread] { tallies[thread] = drivers[thread].run(start); });
    }
    tallies[0] = drivers[0].run(start);
  }
  Tally total;
  for (const Tally& tally : tallies) total.add(tally);
  return total;
}

}  // namespace safawinet::bench
