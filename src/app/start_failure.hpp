// Why the server does not start.
#pragma once

#include <stdexcept>
#include <string>

namespace safawinet::app {

inline constexpr int kExitFailed = 1;  // refused or failed
inline constexpr int kExitUsage = 2;   // what the operator wrote is wrong

// what() says what to change.
class StartFailure : public std::runtime_error {
 public:
  StartFailure(int exit_code, const std::string& message) : std::runtime_error(message), exit_code_(exit_code) {}
  [[nodiscard]] int exit_code() const { return exit_code_; }

 private:
  int exit_code_;
};

}  // namespace safawinet::app
