// Chance in the length of pauses, so that nodes that failed together do not come back in step.
#pragma once

#include <chrono>

namespace safawinet::sql {

// Any length from `least` to `most`. Threading: any.
std::chrono::milliseconds between(std::chrono::milliseconds least, std::chrono::milliseconds most);

}  // namespace safawinet::sql
