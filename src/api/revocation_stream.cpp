#include "api/revocation_stream.hpp"

#include <utility>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/pause.hpp"
#include "sessions/revocation_row.hpp"

namespace safawinet::api {
namespace {

constexpr std::size_t kItemsAtOnce = 100;
constexpr std::chrono::seconds kStandingInterval{1};
// However much is revoked, and however many listen, the database is not asked more often for each of them.
constexpr std::chrono::milliseconds kBetweenReadings{50};
// What EventSource waits before it connects again.
constexpr std::string_view kPreamble = "retry: 1000\n\n";

// Neither a cursor nor compact JSON has line ends.
void append_event(std::string& out, std::string_view id, std::string_view name, std::string_view data) {
  out.append("id: ").append(id).append("\nevent: ").append(name).append("\ndata: ").append(data).append("\n\n");
}

}  // namespace

RevocationItem to_item(const Revocation& revocation) {
  RevocationItem item{.scope = std::string(name_of(revocation.scope))};
  switch (revocation.scope) {
    case Revocation::Scope::session:
      item.session_ids = revocation.sessions;
      break;
    case Revocation::Scope::user:
      item.user_id = revocation.user;
      item.token_version = revocation.token_version;
      break;
    case Revocation::Scope::global:
      item.epoch = revocation.epoch;
      item.spared = revocation.sessions;
      break;
  }
  return item;
}

std::string to_events(const RevocationPage& page) {
  std::string events;
  if (page.is_reset) events = "event: reset\ndata: {}\n\n";
  for (const auto& item : page.items) {
    append_event(events, item.cursor, "revocation", to_json(to_item(item.revocation)));
  }
  return events;
}

std::string current_event(const RevocationPage& page) {
  std::string event = ": keep-alive\n";
  append_event(event, page.next, "current", "{\"epoch\":" + std::to_string(page.epoch) + "}");
  return event;
}

http::BodyProducer RevocationStream::producer() {
  return [self = shared_from_this()](http::BodySink& sink) { return self->run(sink); };
}

Task<void> RevocationStream::run(http::BodySink& sink) {
  // Before the next reading: no news is missed between the two.
  const auto subscription = parts_.feed.news().subscribe(sink.waker());
  bool goes_on = co_await sink.send(kPreamble);
  while (goes_on) {
    auto events = to_events(page_);
    if (!page_.has_more && parts_.clock.monotonic() >= keep_alive_due_) {
      keep_alive_due_ = parts_.clock.monotonic() + kStreamKeepAlive;
      events += current_event(page_);
    }
    goes_on = co_await sink.send(events);
    if (goes_on && !page_.has_more) goes_on = co_await wait_for_news(sink);
    if (goes_on) goes_on = co_await may_go_on();
    if (goes_on) goes_on = co_await read_on();
  }
}

// Until it was woken, or a keep-alive is due, which says that all is told, and so needs a reading before it. False: it
// is over.
Task<bool> RevocationStream::wait_for_news(http::BodySink& sink) {
  bool goes_on = true;
  bool is_woken = false;
  while (goes_on && !is_woken && parts_.clock.monotonic() < keep_alive_due_) {
    const auto full_interval = parts_.clock.monotonic() + kStandingInterval;
    goes_on = co_await sink.wait(kStandingInterval);
    is_woken = parts_.clock.monotonic() < full_interval;
    if (goes_on && !is_woken) goes_on = co_await may_go_on();
  }
  const auto too_early = read_at_ + kBetweenReadings - parts_.clock.monotonic();
  if (goes_on && too_early > std::chrono::nanoseconds(0)) {
    co_await pause_for(std::chrono::ceil<std::chrono::milliseconds>(too_early));
  }
  co_return goes_on;
}

Task<bool> RevocationStream::may_go_on() {
  try {
    co_return co_await parts_.may_go_on();
  } catch (const Unavailable&) {
    co_return false;
  }
}

// False: it cannot be read now. The client comes back, here or elsewhere, and is told 503 for as long as that is so.
Task<bool> RevocationStream::read_on() {
  read_at_ = parts_.clock.monotonic();
  try {
    auto next = co_await parts_.pages.read(page_.next, kItemsAtOnce);
    page_ = std::move(next);
    co_return true;
  } catch (const Unavailable&) {
    co_return false;
  }
}

}  // namespace safawinet::api
