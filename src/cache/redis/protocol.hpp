// What is said to a Redis server and what it answers (RESP2), through hiredis' formatter and reply reader. Answers are
// untrusted: whatever our own commands cannot be answered with is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

struct redisReader;  // NOLINT(readability-identifier-naming): the name that hiredis gives it

namespace safawinet::redis {

// A command as bytes for the wire. The words may hold any bytes.
std::string format_command(std::span<const std::string_view> words);

struct Reply {
  enum class Kind { status, error, integer, text, nil };
  Kind kind = Kind::nil;
  std::string text;  // of a status, an error or a text
  std::int64_t number = 0;
};

// The peer does not speak RESP, or not the part of it that we use.
class ProtocolError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline constexpr std::size_t kLongestReplyBytes = 16 * 1024;

// Makes replies of the bytes that arrive. Threading: one thread at a time.
class ReplyReader {
 public:
  ReplyReader();

  // Throws ProtocolError when a reply is longer than kLongestReplyBytes; next() throws it for what is no reply, and for
  // arrays, with which none of our commands is answered and whose announced size would be allocated at once. After
  // that the reader is of no further use.
  void feed(std::string_view bytes);
  // The next whole reply; none if more bytes are needed.
  std::optional<Reply> next();

 private:
  struct Free {
    void operator()(redisReader* reader) const;
  };
  std::unique_ptr<redisReader, Free> reader_;
};

}  // namespace safawinet::redis
