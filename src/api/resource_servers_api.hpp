// For services that are given access tokens: asking about a token (RFC 7662), and following what is revoked.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "api/call.hpp"
#include "api/revocation_stream.hpp"
#include "api/route.hpp"
#include "sessions/access_guard.hpp"
#include "sessions/revocation_pages.hpp"
#include "sessions/session_service.hpp"

namespace safawinet::api {

inline constexpr std::size_t kRevocationStreamsLimit = 256;  // of one node; beyond: 503

struct RevocationFeedAnswer {
  std::vector<RevocationItem> items;
  std::string next_cursor;  // there always is one: what comes later is behind it
  bool has_more = false;    // read on at once
  bool reset = false;       // `after` could not be continued: this begins with the oldest that is retained
  std::int64_t epoch = 0;   // tokens of an older one are dead, but for sessions that were spared
};
BOOST_DESCRIBE_STRUCT(RevocationFeedAnswer, (), (items, next_cursor, has_more, reset, epoch))

// Threading: any event loop.
class ResourceServersApi {
 public:
  struct Parts {
    AccessGuard& guard;
    SessionService& sessions;
    RevocationPages& pages;
    RevocationFeed& feed;
    sql::Database& database;
    const Clock& clock;
  };
  explicit ResourceServersApi(Parts parts) : parts_(parts) {}

  Task<Result<http::Response>> introspect(Call& call);
  // JSON, or server-sent events if the client accepts text/event-stream.
  Task<Result<http::Response>> revocations(Call& call);

  // Open at the moment.
  [[nodiscard]] std::size_t streams() const { return streams_->load(); }

 private:
  Task<Result<http::Response>> introspect_token(const SecretText& token);
  Task<Result<http::Response>> stream(const Call& call, RevocationPage first);
  [[nodiscard]] std::function<Task<bool>()> standing_of(const Call& call) const;

  Parts parts_;
  // Streams may end after everything else has.
  std::shared_ptr<std::atomic<std::size_t>> streams_ = std::make_shared<std::atomic<std::size_t>>(0);
};

// The handlers, with what OpenAPI says of them.
Endpoint introspection_endpoint(ResourceServersApi* api);
Endpoint revocations_endpoint(ResourceServersApi* api);

}  // namespace safawinet::api
