// Why a command does not do what was asked.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace safawinet::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;  // refused or failed
inline constexpr int kUsage = 2;   // what was typed is wrong

// what() says what went wrong; next() what to try, or nothing.
class Failure : public std::runtime_error {
 public:
  explicit Failure(const std::string& what, std::string next = {}, int exit_code = kFailed)
      : std::runtime_error(what), next_(std::move(next)), exit_code_(exit_code) {}
  [[nodiscard]] const std::string& next() const { return next_; }
  [[nodiscard]] int exit_code() const { return exit_code_; }

 private:
  std::string next_;
  int exit_code_;
};

// Whoever reads stdout has gone, as head does: that is no failure of anybody.
class ReaderGone : public Failure {
 public:
  ReaderGone() : Failure("nobody reads the output any more") {}
};

// Ctrl-C, noticed where it is safe to stop.
class Interrupted : public std::exception {
 public:
  [[nodiscard]] const char* what() const noexcept override { return "interrupted"; }
};

}  // namespace safawinet::cli
