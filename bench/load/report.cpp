#include "load/report.hpp"

#include <sys/resource.h>

#include <boost/json.hpp>
#include <string>

namespace safawinet::bench {
namespace {

namespace json = boost::json;

std::string_view name_of(WorkloadKind kind) {
  switch (kind) {
    case WorkloadKind::get_me:
      return "get-me";
    case WorkloadKind::refresh:
      return "refresh";
    case WorkloadKind::login:
      return "login";
    case WorkloadKind::raw:
      return "raw";
  }
  return "";
}

double microseconds(double nanoseconds) { return nanoseconds / 1000.0; }

json::object latencies(const Histogram& latency) {
  json::object object;
  for (const auto& [name, percent] :
       {std::pair{"p50", 50.0}, std::pair{"p90", 90.0}, std::pair{"p99", 99.0}, std::pair{"p99.9", 99.9}}) {
    object[name] = microseconds(static_cast<double>(latency.percentile(percent)));
  }
  object["max"] = microseconds(static_cast<double>(latency.max()));
  object["mean"] = microseconds(latency.mean());
  return object;
}

double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

std::string to_json(const Options& options, const Tally& tally) {
  json::object statuses;
  std::uint64_t answers = 0;
  std::uint64_t successes = 0;
  for (std::size_t status = 0; status < tally.statuses.size(); ++status) {
    if (tally.statuses[status] == 0) continue;
    statuses[std::to_string(status)] = tally.statuses[status];
    answers += tally.statuses[status];
    if (status >= 200 && status < 300) successes += tally.statuses[status];
  }
  const auto per_second = [&](std::uint64_t count) {
    return tally.elapsed_seconds > 0 ? static_cast<double>(count) / tally.elapsed_seconds : 0.0;
  };

  json::object result;
  result["workload"] = name_of(options.workload);
  result["loop"] = options.loop == Loop::open ? "open" : "closed";
  if (options.loop == Loop::open) result["offeredPerSecond"] = options.rate_per_second;
  result["connections"] = options.connections;
  result["threads"] = options.threads;
  result["elapsedSeconds"] = tally.elapsed_seconds;
  result["answers"] = answers;
  result["answersPerSecond"] = per_second(answers);
  result["succeededPerSecond"] = per_second(successes);
  result["statuses"] = std::move(statuses);
  result["errors"] = json::object{{"closed", tally.closed},
                                  {"unanswered", tally.unanswered},
                                  {"unreadable", tally.unreadable},
                                  {"notSent", tally.not_sent},
                                  {"notConnected", tally.not_connected}};
  result["reconnections"] = tally.reconnections;
  result["latencyMicroseconds"] = latencies(tally.latency);
  result["processorSeconds"] = processor_seconds();
  return json::serialize(result);
}

}  // namespace safawinet::bench
