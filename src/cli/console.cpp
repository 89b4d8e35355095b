#include "cli/console.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include "base/file.hpp"
#include "cli/failure.hpp"
#include "cli/text.hpp"

namespace safawinet::cli {
namespace {

constexpr std::chrono::milliseconds kStep{50};
constexpr std::chrono::seconds kBetweenPlainLines{1};
constexpr std::size_t kAnswerLimit = 4096;  // bytes
constexpr std::size_t kLeastWidth = 40;     // columns

volatile sig_atomic_t received_signal = 0;  // NOLINT: a handler can reach nothing else

void remember(int signal) { received_signal = signal; }

void write_to(int file, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(file, text.data(), text.size());
    if (written < 0) {
      if (errno == EINTR) {
        check_interrupted();
        continue;
      }
      if (errno == EPIPE && file == STDOUT_FILENO) throw ReaderGone();
      throw Failure("cannot write the output: " + last_error());
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

// A signal that comes just before a read would not end it: so nothing is read before there is something.
// A line without its end; none at the end of the file. Byte by byte: what follows belongs to somebody else.
std::optional<std::string> read_line(int file) {
  std::string line;
  for (;;) {
    char character = 0;
    wait_readable(file);
    const auto size = ::read(file, &character, 1);
    if (size < 0) {
      if (errno == EINTR) {
        check_interrupted();
        continue;
      }
      throw Failure("cannot read the answer: " + last_error());
    }
    if (size == 0) return line.empty() ? std::nullopt : std::optional(std::move(line));
    if (character == '\n') break;
    if (line.size() >= kAnswerLimit) throw Failure("the answer is too long");
    line.push_back(character);
  }
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

// The terminal of this process, wherever stdin and stdout lead.
class Terminal {
 public:
  explicit Terminal(std::string_view otherwise) : file_(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) {
    if (file_ < 0) throw Failure("there is no terminal to ask on", std::string(otherwise));
  }
  ~Terminal() {
    if (before_) ::tcsetattr(file_, TCSAFLUSH, &*before_);
    // What is said next begins a line of its own.
    if (is_asking_ && ::write(file_, "\n", 1) != 1) is_asking_ = false;
    ::close(file_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void hide_typing() {
    termios now{};
    if (::tcgetattr(file_, &now) != 0) throw Failure("cannot hide what is typed: " + last_error());
    before_ = now;
    now.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    now.c_lflag |= ECHONL;
    if (::tcsetattr(file_, TCSAFLUSH, &now) != 0) throw Failure("cannot hide what is typed: " + last_error());
  }

  std::string ask(std::string_view question) {
    is_asking_ = true;
    write_to(file_, question);
    auto answer = read_line(file_);
    is_asking_ = false;
    if (!answer) throw Failure("no answer");
    return std::move(*answer);
  }

 private:
  int file_;
  bool is_asking_ = false;
  std::optional<termios> before_;
};

}  // namespace

void notice_interrupts() {
  struct sigaction action{};
  action.sa_handler = remember;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM}) ::sigaction(signal, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

bool is_interrupted() { return received_signal != 0; }

void check_interrupted() {
  if (is_interrupted()) throw Interrupted();
}

void end_by_interrupt() { end_by(received_signal != 0 ? received_signal : SIGINT); }

void end_by(int signal) {
  ::signal(signal, SIG_DFL);
  ::raise(signal);
  std::_Exit(128 + signal);
}

namespace {
sigset_t interrupts() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}
}  // namespace

InterruptsPutOff::InterruptsPutOff() : blocked_(interrupts()) { check_interrupted(); }

void wait_readable(int file) {
  for (;;) {
    check_interrupted();
    pollfd waiting{.fd = file, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, static_cast<int>(kStep.count())) > 0) return;
  }
}

void wait_for(std::chrono::milliseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  for (;;) {
    check_interrupted();
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return;
    const auto step = std::min<std::chrono::nanoseconds>(left, kStep);
    const timespec pause{.tv_sec = 0, .tv_nsec = static_cast<long>(step.count())};
    ::nanosleep(&pause, nullptr);
  }
}

Console::Console()
    : is_output_terminal_(::isatty(STDOUT_FILENO) != 0), is_error_terminal_(::isatty(STDERR_FILENO) != 0) {}

void Console::write(std::string_view text) {
  if (is_output_terminal_) end_progress();
  write_to(STDOUT_FILENO, text);
}

void Console::note(std::string_view text) {
  end_progress();
  write_to(STDERR_FILENO, inert(text) + "\n");
}

std::size_t Console::width() const {
  if (!is_output_terminal_) return 0;
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return std::max<std::size_t>(size.ws_col, kLeastWidth);
}

bool Console::has_terminal() {
  const Descriptor terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  return terminal.is_open();
}

std::string Console::ask(std::string_view question, std::string_view otherwise) {
  end_progress();
  return Terminal(otherwise).ask(question);
}

SecretText Console::ask_secret(std::string_view question, std::string_view otherwise) {
  end_progress();
  Terminal terminal(otherwise);
  terminal.hide_typing();
  return SecretText(terminal.ask(question));
}

bool Console::ask_yes(std::string_view question) {
  const auto answer = ask(std::string(question) + " [y/N] ", "look at it with --dry-run, then say --yes");
  return answer == "y" || answer == "Y" || answer == "yes" || answer == "Yes" || answer == "YES";
}

SecretText Console::secret_from_stdin() {
  if (::isatty(STDIN_FILENO) != 0) {
    Terminal terminal("pipe it in");
    terminal.hide_typing();
    return SecretText(terminal.ask("Password: "));
  }
  auto line = read_line(STDIN_FILENO);
  if (!line || line->empty()) throw Failure("there is nothing on stdin", {}, kUsage);
  return SecretText(std::move(*line));
}

void Console::progress(std::string_view text) {
  const auto line = inert(text);
  if (line == last_progress_) return;
  if (is_error_terminal_) {
    winsize size{};
    const bool is_known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    const auto shown = shortened(line, is_known ? size.ws_col - 1U : 79U);
    const auto columns = width_of(shown);
    const auto blanks = columns < progress_columns_ ? progress_columns_ - columns : 0;
    write_to(STDERR_FILENO, "\r" + shown + std::string(blanks, ' '));
    progress_columns_ = columns;
    is_progress_open_ = true;
  } else {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_line_ < kBetweenPlainLines) return;
    last_line_ = now;
    write_to(STDERR_FILENO, line + "\n");
  }
  last_progress_ = line;
}

void Console::end_progress() {
  if (!is_progress_open_) return;
  is_progress_open_ = false;
  progress_columns_ = 0;
  write_to(STDERR_FILENO, "\n");
}

}  // namespace safawinet::cli
