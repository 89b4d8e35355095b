// JSON at the edge: strict parsing, and one declaration (BOOST_DESCRIBE_STRUCT) for decoding, encoding and schema.
//
// Members are snake_case in C++ and camelCase in JSON; enumerators are kebab-case. Decoding reports every bad field
// with its JSON pointer (RFC 6901) and refuses members that nobody asked for, so that a misspelt optional field is not
// silently ignored. A member is required unless it is a std::optional.
//
//   struct LoginRequest { BoundedText<3, 254> email; SecretText password; std::optional<std::string> device_name; };
//   BOOST_DESCRIBE_STRUCT(LoginRequest, (), (email, password, device_name))
//   const auto body = parse_json(request.body);            // Result<boost::json::value>
//   const auto login = from_json<LoginRequest>(*body);     // Result<LoginRequest>
//   append_json(response.body, answer);
//
// What members may be: std::string, bool, any integer, double, SecretText, Time, Id<Tag>, BoundedText, described enums,
// boost::json::value as it is, std::optional and std::vector of these, described structs, and whatever has a JsonType.
#pragma once

#include <boost/describe.hpp>
#include <boost/json.hpp>
#include <boost/mp11.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/json_names.hpp"
#include "base/secret.hpp"

namespace safawinet {

inline constexpr std::size_t kJsonDepthLimit = 32;
// Bad fields behind this many are not listed: a hostile body must not be answered with a huge one.
inline constexpr std::size_t kJsonErrorLimit = 100;

// RFC 8259 text, at most 32 levels deep. Refuses (unreadable_request) invalid UTF-8, duplicate names in an object, NUL
// characters and lone surrogates in strings, numbers beyond a double, anything behind the value, and malformed text;
// the detail names the byte offset.
Result<boost::json::value> parse_json(std::string_view text);

// The text under a name, in what other programs wrote and is not decoded whole; empty if there is none, or it is no
// text.
std::string text_in(const boost::json::object& object, std::string_view name);

// Decodes a described struct (or any other type above). What does not fit is ErrorCode::invalid_fields with every bad
// field: the codes are required, wrong-type, unknown-field, too-short, too-long, out-of-range, invalid, not-one-of, and
// those of a JsonType. T must be an aggregate whose described members are all of its members, in order, or have a
// default constructor.
template <class T>
Result<T> from_json(const boost::json::value& value);

// Writes compact JSON straight into `out`. None is null; bytes that are not UTF-8 become U+FFFD; numbers that are not
// finite become null.
template <class T>
void append_json(std::string& out, const T& value);
template <class T>
std::string to_json(const T& value) {
  std::string out;
  append_json(out, value);
  return out;
}
void append_json_text(std::string& out, std::string_view text);

// The JSON Schema (2020-12, as OpenAPI 3.1 uses it) of what from_json accepts; nested structs are written out in place.
template <class T>
boost::json::object schema_of();

// The name of a type without its namespaces, for `#/components/schemas/`: "LoginRequest", "PageSessionItem" for
// Page<SessionItem>.
template <class T>
std::string schema_name();

// How another module's type is written in JSON. Specialise it with
//   static std::expected<T, FieldError> decode(const boost::json::value&);
//   static void encode(std::string& out, const T&);
//   static boost::json::object schema();
// A type that is only ever sent, or only ever received, may leave out the other direction. The pointer of a FieldError
// is relative to the value: empty, as bad_value() leaves it, for the value itself.
template <class T>
struct JsonType;

// For decode(): the refusal, and the text of a string or the refusal that it is none.
[[nodiscard]] std::unexpected<FieldError> bad_value(std::string_view code, std::string_view detail);
[[nodiscard]] std::unexpected<FieldError> wrong_type(const boost::json::value& value, std::string_view expected);
[[nodiscard]] std::expected<std::string_view, FieldError> text_of(const boost::json::value& value);

// The number of code points in valid UTF-8.
[[nodiscard]] std::size_t count_code_points(std::string_view text);
// Whether valid UTF-8 holds a C0 or C1 control character or DEL (U+0000..U+001F, U+007F..U+009F).
[[nodiscard]] bool has_control_characters(std::string_view text);

namespace json_detail {
std::optional<FieldError> check_bounded_text(std::string_view text, std::size_t minimum, std::size_t maximum);
}  // namespace json_detail

// Text of Minimum to Maximum code points without control characters.
template <std::size_t Minimum, std::size_t Maximum>
struct BoundedText {
  std::string value;

  static std::expected<BoundedText, FieldError> parse(std::string_view text) {
    if (auto problem = json_detail::check_bounded_text(text, Minimum, Maximum))
      return std::unexpected(*std::move(problem));
    return BoundedText{std::string(text)};
  }
  bool operator==(const BoundedText&) const = default;
};

// A member that is sent only when it has a value, where a std::optional is sent as null. Only ever sent.
template <class T>
struct Omissible {
  using Inner = T;
  std::optional<T> value;
};

}  // namespace safawinet

#include "base/json_impl.hpp"  // the templates' bodies
