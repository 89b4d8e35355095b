// What Prometheus reads: figures that others hold, asked for when it comes, and the requests that were answered.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace safawinet {

// Counts requests by route and status class with their durations. Written by all event loops without a lock: each has
// its own counters. Threading: count on any thread, with `shard` telling threads apart.
class RequestMetrics {
 public:
  static constexpr std::size_t kShards = 8;
  static constexpr std::array<double, 12> kBoundsSeconds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                                         0.05,   0.1,   0.25,   0.5,   1.0,  5.0};

  // `routes`: "POST /v1/auth/login", …; one more is kept for what matched none.
  explicit RequestMetrics(std::vector<std::string> routes);

  void count(std::size_t shard, std::size_t route, unsigned status, std::chrono::nanoseconds duration);

  struct RouteFigures {
    std::string route;
    std::array<std::uint64_t, 6> by_status_class{};  // [2]: 2xx
    std::array<std::uint64_t, kBoundsSeconds.size() + 1> buckets{};
    double sum_seconds = 0;
  };
  // Those that were asked for at least once.
  [[nodiscard]] std::vector<RouteFigures> figures() const;

 private:
  struct Counters {
    std::array<std::atomic<std::uint64_t>, 6> by_status_class{};
    std::array<std::atomic<std::uint64_t>, kBoundsSeconds.size() + 1> buckets{};
    std::atomic<std::uint64_t> sum_nanoseconds{0};
  };

  std::vector<std::string> routes_;
  std::array<std::unique_ptr<Counters[]>, kShards> shards_;
};

// Everything on one page. Filled at start, then only asked. Threading: text() on any thread.
class Metrics {
 public:
  enum class Kind { counter, gauge };
  struct Sample {
    std::string label_value;
    double value = 0;
  };

  void add(Kind kind, std::string name, std::string help, std::function<double()> read);
  // One family with one label.
  void add(Kind kind, std::string name, std::string help, std::string label, std::function<std::vector<Sample>()> read);
  void add(const RequestMetrics& requests) { requests_ = &requests; }

  // The Prometheus text format, version 0.0.4.
  [[nodiscard]] std::string text() const;

 private:
  struct Family {
    Kind kind;
    std::string name;
    std::string help;
    std::string label;
    std::function<std::vector<Sample>()> read;
  };

  std::vector<Family> families_;
  const RequestMetrics* requests_ = nullptr;
};

}  // namespace safawinet
