// One request and its answer, as the router and the handlers see them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/address.hpp"
#include "base/task.hpp"

namespace safawinet::http {

enum class Method { get, head, post, put, patch, delete_, options };
std::string_view name_of(Method method);

struct Field {
  std::string_view name;   // as sent; compare without case
  std::string_view value;  // without surrounding white space
};

// Whether the client still waits for its answer. Expensive work asks before it begins.
// Threading: may be asked from any thread, also after the connection is closed.
class ClientPresence {
 public:
  virtual ~ClientPresence() = default;
  [[nodiscard]] virtual bool has_gone() const = 0;
};

// A complete request: head read, framing unambiguous, body whole. The views point into the connection's buffers and
// live until the answer to this request is produced.
struct Request {
  Method method = Method::get;
  std::string_view target;  // origin form as sent (RFC 9112 section 3.2.1)
  std::string_view path;    // percent-decoded, without the query
  std::string_view query;   // as sent, without "?"
  std::vector<Field> fields;
  std::string_view body;
  IpAddress peer;  // from the socket
  bool is_encrypted = false;
  std::shared_ptr<ClientPresence> presence;

  // The value of a field that may occur once (repeats were refused by the reader); none if absent.
  [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const;
};

// Where a body goes that is produced piece by piece. It is over when the client has gone or is too slow, and when the
// server drains; then the producer ends. Threading: the event loop of the connection.
class BodySink {
 public:
  virtual ~BodySink() = default;
  // Sends a piece and returns when the kernel has all of it, so that no more than one piece is kept here; the client
  // has Timeouts::write to take it. An empty one sends nothing. False: it is over.
  virtual Task<bool> send(std::string_view piece) = 0;
  // Returns when somebody has called a waker since the last wait, after `at_most`, or when it is over: false.
  virtual Task<bool> wait(std::chrono::milliseconds at_most) = 0;
  // Ends a wait early. May be called from any thread, and when it is long over.
  [[nodiscard]] virtual std::function<void()> waker() = 0;
};

// Produces a body until it returns. It runs after the handler, on the same event loop: it owns what it needs, and knows
// nothing of the request any more. An exception cuts the body off, so that the client can tell.
using BodyProducer = std::function<Task<void>(BodySink&)>;

struct Response {
  unsigned status = 200;
  std::string content_type{};  // empty: none is sent (204, 304, redirections)
  std::string body{};
  BodyProducer stream{};  // in place of `body`; not called for HEAD
  std::vector<std::pair<std::string, std::string>> fields{};
  // Fields that many answers share, as they go on the wire: complete lines with their CRLF. Must outlive the answer.
  std::string_view common_fields{};
  bool close = false;  // close the connection after this answer

  Response& with(std::string name, std::string value) & {
    fields.emplace_back(std::move(name), std::move(value));
    return *this;
  }
};

// Answers one request. Runs on the event loop of the connection. Exceptions that leave it are logged by the server and
// answered with a bare 500: the pipeline catches everything that has a better answer.
using RequestHandler = std::function<Task<Response>(Request&)>;

// Answers what never became a request (bad framing, too large, too slow); `detail` is for the client.
using RefusalHandler = std::function<Response(unsigned status, std::string_view detail)>;

}  // namespace safawinet::http
