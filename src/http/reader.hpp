// The one reader of HTTP/1.1 messages (RFC 9110, RFC 9112). There is no second parser behind it that could disagree,
// and whatever two parsers could read differently is refused: the connection is then answered and closed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/chunked.hpp"
#include "http/fields.hpp"
#include "http/message.hpp"
#include "http/refusal.hpp"

namespace safawinet::http {

struct Limits {
  std::size_t request_line_bytes = 8 * 1024;  // without its CRLF; beyond: 414
  std::size_t head_bytes = 16 * 1024;         // request line, field lines and the empty line; beyond: 431
  std::size_t fields = 100;                   // beyond: 431
  std::size_t body_bytes = 64 * 1024;         // decoded; beyond: 413, before the body is read where its length is known
  // The limit of one path (decoded) where it is not body_bytes; empty, or none: body_bytes.
  std::function<std::optional<std::size_t>(std::string_view path)> body_bytes_of;
};

// Reads the messages of one connection, one after the other, out of a buffer of its own:
//
//   while (reader.advance() == need_more) { bytes = read into reader.space(); reader.commit(bytes); }
//   complete: reader.fill(request); ... answer ...; reader.next();
//
// How the bytes are split into pieces never changes the outcome. Threading: none.
class Reader {
 public:
  enum class Progress {
    need_more,      // read more bytes, then call advance again
    head_complete,  // told once a message, when a body follows: now is the time for "100 Continue"
    complete,       // one whole message is there
    refused,        // answer refusal() and close; nothing behind it may be read
  };

  // `limits` must outlive the reader.
  explicit Reader(const Limits& limits) : limits_(&limits) {}

  // Room for the next bytes, at least `at_least` of them. Views into earlier messages are invalid after it.
  std::span<char> space(std::size_t at_least = 1024);
  void commit(std::size_t bytes) { end_ += bytes; }

  Progress advance();
  [[nodiscard]] const Refusal& refusal() const { return refusal_; }

  // Whether a byte of the current message has come (an empty line before it does not count).
  [[nodiscard]] bool has_started() const { return end_ > line_start_ || stage_ != Stage::request_line; }
  // After head_complete: the client waits for "100 Continue" (RFC 9110 section 10.1.1).
  [[nodiscard]] bool awaits_continue() const { return expects_continue_ && end_ == head_end_; }

  // The method, as soon as the request line is read; GET before.
  [[nodiscard]] Method method() const { return method_; }

  // The following are valid after `complete`, until next().
  // Sets what comes from the message; the views live until next() or space() is called.
  void fill(Request& request) const;
  [[nodiscard]] bool is_http_1_0() const { return is_http_1_0_; }
  // Whether the client's version and Connection field leave the connection open (RFC 9112 section 9.3).
  [[nodiscard]] bool keeps_alive() const { return is_http_1_0_ ? has_keep_alive_ && !has_close_ : !has_close_; }

  // Forgets the message that was complete; what was read behind it begins the next one.
  void next();

 private:
  enum class Stage { request_line, field_lines, sized_body, chunked_body, complete, refused };
  struct Slice {  // of the buffer, counted from the start of the message
    std::uint32_t offset = 0;
    std::uint32_t size = 0;
  };
  struct FieldSlices {
    Slice name;
    Slice value;
  };

  Progress refuse(unsigned status, std::string_view detail);
  Progress advance_head();
  Progress advance_sized_body();
  Progress advance_chunked_body();
  bool skip_empty_line();
  std::optional<Refusal> read_request_line(std::string_view line);
  std::optional<Refusal> read_field_line(std::string_view line);
  std::optional<Refusal> note_field(FieldKind kind, std::string_view value);
  std::optional<Refusal> end_head();
  std::optional<Refusal> note_connection(std::string_view value);
  [[nodiscard]] Slice slice(std::string_view text) const;
  [[nodiscard]] std::string_view view(Slice slice) const { return {buffer_.get() + start_ + slice.offset, slice.size}; }

  const Limits* limits_;
  Stage stage_ = Stage::request_line;
  Refusal refusal_;

  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0;
  std::size_t start_ = 0;       // of the message in the buffer
  std::size_t line_start_ = 0;  // of the line that is being read
  std::size_t scanned_ = 0;     // up to here there is no line feed
  std::size_t end_ = 0;         // of what was read
  std::size_t head_end_ = 0;
  std::size_t body_read_ = 0;  // up to here the chunked body is decoded
  bool has_skipped_empty_line_ = false;

  Method method_ = Method::get;
  bool is_http_1_0_ = false;
  Slice target_;
  Slice path_;
  Slice query_;
  Slice authority_;
  bool target_is_root_ = false;  // an absolute form without a path
  bool path_is_encoded_ = false;
  std::string decoded_path_;
  std::vector<FieldSlices> fields_;
  std::uint64_t seen_single_fields_ = 0;
  std::optional<Slice> host_;
  std::optional<std::size_t> content_length_;
  bool is_chunked_ = false;
  bool has_close_ = false;
  bool has_keep_alive_ = false;
  bool expects_continue_ = false;
  std::size_t body_limit_ = 0;
  ChunkedDecoder chunked_;
  std::string chunked_body_;
};

}  // namespace safawinet::http
