#include "sql/postgres/connector.hpp"

#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

#include "sql/postgres/failure.hpp"

namespace safawinet::sql {
namespace {

constexpr std::chrono::milliseconds kPollInterval{20};
// How long the other hosts may still answer when one that takes writes has been found on an unknown timeline.
constexpr std::chrono::milliseconds kOtherHostsWait{150};

using Parameters = std::map<std::string, std::string>;

struct InfoDeleter {
  void operator()(PQconninfoOption* info) const { PQconninfoFree(info); }
};

Parameters parse_url(const std::string& url) {
  char* complaint = nullptr;
  const std::unique_ptr<PQconninfoOption, InfoDeleter> info(PQconninfoParse(url.c_str(), &complaint));
  if (!info) {
    const std::string why = complaint != nullptr ? complaint : "out of memory";
    PQfreemem(complaint);
    throw std::invalid_argument(without_line_end(why));
  }
  Parameters parameters;
  for (const auto* option = info.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) parameters[option->keyword] = option->val;
  }
  return parameters;
}

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (;;) {
    const auto comma = text.find(',', begin);
    parts.push_back(text.substr(begin, comma - begin));
    if (comma == std::string::npos) return parts;
    begin = comma + 1;
  }
}

// One set of parameters for each host.
std::vector<Parameters> hosts_of(const Parameters& all) {
  const auto find = [&all](const char* name) {
    const auto found = all.find(name);
    return found == all.end() ? std::string() : found->second;
  };
  const auto hosts = split_at_commas(find("host"));
  const auto addresses = split_at_commas(find("hostaddr"));
  const auto ports = split_at_commas(find("port"));
  std::vector<Parameters> each;
  for (std::size_t i = 0; i < std::max(hosts.size(), addresses.size()); ++i) {
    auto one = all;
    const auto set = [&one](const char* name, const std::string& value) {
      one.erase(name);
      if (!value.empty()) one[name] = value;
    };
    set("host", i < hosts.size() ? hosts[i] : std::string());
    set("hostaddr", i < addresses.size() ? addresses[i] : std::string());
    set("port", ports.size() == 1 ? ports.front() : i < ports.size() ? ports[i] : std::string());
    each.push_back(std::move(one));
  }
  return each;
}

std::string milliseconds(std::chrono::milliseconds duration) { return std::to_string(duration.count()); }

void add_session_settings(Parameters& parameters, const PostgresOptions& options) {
  auto& session = parameters["options"];
  session = "-c statement_timeout=" + milliseconds(options.statement_timeout) +
            " -c lock_timeout=" + milliseconds(options.lock_timeout) +
            " -c idle_in_transaction_session_timeout=" + milliseconds(options.idle_in_transaction_timeout) +
            " -c timezone=UTC -c datestyle=ISO -c search_path=public " + session;
  parameters["client_encoding"] = "UTF8";
  parameters["target_session_attrs"] = "read-write";
  parameters.emplace("application_name", options.application_name);
  parameters.emplace("keepalives_idle", "5");
  parameters.emplace("keepalives_interval", "2");
  parameters.emplace("keepalives_count", "3");
  parameters.emplace("tcp_user_timeout", "5000");
}

constexpr const char* kWhere =
    "SELECT CASE WHEN pg_is_in_recovery() THEN 0 "
    "ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint END";

// One host on its way to a usable connection.
class Attempt {
 public:
  Attempt(const Parameters& parameters, bool must_know_timeline) : must_know_timeline_(must_know_timeline) {
    std::vector<const char*> names;
    std::vector<const char*> values;
    for (const auto& [name, value] : parameters) {
      names.push_back(name.c_str());
      values.push_back(value.c_str());
    }
    names.push_back(nullptr);
    values.push_back(nullptr);
    handle_.reset(PQconnectStartParams(names.data(), values.data(), 0));
    if (!handle_ || PQstatus(handle_.get()) == CONNECTION_BAD) fail();
  }

  enum class State { connecting, asking, ready, failed };
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] std::uint32_t timeline() const { return timeline_; }
  OpenedConnection take() { return {std::move(handle_), timeline_}; }

  [[nodiscard]] bool is_under_way() const { return state_ == State::connecting || state_ == State::asking; }
  [[nodiscard]] pollfd awaited() const {
    const bool is_reading = state_ == State::asking || wanted_ == PGRES_POLLING_READING;
    return {.fd = PQsocket(handle_.get()), .events = static_cast<short>(is_reading ? POLLIN : POLLOUT), .revents = 0};
  }

  void go_on() {
    if (state_ == State::connecting) {
      wanted_ = PQconnectPoll(handle_.get());
      if (wanted_ == PGRES_POLLING_FAILED) return fail();
      if (wanted_ != PGRES_POLLING_OK) return;
      if (!must_know_timeline_) {
        state_ = State::ready;
      } else if (PQsendQuery(handle_.get(), kWhere) == 0) {
        fail();
      } else {
        state_ = State::asking;
      }
      return;
    }
    if (PQconsumeInput(handle_.get()) == 0) return fail();
    while (PQisBusy(handle_.get()) == 0) {
      PGresult* result = PQgetResult(handle_.get());
      if (result == nullptr) {
        state_ = timeline_ == 0 ? State::failed : State::ready;
        if (timeline_ == 0 && failure_.empty()) failure_ = "is a standby";
        return;
      }
      if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1) {
        timeline_ = static_cast<std::uint32_t>(std::stoul(PQgetvalue(result, 0, 0)));
      } else {
        failure_ = PQresultErrorMessage(result);
      }
      PQclear(result);
    }
  }

 private:
  void fail() {
    state_ = State::failed;
    failure_ = without_line_end(handle_ ? PQerrorMessage(handle_.get()) : "out of memory");
  }

  const bool must_know_timeline_;
  ConnectionHandle handle_;
  State state_ = State::connecting;
  PostgresPollingStatusType wanted_ = PGRES_POLLING_WRITING;
  std::uint32_t timeline_ = 0;
  std::string failure_;
};

void wait_for_any(const std::vector<Attempt>& attempts) {
  std::vector<pollfd> awaited;
  for (const auto& attempt : attempts) {
    if (attempt.is_under_way()) awaited.push_back(attempt.awaited());
  }
  ::poll(awaited.data(), awaited.size(), static_cast<int>(kPollInterval.count()));
}

bool is_ready_to_go_on(const Attempt& attempt) {
  auto awaited = attempt.awaited();
  return ::poll(&awaited, 1, 0) > 0;
}

Attempt* best_of(std::vector<Attempt>& attempts, std::uint32_t least_timeline) {
  Attempt* best = nullptr;
  for (auto& attempt : attempts) {
    if (attempt.state() != Attempt::State::ready || attempt.timeline() < least_timeline) continue;
    if (best == nullptr || attempt.timeline() > best->timeline()) best = &attempt;
  }
  return best;
}

std::string failures_of(const std::vector<Attempt>& attempts, std::uint32_t least_timeline) {
  std::string all = "cannot connect to the database: ";
  bool is_first = true;
  for (const auto& attempt : attempts) {
    if (!std::exchange(is_first, false)) all += "; ";
    if (attempt.is_under_way()) {
      all += "no answer in time";
    } else if (attempt.state() == Attempt::State::ready) {
      all += "a former primary (timeline " + std::to_string(attempt.timeline()) + ", the newest known is " +
             std::to_string(least_timeline) + ")";
    } else {
      all += attempt.failure();
    }
  }
  return all;
}

}  // namespace

OpenedConnection open_connection(const PostgresOptions& options, std::uint32_t least_timeline, Choice choice,
                                 const std::atomic<bool>* is_stopping) {
  auto hosts = hosts_of(parse_url(options.url));
  std::vector<Attempt> attempts;
  attempts.reserve(hosts.size());
  for (auto& host : hosts) {
    add_session_settings(host, options);
    attempts.emplace_back(host, hosts.size() > 1);
  }
  auto deadline = MonotonicClock::now() + options.connect_timeout;
  bool is_found = false;
  for (;;) {
    const bool is_any_under_way = std::ranges::any_of(attempts, &Attempt::is_under_way);
    const auto* best = best_of(attempts, least_timeline);
    const bool is_known = best != nullptr && best->timeline() == least_timeline && least_timeline != 0;
    if (best != nullptr && (hosts.size() == 1 || (is_known && choice == Choice::first_known))) break;
    if (best != nullptr && !std::exchange(is_found, true)) {
      deadline = std::min(deadline, MonotonicClock::now() + kOtherHostsWait);
    }
    const bool must_stop = is_stopping != nullptr && *is_stopping;
    if (!is_any_under_way || must_stop || MonotonicClock::now() >= deadline) break;
    wait_for_any(attempts);
    for (auto& attempt : attempts) {
      if (attempt.is_under_way() && is_ready_to_go_on(attempt)) attempt.go_on();
    }
  }
  auto* best = best_of(attempts, least_timeline);
  if (best == nullptr) throw Unavailable(failures_of(attempts, least_timeline));
  return best->take();
}

std::string complaint_about_url(const std::string& url) {
  try {
    parse_url(url);
    return {};
  } catch (const std::invalid_argument& complaint) {
    return complaint.what();
  }
}

std::size_t count_of_hosts(const std::string& url) { return hosts_of(parse_url(url)).size(); }

Connector::Connector(PostgresOptions options, std::size_t threads)
    : options_(std::move(options)), hosts_(count_of_hosts(options_.url)) {
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { work(); });
    pthread_setname_np(threads_.back().native_handle(), "postgres-connect");
  }
}

Connector::~Connector() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  arrived_.notify_all();
  for (auto& thread : threads_) thread.join();
}

Task<OpenedConnection> Connector::open(Choice choice) {
  OpenedConnection opened;
  auto start = [this, choice, &opened](std::unique_ptr<Resumption> waiting) {
    submit({choice, std::move(waiting), &opened});
  };
  co_await suspend(std::move(start));
  co_return opened;
}

Task<void> Connector::survey() {
  if (hosts_ > 1) co_await open(Choice::best_of_all);
}

void Connector::submit(Job job) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
  }
  arrived_.notify_one();
}

void Connector::work() {
  for (;;) {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return is_stopping_ || !queue_.empty(); });
    if (is_stopping_) return;
    auto job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    std::exception_ptr failure;
    try {
      *job.opened = open_connection(options_, highest_timeline_, job.choice, &is_stopping_);
      raise_timeline(job.opened->timeline);
      last_opened_at_ = std::chrono::nanoseconds(MonotonicClock::now().time_since_epoch()).count();
    } catch (const std::exception&) {
      failure = std::current_exception();
    }
    lock.lock();
    if (is_stopping_) return;  // its loop has ended, or will not run again
    lock.unlock();
    job.waiting->resume(failure);
  }
}

void Connector::raise_timeline(std::uint32_t timeline) {
  auto highest = highest_timeline_.load();
  while (highest < timeline && !highest_timeline_.compare_exchange_weak(highest, timeline)) {
  }
}

}  // namespace safawinet::sql
