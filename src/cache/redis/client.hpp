// Runs one script on a Redis server, for whom an answer is worth waiting a few milliseconds and no more.
#pragma once

#include <boost/asio/ssl/context.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/secret.hpp"
#include "base/suspend.hpp"
#include "base/task.hpp"
#include "cache/redis/name_lookup.hpp"
#include "cache/redis/protocol.hpp"

namespace safawinet::redis {

inline constexpr std::chrono::milliseconds kCallDeadline{50};      // of each call, waiting for the connection included
inline constexpr std::chrono::milliseconds kConnectDeadline{500};  // name, connection, TLS and log-in together
inline constexpr std::chrono::milliseconds kProbeInterval{2'000};
inline constexpr std::chrono::milliseconds kProbeIntervalWhenIll{100};
inline constexpr std::chrono::milliseconds kFirstPause{100};  // before a connection is tried again; doubled each time
inline constexpr std::chrono::milliseconds kLongestPause{4'000};
inline constexpr std::chrono::milliseconds kProvenAfter{1'000};  // a connection that lived so long was a good one
inline constexpr unsigned kFailuresInARow = 3;                   // of calls, before the connection is given up
inline constexpr std::size_t kCallsAtOnce = 4'096;

struct ServerAddress {
  std::string host;
  std::uint16_t port = 6379;
  std::string user;     // empty: the default user
  SecretText password;  // empty: no AUTH
  unsigned database = 0;
  std::shared_ptr<boost::asio::ssl::context> tls;  // none: plain
};

// What was asked, as what KEYS[1] and ARGV of the script will be.
struct ScriptCall {
  std::string key;
  std::vector<std::string> arguments;
};

struct ClientState {
  bool is_up = false;
  std::chrono::microseconds latency{0};  // of the last call that was answered
  std::uint64_t calls = 0;               // that were sent
  std::uint64_t errors = 0;              // calls and attempts to connect that failed
  std::uint64_t skipped = 0;             // calls that were not sent, since the server is known to be down
};

// One connection, pipelined, on one event loop. The connection is the circuit breaker too: after kFailuresInARow it is
// given up, and while there is none, calls fail at once. It is tried again after a growing, jittered pause, by a probe
// that runs the script, never by a caller; so a frozen server does not cost every caller the deadline. A connection
// that was proven good and is lost is replaced at once, as is one to a replica (READONLY: the primary has moved behind
// its name), and calls wait for that within their deadline.
class Client {
 public:
  // The text of the script, and a call of it that changes nothing that matters and writes. The script answers with an
  // integer that is not below `least`.
  struct Script {
    std::string text;
    ScriptCall probe;
    std::int64_t least = 0;
  };
  // A short text for the log, when it is down (with the cause) and when it is up again.
  using OnChange = std::function<void(bool is_up, std::string_view cause)>;

  Client(EventLoop& loop, ServerAddress address, Script script, Random& random);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Connects and keeps the connection until the loop ends; once, on the loop of the constructor. `on_change` is called
  // there.
  Task<void> run(OnChange on_change);

  // What the script answered; none if there was no answer in time, or one that it does not give. Never throws.
  // Threading: any event loop.
  Task<std::optional<std::int64_t>> call(ScriptCall what);

  // Threading: any thread.
  [[nodiscard]] ClientState state() const;

  // Until it is up or has failed once, but no longer than an attempt may take. On the loop of run(), which has begun.
  Task<void> wait_for_first_try();

  // For the end of the process, when the event loops have stopped but still exist: ends who waits, unheard,
  // and closes the connection.
  void abandon_waiting();

 private:
  struct Call;
  struct Link;
  using Calls = std::deque<std::shared_ptr<Call>>;
  enum class Phase { down, connecting, up };  // calls fail at once, wait, are sent
  struct Loss {
    std::string cause;
    bool was_proven = false;
    bool may_be_replaced_at_once = false;
  };

  Task<Loss> serve(std::shared_ptr<Link> link);
  Task<void> log_in(Link& link);
  Task<void> prove(Link& link);
  Task<Reply> exchange(Link& link, std::vector<std::string_view> words);
  Task<void> read_replies(Link& link);
  Task<void> watch(std::shared_ptr<Link> link);
  Task<void> write_out(std::shared_ptr<Link> link);

  void take_in();
  void send(const std::shared_ptr<Call>& call, std::string_view command);
  void take_reply(const Reply& reply);
  void expire_overdue();
  void probe();
  void succeeded(Call& call, std::int64_t number);
  void failed(Call& call, const std::string& cause);
  void end(Call& call);
  void give_up(Link& link, std::string cause, bool replace_at_once);
  void fail_all(Calls& calls, const std::string& cause);
  void turn_down(const std::string& cause);
  std::chrono::milliseconds pause_after(unsigned failures);

  EventLoop& loop_;
  const ServerAddress address_;
  const Script script_;
  const std::string script_digest_;  // SHA-1 in hexadecimal, which is the script's name
  Random& random_;
  OnChange on_change_;

  std::mutex mutex_;
  Calls arrived_;  // under mutex_: not seen by the loop yet

  // Of the loop alone.
  Calls waiting_;  // for the connection
  Calls sent_;     // in the order in which they are answered
  Calls timed_;    // in the order of their deadlines; some have ended
  std::shared_ptr<Link> link_;
  NameLookup lookup_;
  unsigned failures_in_a_row_ = 0;
  bool is_reported_down_ = false;
  bool has_tried_ = false;

  std::atomic<Phase> phase_{Phase::down};

  std::atomic<std::int64_t> latency_us_{0};
  std::atomic<std::uint64_t> calls_{0};
  std::atomic<std::uint64_t> errors_{0};
  std::atomic<std::uint64_t> skipped_{0};
};

}  // namespace safawinet::redis
