// The revocations as server-sent events (WHATWG HTML section 9.2), for as long as the client listens and may.
#pragma once

#include <boost/describe.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/task.hpp"
#include "http/message.hpp"
#include "sessions/revocation_feed.hpp"
#include "sessions/revocation_pages.hpp"

namespace safawinet::api {

// What is null does not belong to the scope.
struct RevocationItem {
  std::string scope;                                    // "session", "user", "global"
  std::optional<std::vector<SessionId>> session_ids{};  // session: those that ended
  std::optional<UserId> user_id{};                      // user: whose tokens
  std::optional<std::int64_t> token_version{};          // user: dead below this `tv`
  std::optional<std::int64_t> epoch{};                  // global: dead below this `ep`
  std::optional<std::vector<SessionId>> spared{};       // global: but for these sessions
};
BOOST_DESCRIBE_STRUCT(RevocationItem, (), (scope, session_ids, user_id, token_version, epoch, spared))

RevocationItem to_item(const Revocation& revocation);

inline constexpr std::chrono::seconds kStreamKeepAlive{15};

// Sends what `page` has, and then what follows it. Ends when the client does not listen any more, when `may_go_on` says
// no (asked about every second), and when this node cannot be sure any more that it knows everything.
class RevocationStream : public std::enable_shared_from_this<RevocationStream> {
 public:
  struct Parts {
    RevocationPages& pages;
    RevocationFeed& feed;
    const Clock& clock;
    std::function<Task<bool>()> may_go_on;
    std::shared_ptr<const void> place;  // held as long as the stream exists
  };
  RevocationStream(Parts parts, RevocationPage first) : parts_(std::move(parts)), page_(std::move(first)) {}

  // Keeps this object alive.
  http::BodyProducer producer();

 private:
  Task<void> run(http::BodySink& sink);
  Task<bool> wait_for_news(http::BodySink& sink);
  Task<bool> may_go_on();
  Task<bool> read_on();

  Parts parts_;
  RevocationPage page_;
  MonotonicTime keep_alive_due_{};
  MonotonicTime read_at_{};
};

// One page as events; nothing if there is nothing in it.
std::string to_events(const RevocationPage& page);
// Says that all that was committed until now has been sent.
std::string current_event(const RevocationPage& page);

}  // namespace safawinet::api
