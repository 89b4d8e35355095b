#include "cache/redis/redis_rate_limiter.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "base/encoding.hpp"

namespace safawinet {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

// Another layout of the values is another version.
constexpr std::string_view kKeyPrefix = "safawinet:limit:1:";
constexpr std::size_t kSubjectBytes = 16;  // of the MAC: nobody finds two subjects with one key by chance

// KEYS[1] is a list of the times of the uses that were let through, the newest last, by the server's clock, so that the
// clocks of the nodes do not matter. It never holds more than the limit, so whether there is room is a question to one
// entry: the one that is a whole limit back. The time of a use that has a place of its own is odd, that of others even.
// ARGV: the limit, the window in microseconds, 1 for a use with a place of its own or 0. Answers 0 when the use was
// counted, else in how many microseconds there is room, or -1 when the key held something else, which is deleted.
constexpr std::string_view kScript = R"lua(
local limit, window, own = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
now = now - now % 2 + own
local edge = redis.pcall('LINDEX', KEYS[1], -limit)
if type(edge) == 'table' and not string.find(edge.err, 'WRONGTYPE', 1, true) then return edge end
if edge then
  local room_at = type(edge) == 'string' and tonumber(edge) and tonumber(edge) + window
  if not room_at or room_at ~= room_at or room_at - now > 2 * window then
    redis.call('DEL', KEYS[1])
    return -1
  end
  if room_at > now then
    local has_place = own == 1
    for _, use in ipairs(has_place and redis.call('LRANGE', KEYS[1], -limit, -1) or {}) do
      if (tonumber(use) or 1) % 2 == 1 then has_place = false end
    end
    if not has_place then return math.ceil(math.min(room_at - now, window)) end
  end
end
redis.call('RPUSH', KEYS[1], string.format('%.0f', now))
redis.call('LTRIM', KEYS[1], -limit, -1)
redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
return 0
)lua";
constexpr std::int64_t kUnreadable = -1;

std::string probe_key(Random& random) {
  return std::string(kKeyPrefix) + "probe:" + random_text<kSubjectBytes>(random);
}

redis::ScriptCall call_of(std::string key, const RateLimit& limit) {
  const microseconds window = limit.window;
  return {.key = std::move(key),
          .arguments = {std::to_string(limit.count), std::to_string(window.count()),
                        limit.has_a_place_of_its_own ? "1" : "0"}};
}

// Always writes, under a name that no other node has, and is gone at once.
redis::Client::Script script_with_probe(Random& random) {
  redis::ScriptCall probe{.key = probe_key(random), .arguments = {"1", "1", "0"}};
  return {.text = std::string(kScript), .probe = std::move(probe), .least = kUnreadable};
}

}  // namespace

RedisRateLimiter::RedisRateLimiter(EventLoop& loop, redis::ServerAddress address, MacKey subject_key,
                                   const Clock& clock, Random& random)
    : own_(clock),
      subject_key_(std::move(subject_key)),
      client_(loop, std::move(address), script_with_probe(random), random) {}

Task<std::optional<seconds>> RedisRateLimiter::take(const RateLimit& limit, std::string subject) {
  // Ours first: what it refuses is not counted in Redis, and what Redis refuses is taken back here.
  if (const auto full = own_.take_now(limit, subject)) co_return full;
  auto call = call_of(key_of(limit, subject), limit);
  const auto answer = co_await client_.call(std::move(call));
  if (!answer || *answer == 0) co_return std::nullopt;
  if (*answer == kUnreadable) {
    ++unreadable_;
    co_return std::nullopt;
  }
  own_.give_back(limit, subject);
  co_return std::clamp(std::chrono::ceil<seconds>(microseconds(*answer)), seconds(1), limit.window);
}

CacheState RedisRateLimiter::state() const {
  const auto state = client_.state();
  return {.is_up = state.is_up,
          .latency = state.latency,
          .calls = state.calls,
          .errors = state.errors + unreadable_,
          .skipped = state.skipped};
}

std::string RedisRateLimiter::key_of(const RateLimit& limit, std::string_view subject) const {
  const auto mac = subject_key_.sign(as_bytes(subject));
  std::string key(kKeyPrefix);
  key += limit.name;
  return key + ":" + to_base64url(std::span(mac).first(kSubjectBytes));
}

}  // namespace safawinet
