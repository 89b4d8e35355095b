// What one run of the load generator does. Every bound has a hard limit, and only loopback is ever spoken to.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace safawinet::bench {

enum class WorkloadKind { get_me, refresh, login, raw };
// Open loop: requests are due on a schedule, whether or not earlier ones were answered, and their latency counts from
// the moment they were due (so a stalled server cannot hide the requests that it kept from being sent). Closed loop:
// each connection sends as soon as its last answer has come: the peak.
enum class Loop { open, closed };
enum class Arrivals { poisson, even };

struct Options {
  WorkloadKind workload = WorkloadKind::raw;
  std::string address;  // numeric, loopback: "127.0.0.1" or "::1"
  std::uint16_t port = 0;
  std::string items_file;  // access tokens, refresh tokens, or "email<TAB>password", one a line
  std::string save_file;   // where login and refresh leave "accessToken<TAB>refreshToken" lines; empty: nowhere
  std::string path = "/";  // of `raw`

  Loop loop = Loop::closed;
  double rate_per_second = 0;  // of the open loop
  Arrivals arrivals = Arrivals::poisson;
  std::uint64_t seed = 1;  // of the Poisson arrivals
  std::size_t connections = 64;
  std::size_t threads = 1;
  std::chrono::nanoseconds duration = std::chrono::seconds(10);
  std::chrono::nanoseconds warmup{0};  // before the duration; what is due in it is sent but not counted
  std::chrono::nanoseconds answer_deadline = std::chrono::seconds(10);
  std::uint64_t most_requests = 10'000'000;
  bool once = false;  // use every item exactly once, then stop
};

inline constexpr std::size_t kMostConnections = 4096;
inline constexpr std::size_t kMostThreads = 2;
inline constexpr double kHighestRatePerSecond = 500'000;
inline constexpr std::chrono::seconds kLongestDuration{600};
inline constexpr std::uint64_t kMostRequests = 10'000'000;

// Reads the command line; none when it asked for help or was refused (the reason is on stderr and `exit_code` is set).
std::optional<Options> read_options(int argc, char** argv, int& exit_code);

// Whether it is a numeric address of the loopback network: 127.0.0.0/8 or ::1. Names are never resolved.
bool is_loopback(const std::string& address);

}  // namespace safawinet::bench
