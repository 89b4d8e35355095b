#include "load/options.hpp"

#include <arpa/inet.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <charconv>
#include <map>
#include <string_view>

namespace safawinet::bench {
namespace {

std::chrono::nanoseconds from_seconds(double seconds) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds));
}

// "127.0.0.1:8080" or "[::1]:8080".
std::string read_target(const std::string& target, Options& options) {
  const std::size_t colon = target.rfind(':');
  if (colon == std::string::npos) return "the target is ADDRESS:PORT";
  std::string address = target.substr(0, colon);
  if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
  }
  if (!is_loopback(address)) return "only loopback addresses (127.0.0.0/8, ::1) are put under load";
  const std::string_view port = std::string_view(target).substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), options.port);
  if (error != std::errc{} || end != port.data() + port.size() || options.port == 0) return "the port is not a number";
  options.address = address;
  return {};
}

}  // namespace

std::optional<Options> read_options(int argc, char** argv, int& exit_code) {
  Options options;
  std::string target;
  double duration_seconds = 10;
  double warmup_seconds = 0;
  double answer_deadline_seconds = 10;
  const std::map<std::string, WorkloadKind> workloads{{"get-me", WorkloadKind::get_me},
                                                      {"refresh", WorkloadKind::refresh},
                                                      {"login", WorkloadKind::login},
                                                      {"raw", WorkloadKind::raw}};
  std::string workload;
  std::string arrivals = "poisson";

  CLI::App app("Puts a Safawinet server on this machine under load and reports as JSON on stdout.");
  app.add_option("workload", workload, "get-me, refresh, login or raw")->required()->check(CLI::IsMember(workloads));
  app.add_option("target", target, "ADDRESS:PORT on loopback")->required();
  app.add_option("--items", options.items_file,
                 "one per line: access tokens (get-me), refresh tokens (refresh), email<TAB>password (login)");
  app.add_option("--save", options.save_file, "leave accessToken<TAB>refreshToken lines here (login, refresh)");
  app.add_option("--path", options.path, "what raw asks for");
  app.add_option("--rate", options.rate_per_second, "open loop: requests per second (without it: closed loop)")
      ->check(CLI::Range(0.1, kHighestRatePerSecond));
  app.add_option("--arrivals", arrivals, "open loop: poisson or even")->check(CLI::IsMember({"poisson", "even"}));
  app.add_option("--seed", options.seed, "of the Poisson arrivals");
  app.add_option("--connections", options.connections)->check(CLI::Range(std::size_t{1}, kMostConnections));
  app.add_option("--threads", options.threads)->check(CLI::Range(std::size_t{1}, kMostThreads));
  app.add_option("--duration", duration_seconds, "seconds that count")
      ->check(CLI::Range(0.01, static_cast<double>(kLongestDuration.count())));
  app.add_option("--warmup", warmup_seconds, "seconds before, which do not")->check(CLI::Range(0.0, 60.0));
  app.add_option("--answer-deadline", answer_deadline_seconds, "seconds until a request counts as unanswered")
      ->check(CLI::Range(0.01, 60.0));
  app.add_option("--requests", options.most_requests, "stop after so many")
      ->check(CLI::Range(std::uint64_t{1}, kMostRequests));
  app.add_flag("--once", options.once, "closed loop: use every item exactly once, then stop");
  try {
    app.parse(argc, argv);
    options.workload = workloads.at(workload);
    options.loop = options.rate_per_second > 0 ? Loop::open : Loop::closed;
    options.arrivals = arrivals == "even" ? Arrivals::even : Arrivals::poisson;
    options.duration = from_seconds(duration_seconds);
    options.warmup = from_seconds(warmup_seconds);
    options.answer_deadline = from_seconds(answer_deadline_seconds);
    if (const std::string refusal = read_target(target, options); !refusal.empty()) {
      throw CLI::ValidationError("target", refusal);
    }
    if (options.workload != WorkloadKind::raw && options.items_file.empty()) throw CLI::RequiredError("--items");
    if (options.once && options.loop == Loop::open) throw CLI::ValidationError("--once", "is for the closed loop");
    if (options.connections < options.threads) throw CLI::ValidationError("--threads", "more threads than connections");
  } catch (const CLI::ParseError& error) {
    exit_code = app.exit(error) == 0 ? 0 : 2;
    return std::nullopt;
  }
  return options;
}

bool is_loopback(const std::string& address) {
  in_addr four{};
  if (inet_pton(AF_INET, address.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24U) == 127;
  in6_addr six{};
  return inet_pton(AF_INET6, address.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

}  // namespace safawinet::bench
