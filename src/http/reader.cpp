#include "http/reader.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "http/characters.hpp"
#include "http/target.hpp"

namespace safawinet::http {
namespace {

constexpr std::size_t initial_buffer_bytes = 4 * 1024;
// A connection that waits for its next request keeps no more than this.
constexpr std::size_t kept_buffer_bytes = 16 * 1024;
constexpr std::size_t content_length_digits_at_most = 18;

constexpr Refusal bad_request_line{400, "The request line is not valid."};
constexpr Refusal bad_version{400, "The request line does not end with an HTTP version."};
constexpr Refusal other_version{505, "Only HTTP/1.1 and HTTP/1.0 are spoken here."};
constexpr Refusal other_method{501, "The method is not known here."};
constexpr Refusal repeated_field{400, "A field that may stand only once is repeated."};
constexpr Refusal bad_host{400, "The field Host is missing, repeated or not valid."};
constexpr Refusal other_host{400, "The field Host does not agree with the request target."};
constexpr Refusal bad_content_length{400, "The field Content-Length is not valid."};
constexpr Refusal bad_transfer_encoding{400, "The only transfer encoding is chunked, once, in HTTP/1.1."};
constexpr Refusal double_framing{400, "Content-Length and Transfer-Encoding exclude each other."};
constexpr Refusal bad_connection{400, "The field Connection is not valid."};
constexpr Refusal other_expectation{417, "The only expectation is 100-continue."};
constexpr Refusal too_many_fields{431, "The request has too many fields."};
constexpr Refusal body_too_large{413, "The request body is too large."};

std::optional<Method> find_method(std::string_view name) {
  for (const Method method :
       {Method::get, Method::post, Method::head, Method::put, Method::patch, Method::delete_, Method::options}) {
    if (name == name_of(method)) return method;
  }
  return std::nullopt;
}

std::optional<Refusal> check_version(std::string_view version, bool& is_http_1_0) {
  is_http_1_0 = version == "HTTP/1.0";
  if (is_http_1_0 || version == "HTTP/1.1") return std::nullopt;
  const bool is_well_formed = version.size() == 8 && version.starts_with("HTTP/") && version[6] == '.' &&
                              is_in_class(version[5], character_class::digit) &&
                              is_in_class(version[7], character_class::digit);
  return is_well_formed ? other_version : bad_version;
}

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::span<char> Reader::space(std::size_t at_least) {
  if (stage_ == Stage::chunked_body && body_read_ > head_end_) {
    // What is decoded is no longer needed.
    std::memmove(buffer_.get() + head_end_, buffer_.get() + body_read_, end_ - body_read_);
    end_ -= body_read_ - head_end_;
    body_read_ = head_end_;
  }
  if (capacity_ - end_ < at_least && start_ > 0) {
    std::memmove(buffer_.get(), buffer_.get() + start_, end_ - start_);
    for (std::size_t* position : {&line_start_, &scanned_, &end_, &head_end_, &body_read_}) {
      *position -= std::min(start_, *position);
    }
    start_ = 0;
  }
  if (capacity_ - end_ < at_least) {
    const std::size_t capacity = std::max({initial_buffer_bytes, capacity_ * 2, end_ + at_least});
    auto grown = std::make_unique_for_overwrite<char[]>(capacity);
    if (end_ > 0) std::memcpy(grown.get(), buffer_.get(), end_);
    buffer_ = std::move(grown);
    capacity_ = capacity;
  }
  return {buffer_.get() + end_, capacity_ - end_};
}

Reader::Progress Reader::advance() {
  switch (stage_) {
    case Stage::request_line:
    case Stage::field_lines:
      return advance_head();
    case Stage::sized_body:
      return advance_sized_body();
    case Stage::chunked_body:
      return advance_chunked_body();
    case Stage::complete:
      return Progress::complete;
    case Stage::refused:
      break;
  }
  return Progress::refused;
}

Reader::Progress Reader::refuse(unsigned status, std::string_view detail) {
  stage_ = Stage::refused;
  refusal_ = {status, detail};
  return Progress::refused;
}

// Lines are read as they come, so that what is wrong is refused at once, and the same whatever the pieces are. A limit
// counts before the content of the line that breaks it.
Reader::Progress Reader::advance_head() {
  const char* const data = buffer_.get();
  if (stage_ == Stage::request_line && !skip_empty_line()) return Progress::need_more;
  if (stage_ == Stage::request_line && end_ > line_start_ && !is_in_class(data[line_start_], character_class::token)) {
    return refuse(bad_request_line.status, bad_request_line.detail);
  }
  while (true) {
    const std::size_t unscanned = end_ - scanned_;
    const void* const found = unscanned == 0 ? nullptr : std::memchr(data + scanned_, '\n', unscanned);
    const std::size_t line_end =
        found == nullptr ? end_ : static_cast<std::size_t>(static_cast<const char*>(found) - data);
    if (stage_ == Stage::request_line) {
      // One more than the limit: the carriage return.
      const std::size_t longest = std::min(limits_->request_line_bytes, limits_->head_bytes) + 1;
      if (line_end - line_start_ > longest) return refuse(414, "The request line is too long.");
    } else if (line_end - start_ >= limits_->head_bytes) {
      return refuse(431, "The fields of the request are too large.");
    }
    if (found == nullptr) {
      scanned_ = end_;
      return Progress::need_more;
    }
    if (line_end == line_start_ || data[line_end - 1] != '\r') return refuse(400, "A line ends without CRLF.");
    const std::string_view line(data + line_start_, line_end - 1 - line_start_);
    line_start_ = scanned_ = line_end + 1;
    std::optional<Refusal> refusal;
    if (stage_ == Stage::request_line) {
      refusal = read_request_line(line);
      stage_ = Stage::field_lines;
    } else if (!line.empty()) {
      refusal = read_field_line(line);
    } else {
      head_end_ = body_read_ = line_start_;
      refusal = end_head();
      if (!refusal) return stage_ == Stage::complete ? Progress::complete : Progress::head_complete;
    }
    if (refusal) return refuse(refusal->status, refusal->detail);
  }
}

// RFC 9112 section 2.2: one empty line before the request line is ignored. False: more bytes are needed to tell.
bool Reader::skip_empty_line() {
  if (has_skipped_empty_line_ || end_ == start_ || buffer_[start_] != '\r') return true;
  if (end_ - start_ < 2) return false;
  // Otherwise the carriage return is refused as the first character of a request line.
  if (buffer_[start_ + 1] == '\n') {
    start_ += 2;
    line_start_ = scanned_ = start_;
    has_skipped_empty_line_ = true;
  }
  return true;
}

std::optional<Refusal> Reader::read_request_line(std::string_view line) {
  const std::size_t first_space = line.find(' ');
  const std::size_t last_space = line.rfind(' ');
  if (first_space == std::string_view::npos || first_space == last_space) return bad_request_line;
  const std::string_view method_name = line.substr(0, first_space);
  const std::string_view target_text = line.substr(first_space + 1, last_space - first_space - 1);
  if (!is_token(method_name) || target_text.empty()) return bad_request_line;
  const bool is_visible = std::ranges::all_of(target_text, [](char c) { return c >= '!' && c <= '~'; });
  if (!is_visible) return bad_request_line;
  if (const auto refusal = check_version(line.substr(last_space + 1), is_http_1_0_)) return refusal;
  // RFC 9110 section 9.1: names of methods are case-sensitive, and what is not implemented is answered 501.
  const auto method = find_method(method_name);
  if (!method) return other_method;
  method_ = *method;
  const auto target = parse_target(target_text, method_);
  if (!target) return target.error();
  target_is_root_ = target->has_no_path;
  target_ = target_is_root_ ? Slice{} : slice(target->origin);
  path_ = target_is_root_ ? Slice{} : slice(target->path);
  query_ = target->query.empty() ? Slice{} : slice(target->query);
  authority_ = target->authority.empty() ? Slice{} : slice(target->authority);
  path_is_encoded_ = target->path.find('%') != std::string_view::npos;
  if (path_is_encoded_) decode_path(target->path, decoded_path_);
  return std::nullopt;
}

std::optional<Refusal> Reader::read_field_line(std::string_view line) {
  Field field;
  if (const auto refusal = parse_field_line(line, field)) return refusal;
  if (fields_.size() == limits_->fields) return too_many_fields;
  fields_.push_back({.name = slice(field.name), .value = slice(field.value)});
  const FieldClass known = classify_field(field.name);
  if (known.single_index != 0) {
    const std::uint64_t bit = std::uint64_t{1} << known.single_index;
    if ((seen_single_fields_ & bit) != 0) return repeated_field;
    seen_single_fields_ |= bit;
  }
  return note_field(known.kind, field.value);
}

std::optional<Refusal> Reader::note_field(FieldKind kind, std::string_view value) {
  switch (kind) {
    case FieldKind::ordinary:
    case FieldKind::single:
      break;
    case FieldKind::connection:
      return note_connection(value);
    case FieldKind::host:
      if (!is_authority(value)) return bad_host;
      host_ = slice(value);
      break;
    case FieldKind::content_length: {
      const bool is_number = !value.empty() && value.size() <= content_length_digits_at_most &&
                             all_in_class(value, character_class::digit) && (value.size() == 1 || value.front() != '0');
      if (!is_number) return bad_content_length;
      std::size_t length = 0;
      std::from_chars(value.data(), value.data() + value.size(), length);
      content_length_ = length;
      break;
    }
    case FieldKind::transfer_encoding:
      if (is_http_1_0_ || !equals_ignoring_case(value, "chunked")) return bad_transfer_encoding;
      is_chunked_ = true;
      break;
    case FieldKind::expect:
      if (!equals_ignoring_case(value, "100-continue")) return other_expectation;
      // RFC 9110 section 10.1.1: in HTTP/1.0 it is ignored.
      expects_continue_ = !is_http_1_0_;
      break;
  }
  return std::nullopt;
}

std::optional<Refusal> Reader::note_connection(std::string_view value) {
  while (true) {
    const std::size_t comma = value.find(',');
    const std::string_view option = trim_blanks(value.substr(0, comma));
    if (!all_in_class(option, character_class::token)) return bad_connection;
    if (equals_ignoring_case(option, "close")) has_close_ = true;
    if (equals_ignoring_case(option, "keep-alive")) has_keep_alive_ = true;
    if (comma == std::string_view::npos) return std::nullopt;
    value.remove_prefix(comma + 1);
  }
}

std::optional<Refusal> Reader::end_head() {
  if (!host_ && !is_http_1_0_) return bad_host;
  if (authority_.size > 0 && host_ && !equals_ignoring_case(view(authority_), view(*host_))) return other_host;
  if (is_chunked_ && content_length_) return double_framing;
  if (!is_chunked_ && content_length_.value_or(0) == 0) {
    stage_ = Stage::complete;
    return std::nullopt;
  }
  body_limit_ = limits_->body_bytes;
  if (limits_->body_bytes_of) {
    const std::string_view path = path_is_encoded_ ? std::string_view(decoded_path_) : view(path_);
    body_limit_ = limits_->body_bytes_of(target_is_root_ ? "/" : path).value_or(body_limit_);
  }
  if (content_length_.value_or(0) > body_limit_) return body_too_large;
  stage_ = is_chunked_ ? Stage::chunked_body : Stage::sized_body;
  if (is_chunked_) {
    ChunkedLimits chunked_limits;
    chunked_limits.body_bytes = body_limit_;
    chunked_.start(chunked_limits);
  }
  return std::nullopt;
}

Reader::Progress Reader::advance_sized_body() {
  if (end_ - head_end_ < *content_length_) return Progress::need_more;
  stage_ = Stage::complete;
  return Progress::complete;
}

Reader::Progress Reader::advance_chunked_body() {
  std::size_t consumed = 0;
  const auto progress =
      chunked_.feed(std::string_view(buffer_.get() + body_read_, end_ - body_read_), chunked_body_, consumed);
  body_read_ += consumed;
  switch (progress) {
    case ChunkedDecoder::Progress::need_more:
      return Progress::need_more;
    case ChunkedDecoder::Progress::refused:
      return refuse(chunked_.refusal().status, chunked_.refusal().detail);
    case ChunkedDecoder::Progress::complete:
      break;
  }
  stage_ = Stage::complete;
  return Progress::complete;
}

void Reader::fill(Request& request) const {
  request.method = method_;
  request.target = target_is_root_ ? std::string_view("/") : view(target_);
  request.path = path_is_encoded_ ? std::string_view(decoded_path_) : target_is_root_ ? "/" : view(path_);
  request.query = view(query_);
  request.fields.clear();
  for (const FieldSlices& field : fields_) request.fields.push_back({view(field.name), view(field.value)});
  request.body = is_chunked_ ? std::string_view(chunked_body_)
                             : std::string_view(buffer_.get() + head_end_, content_length_.value_or(0));
}

void Reader::next() {
  const std::size_t message_end = is_chunked_ ? body_read_ : head_end_ + content_length_.value_or(0);
  stage_ = Stage::request_line;
  start_ = line_start_ = scanned_ = message_end;
  head_end_ = body_read_ = message_end;
  if (start_ == end_) {
    start_ = line_start_ = scanned_ = end_ = head_end_ = body_read_ = 0;
    if (capacity_ > kept_buffer_bytes) {
      buffer_.reset();
      capacity_ = 0;
    }
  }
  has_skipped_empty_line_ = false;
  method_ = Method::get;
  fields_.clear();
  seen_single_fields_ = 0;
  host_.reset();
  content_length_.reset();
  is_chunked_ = has_close_ = has_keep_alive_ = expects_continue_ = false;
  if (chunked_body_.capacity() > kept_buffer_bytes) chunked_body_ = std::string();
  chunked_body_.clear();
}

Reader::Slice Reader::slice(std::string_view text) const {
  return {static_cast<std::uint32_t>(text.data() - (buffer_.get() + start_)), static_cast<std::uint32_t>(text.size())};
}

}  // namespace safawinet::http
