// The URL of a Redis server, as the provisional registration of "redis" and "rediss" with IANA describes it.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "config/settings.hpp"

namespace safawinet::config {

// redis://[user[:password]@]host[:port][/number], rediss:// for TLS. User and password may be percent-encoded (RFC 3986
// section 2.1). The complaint completes "this value …" and never repeats a part of the text.
std::expected<RedisUrl, std::string> parse_redis_url(std::string_view text);

}  // namespace safawinet::config
