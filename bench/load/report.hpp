// The result of a run as one JSON object.
#pragma once

#include <string>

#include "load/generator.hpp"
#include "load/options.hpp"

namespace safawinet::bench {

// Latencies in microseconds. `succeededPerSecond` counts answers with a 2xx status only.
std::string to_json(const Options& options, const Tally& tally);

}  // namespace safawinet::bench
