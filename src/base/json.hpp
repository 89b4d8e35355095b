// JSON at the edge: strict parsing, and one declaration (BOOST_DESCRIBE_STRUCT) for decoding, encoding and schema.
//
// Members are snake_case in C++ and camelCase in JSON. Decoding reports every bad field with its JSON pointer (RFC 6901) and
// refuses members that nobody asked for, so that a misspelt optional field is not silently ignored.
#pragma once

#include <boost/describe.hpp>
#include <boost/json.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/secret.hpp"

namespace safawinet {

inline constexpr std::size_t kJsonDepthLimit = 32;

// RFC 8259 text, at most 32 levels deep. Refuses (unreadable_request) invalid UTF-8, duplicate names in an object, NUL
// characters in strings, anything behind the value, and malformed text; the detail names the byte offset.
Result<boost::json::value> parse_json(std::string_view text);

}  // namespace safawinet
