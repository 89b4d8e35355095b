// The person or the program in front: what is printed, asked and waited for.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/secret.hpp"
#include "base/signals_blocked.hpp"

namespace safawinet::cli {

// From here on Ctrl-C and SIGTERM are noticed by check_interrupted(), by waits, questions and requests, which throw
// Interrupted; a broken pipe is an error of the write.
void notice_interrupts();
[[nodiscard]] bool is_interrupted();
void check_interrupted();
// Ends this process the way in which the signal would have, so that the caller's shell sees it.
[[noreturn]] void end_by_interrupt();
// Ends it by this signal.
[[noreturn]] void end_by(int signal);

// Puts Ctrl-C and SIGTERM off while something is between two places: exchanged at the server, and not yet in its file.
// May be nested. Throws Interrupted when there was one before.
class InterruptsPutOff {
 public:
  InterruptsPutOff();

 private:
  SignalsBlocked blocked_;
};

// Sleeps in steps that Ctrl-C ends.
void wait_for(std::chrono::milliseconds time);
// Until there is something to read, or the end; Ctrl-C ends it.
void wait_readable(int file);

class Console {
 public:
  Console();

  // To stdout, as it is. Throws Failure when it cannot be written (a full disk, a reader that has gone).
  void write(std::string_view text);
  // A line on stderr, made inert.
  void note(std::string_view text);

  [[nodiscard]] bool is_output_terminal() const { return is_output_terminal_; }
  // The columns of the terminal; 0 when stdout is none.
  [[nodiscard]] std::size_t width() const;

  // Whether there is one to ask on, wherever stdin and stdout lead.
  [[nodiscard]] static bool has_terminal();
  // Asks on the terminal. Throws Failure when there is none; `otherwise` says what to do then.
  std::string ask(std::string_view question, std::string_view otherwise);
  // The same without showing what is typed.
  SecretText ask_secret(std::string_view question, std::string_view otherwise);
  // True for "y" or "yes". Throws Failure (exit 1) when there is no terminal: nothing is done unasked.
  bool ask_yes(std::string_view question);
  // The first line of stdin, for --password-stdin; when that is a terminal, it is asked without showing what is typed.
  // Throws Failure when there is none.
  static SecretText secret_from_stdin();

  // Where long work is: one line that is written over on a terminal, plain lines (at most one a second) elsewhere.
  void progress(std::string_view text);
  // The line stays, and what follows begins a new one.
  void end_progress();

 private:
  bool is_output_terminal_;
  bool is_error_terminal_;
  bool is_progress_open_ = false;
  std::size_t progress_columns_ = 0;
  std::string last_progress_;
  std::chrono::steady_clock::time_point last_line_{};
};

}  // namespace safawinet::cli
