// The HTTP reader under arbitrary bytes. The first byte of the input says how the rest is cut into pieces. What must
// hold:
// - the outcome (requests, then "more" or a refusal) is the same for every cut;
// - what was accepted, written down again in its plainest form, is accepted and reads the same;
// - a request never has what a handler must not see: controls in the path or in values, a repeated single-valued field.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "http/characters.hpp"
#include "http/fields.hpp"
#include "http/reader.hpp"

namespace safawinet::http {
namespace {

// Small, so that the fuzzer finds them.
Limits small_limits() {
  Limits limits;
  limits.request_line_bytes = 128;
  limits.head_bytes = 512;
  limits.fields = 8;
  limits.body_bytes = 64;
  limits.body_bytes_of = [](std::string_view path) {
    return path == "/large" ? std::optional<std::size_t>(256) : std::nullopt;
  };
  return limits;
}

struct Message {
  Method method = Method::get;
  std::string target;
  std::string path;
  std::string query;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;
  bool keeps_alive = false;

  bool operator==(const Message&) const = default;
};

struct Outcome {
  std::vector<Message> messages;
  unsigned refusal = 0;

  bool operator==(const Outcome&) const = default;
};

void require(bool condition) {
  if (!condition) std::abort();
}

bool is_framing(std::string_view name) {
  const FieldKind kind = classify_field(name).kind;
  return kind == FieldKind::content_length || kind == FieldKind::transfer_encoding || kind == FieldKind::expect;
}

void check_request(const Request& request) {
  for (const char character : request.path) require(static_cast<unsigned char>(character) >= 0x20 && character != 0x7f);
  require(request.path == "*" || request.path.front() == '/');
  require(is_utf8(request.path));
  std::set<int> seen;
  for (const Field& field : request.fields) {
    require(is_token(field.name));
    require(all_in_class(field.value, character_class::field_value));
    const int single = classify_field(field.name).single_index;
    require(single == 0 || seen.insert(single).second);
  }
  require(request.fields.size() <= 8);
  require(request.body.size() <= 256);
}

Message message_of(const Reader& reader) {
  Request request;
  reader.fill(request);
  check_request(request);
  Message message{.method = request.method,
                  .target = std::string(request.target),
                  .path = std::string(request.path),
                  .query = std::string(request.query),
                  .fields = {},
                  .body = std::string(request.body),
                  .keeps_alive = reader.keeps_alive()};
  for (const Field& field : request.fields) message.fields.emplace_back(field.name, field.value);
  return message;
}

Outcome read_all(std::string_view bytes, std::size_t piece) {
  static const Limits limits = small_limits();
  Reader reader(limits);
  Outcome outcome;
  while (true) {
    switch (reader.advance()) {
      case Reader::Progress::head_complete:
        break;
      case Reader::Progress::complete:
        outcome.messages.push_back(message_of(reader));
        reader.next();
        break;
      case Reader::Progress::refused:
        outcome.refusal = reader.refusal().status;
        return outcome;
      case Reader::Progress::need_more: {
        if (bytes.empty()) return outcome;
        const std::string_view taken = bytes.substr(0, piece);
        std::ranges::copy(taken, reader.space(taken.size()).begin());
        reader.commit(taken.size());
        bytes.remove_prefix(taken.size());
      }
    }
  }
}

std::string rewritten(const Message& message, std::string_view host) {
  std::string text(name_of(message.method));
  text.append(" ").append(message.target).append(" HTTP/1.1\r\nHost: ").append(host).append("\r\n");
  for (const auto& [name, value] : message.fields) {
    if (is_framing(name) || equals_ignoring_case(name, "host")) continue;
    text.append(name).append(": ").append(value).append("\r\n");
  }
  text.append("Content-Length: ").append(std::to_string(message.body.size())).append("\r\n\r\n").append(message.body);
  return text;
}

void check_rewriting(const Message& message) {
  // Shorter or as long as the original, but for the framing: the limits of the head may be passed by a few bytes.
  const std::string text = rewritten(message, "a");
  const Outcome again = read_all(text, text.size());
  if (again.refusal == 431) return;
  require(again.refusal == 0 && again.messages.size() == 1);
  const Message& same = again.messages.front();
  require(same.method == message.method && same.target == message.target && same.path == message.path);
  require(same.query == message.query && same.body == message.body);
}

}  // namespace
}  // namespace safawinet::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace safawinet::http;
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = read_all(bytes, bytes.size() + 1);
  require(whole == read_all(bytes, 1));
  require(whole == read_all(bytes, 2 + data[0]));
  for (const Message& message : whole.messages) check_rewriting(message);
  return 0;
}
