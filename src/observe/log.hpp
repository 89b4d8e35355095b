// Structured logs: JSON lines on stderr.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace spdlog {
class logger;  // NOLINT(readability-identifier-naming): its name there
}

namespace safawinet {

enum class LogLevel { debug, info, warning, error };

// A value of one member. Texts are escaped; nobody passes a token, a password or a body.
using LogValue = std::variant<std::string_view, std::int64_t, double, bool>;

struct LogMember {
  std::string_view name;  // camelCase
  LogValue value;
};

// One line: {"time":…,"level":…,"event":…, members…}. Threading: any thread.
class Log {
 public:
  explicit Log(LogLevel least);

  // Written at once.
  void event(LogLevel level, std::string_view event, std::initializer_list<LogMember> members = {});
  // Written with the next flush or event: for lines as frequent as requests. Level info.
  void frequent(std::string_view event, std::initializer_list<LogMember> members);
  void flush();

 private:
  void write(LogLevel level, std::string_view event, std::initializer_list<LogMember> members);

  std::shared_ptr<spdlog::logger> logger_;
  LogLevel least_;
};

}  // namespace safawinet
