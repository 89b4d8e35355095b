#include "sql/postgres/jitter.hpp"

#include <random>

namespace safawinet::sql {

std::chrono::milliseconds between(std::chrono::milliseconds least, std::chrono::milliseconds most) {
  thread_local std::minstd_rand random{std::random_device{}()};
  std::uniform_int_distribution<std::chrono::milliseconds::rep> length(least.count(), most.count());
  return std::chrono::milliseconds(length(random));
}

}  // namespace safawinet::sql
