#include "observe/log.hpp"

#include <unistd.h>

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <charconv>
#include <mutex>

#include "base/clock.hpp"
#include "base/json.hpp"

namespace safawinet {
namespace {

constexpr std::size_t kBufferLimit = 32 * 1024;  // bytes that wait for a flush at the most

// Collects lines and writes many with one system call.
class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    buffer_.append(message.payload.data(), message.payload.size());
    buffer_ += '\n';
    if (buffer_.size() >= kBufferLimit) flush_();
  }

  void flush_() override {
    std::string_view rest = buffer_;
    while (!rest.empty()) {
      const auto written = ::write(STDERR_FILENO, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0)
        break;  // nobody reads any more, or the disk behind it is full: the line is lost, the server goes on
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    buffer_.clear();
  }

 private:
  std::string buffer_;
};

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "info";
}

struct Writer {
  std::string& line;

  void operator()(std::string_view text) const { append_json_text(line, text); }
  void operator()(std::int64_t number) const { line += std::to_string(number); }
  void operator()(double number) const {
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, std::chars_format::fixed, 3);
    line.append(digits.data(), end.ptr);
  }
  void operator()(bool truth) const { line += truth ? "true" : "false"; }
};

}  // namespace

Log::Log(LogLevel least)
    : logger_(std::make_shared<spdlog::logger>("safawinet", std::make_shared<StderrSink>())), least_(least) {
  logger_->set_level(spdlog::level::trace);  // what is too low never gets there
}

void Log::event(LogLevel level, std::string_view event, std::initializer_list<LogMember> members) {
  if (level < least_) return;
  write(level, event, members);
  logger_->flush();
}

void Log::frequent(std::string_view event, std::initializer_list<LogMember> members) {
  if (least_ <= LogLevel::info) write(LogLevel::info, event, members);
}

void Log::flush() { logger_->flush(); }

void Log::write(LogLevel level, std::string_view event, std::initializer_list<LogMember> members) {
  std::string line;
  line.reserve(320);
  line += R"({"time":")";
  line += to_rfc3339(SystemClock().now());
  line += R"(","level":")";
  line += name_of(level);
  line += R"(","event":)";
  append_json_text(line, event);
  for (const auto& member : members) {
    line += ',';
    append_json_text(line, member.name);
    line += ':';
    std::visit(Writer{line}, member.value);
  }
  line += '}';
  logger_->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace safawinet
