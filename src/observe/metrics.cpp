#include "observe/metrics.hpp"

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace safawinet {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr auto kRelaxed = std::memory_order_relaxed;  // counters say nothing about other memory

MetricFamily request_counts(const std::vector<RequestMetrics::RouteFigures>& figures) {
  MetricFamily family{
      "safawinet_http_requests_total", "Requests answered, by route and class of status.", MetricType::Counter, {}};
  for (const auto& route : figures) {
    for (std::size_t status_class = 1; status_class < route.by_status_class.size(); ++status_class) {
      if (route.by_status_class[status_class] == 0) continue;
      ClientMetric metric;
      metric.label = {{"route", route.route}, {"status", std::to_string(status_class) + "xx"}};
      metric.counter.value = static_cast<double>(route.by_status_class[status_class]);
      family.metric.push_back(std::move(metric));
    }
  }
  return family;
}

MetricFamily request_durations(const std::vector<RequestMetrics::RouteFigures>& figures) {
  MetricFamily family{"safawinet_http_request_duration_seconds",
                      "From the whole request to the answer, by route.",
                      MetricType::Histogram,
                      {}};
  for (const auto& route : figures) {
    ClientMetric metric;
    metric.label = {{"route", route.route}};
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < route.buckets.size(); ++i) {
      total += route.buckets[i];
      const bool is_last = i == RequestMetrics::kBoundsSeconds.size();
      const double bound = is_last ? std::numeric_limits<double>::infinity() : RequestMetrics::kBoundsSeconds[i];
      metric.histogram.bucket.push_back({total, bound});
    }
    metric.histogram.sample_count = total;
    metric.histogram.sample_sum = route.sum_seconds;
    family.metric.push_back(std::move(metric));
  }
  return family;
}

}  // namespace

RequestMetrics::RequestMetrics(std::vector<std::string> routes) : routes_(std::move(routes)) {
  routes_.emplace_back("none");
  for (auto& shard : shards_) shard = std::make_unique<Counters[]>(routes_.size());
}

void RequestMetrics::count(std::size_t shard, std::size_t route, unsigned status, std::chrono::nanoseconds duration) {
  auto& counters = shards_[shard % kShards][std::min(route, routes_.size() - 1)];
  counters.by_status_class[std::min(status / 100, 5U)].fetch_add(1, kRelaxed);
  const double seconds = std::chrono::duration<double>(duration).count();
  const auto bucket = std::ranges::lower_bound(kBoundsSeconds, seconds) - kBoundsSeconds.begin();
  counters.buckets[static_cast<std::size_t>(bucket)].fetch_add(1, kRelaxed);
  counters.sum_nanoseconds.fetch_add(static_cast<std::uint64_t>(duration.count()), kRelaxed);
}

std::vector<RequestMetrics::RouteFigures> RequestMetrics::figures() const {
  std::vector<RouteFigures> all;
  for (std::size_t route = 0; route < routes_.size(); ++route) {
    RouteFigures figures{.route = routes_[route]};
    std::uint64_t requests = 0;
    for (const auto& shard : shards_) {
      const auto& counters = shard[route];
      for (std::size_t i = 0; i < figures.by_status_class.size(); ++i) {
        figures.by_status_class[i] += counters.by_status_class[i].load(kRelaxed);
      }
      for (std::size_t i = 0; i < figures.buckets.size(); ++i) {
        figures.buckets[i] += counters.buckets[i].load(kRelaxed);
        requests += counters.buckets[i].load(kRelaxed);
      }
      figures.sum_seconds += static_cast<double>(counters.sum_nanoseconds.load(kRelaxed)) / 1e9;
    }
    if (requests > 0) all.push_back(std::move(figures));
  }
  return all;
}

void Metrics::add(Kind kind, std::string name, std::string help, std::function<double()> read) {
  auto one = [read = std::move(read)] { return std::vector<Sample>{{.label_value = {}, .value = read()}}; };
  families_.push_back({kind, std::move(name), std::move(help), {}, std::move(one)});
}

void Metrics::add(Kind kind, std::string name, std::string help, std::string label,
                  std::function<std::vector<Sample>()> read) {
  families_.push_back({kind, std::move(name), std::move(help), std::move(label), std::move(read)});
}

std::string Metrics::text() const {
  std::vector<MetricFamily> families;
  for (const auto& source : families_) {
    const bool is_counter = source.kind == Kind::counter;
    MetricFamily family{source.name, source.help, is_counter ? MetricType::Counter : MetricType::Gauge, {}};
    for (const auto& sample : source.read()) {
      ClientMetric metric;
      if (!source.label.empty()) metric.label = {{source.label, sample.label_value}};
      (is_counter ? metric.counter.value : metric.gauge.value) = sample.value;
      family.metric.push_back(std::move(metric));
    }
    families.push_back(std::move(family));
  }
  if (requests_ != nullptr) {
    const auto figures = requests_->figures();
    families.push_back(request_counts(figures));
    families.push_back(request_durations(figures));
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace safawinet
