// Sends the requests of a workload over many connections, on a schedule (open loop) or back to back (closed loop).
#pragma once

#include <array>
#include <cstdint>

#include "load/histogram.hpp"
#include "load/options.hpp"
#include "load/workload.hpp"

namespace safawinet::bench {

// What one thread saw of the counted part of a run (after the warm-up). Threads' tallies are added up.
struct Tally {
  Histogram latency;  // open loop: from the moment a request was due; closed loop: from the moment it was sent
  std::array<std::uint64_t, 600> statuses{};

  std::uint64_t closed = 0;         // the server closed the connection instead of answering
  std::uint64_t unanswered = 0;     // no answer within the deadline
  std::uint64_t unreadable = 0;     // an answer that is not HTTP/1.1 as we know it
  std::uint64_t not_sent = 0;       // due, but no connection became free before the end
  std::uint64_t not_connected = 0;  // attempts to connect that failed
  std::uint64_t reconnections = 0;
  double elapsed_seconds = 0;  // from the end of the warm-up to the end, or to the last counted answer if that is later

  void add(const Tally& other);
};

// Runs to its end: duration, count or items used up, whichever comes first, plus at most the answer deadline. Open
// loop: what is still due or unanswered then counts with the time that it has waited, so that percentiles stay honest.
// `workload` is shared by the threads as its contract allows.
Tally run_load(const Options& options, Workload& workload);

}  // namespace safawinet::bench
