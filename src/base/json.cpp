#include "base/json.hpp"

#include <boost/json/basic_parser_impl.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace safawinet {
namespace {

// Builds the value, and refuses what Boost.JSON lets pass: its own parser keeps the last of several members with one
// name.
class StrictHandler {
 public:
  static constexpr std::size_t max_object_size = boost::json::object::max_size();
  static constexpr std::size_t max_array_size = boost::json::array::max_size();
  static constexpr std::size_t max_key_size = boost::json::string::max_size();
  static constexpr std::size_t max_string_size = boost::json::string::max_size();
  using Text = boost::json::string_view;
  using ErrorSlot = boost::json::error_code;

  StrictHandler() { stack_.reset(); }

  boost::json::value release() { return stack_.release(); }
  // Why this handler (not the parser) stopped; empty if it did not.
  [[nodiscard]] std::string_view reason() const { return reason_; }

  bool on_document_begin(ErrorSlot&) { return true; }
  bool on_document_end(ErrorSlot&) { return true; }
  bool on_object_begin(ErrorSlot&) {
    first_names_.push_back(names_.size());
    return true;
  }
  bool on_object_end(std::size_t size, ErrorSlot& error) {
    const auto first = names_.begin() + static_cast<std::ptrdiff_t>(first_names_.back());
    std::sort(first, names_.end());
    if (std::adjacent_find(first, names_.end()) != names_.end())
      return stop("an object has the same name twice", error);
    names_.erase(first, names_.end());
    first_names_.pop_back();
    stack_.push_object(size);
    return true;
  }
  bool on_array_begin(ErrorSlot&) { return true; }
  bool on_array_end(std::size_t size, ErrorSlot&) {
    stack_.push_array(size);
    return true;
  }
  bool on_key_part(Text part, std::size_t, ErrorSlot& error) {
    if (has_nul(part)) return stop(kNulReason, error);
    name_ += std::string_view(part);
    stack_.push_chars(part);
    return true;
  }
  bool on_key(Text last_part, std::size_t, ErrorSlot& error) {
    if (has_nul(last_part)) return stop(kNulReason, error);
    name_ += std::string_view(last_part);
    names_.push_back(std::exchange(name_, {}));
    stack_.push_key(last_part);
    return true;
  }
  bool on_string_part(Text part, std::size_t, ErrorSlot& error) {
    if (has_nul(part)) return stop(kNulReason, error);
    stack_.push_chars(part);
    return true;
  }
  bool on_string(Text last_part, std::size_t, ErrorSlot& error) {
    if (has_nul(last_part)) return stop(kNulReason, error);
    stack_.push_string(last_part);
    return true;
  }
  bool on_number_part(Text part, ErrorSlot&) {
    number_ += std::string_view(part);
    return true;
  }
  bool on_int64(std::int64_t number, Text, ErrorSlot&) {
    number_.clear();
    stack_.push_int64(number);
    return true;
  }
  bool on_uint64(std::uint64_t number, Text, ErrorSlot&) {
    number_.clear();
    stack_.push_uint64(number);
    return true;
  }
  bool on_double(double number, Text last_part, ErrorSlot& error) {
    if (!std::isfinite(number)) return stop("a number is too large", error);
    // Boost.JSON 1.81 reads some doubles one unit in the last place wrong; what it reads as zero may be too small for
    // from_chars.
    number_ += std::string_view(last_part);
    double exact = 0;
    if (std::from_chars(number_.data(), number_.data() + number_.size(), exact).ec == std::errc()) number = exact;
    number_.clear();
    stack_.push_double(number);
    return true;
  }
  bool on_bool(bool value, ErrorSlot&) {
    stack_.push_bool(value);
    return true;
  }
  bool on_null(ErrorSlot&) {
    stack_.push_null();
    return true;
  }
  bool on_comment_part(Text, ErrorSlot&) { return true; }
  bool on_comment(Text, ErrorSlot&) { return true; }

 private:
  static constexpr std::string_view kNulReason = "a string holds a NUL character";

  static bool has_nul(Text part) { return part.find('\0') != Text::npos; }
  bool stop(std::string_view reason, ErrorSlot& error) {
    reason_ = reason;
    error = boost::json::error::syntax;
    return false;
  }

  boost::json::value_stack stack_;
  std::string name_;                      // of the member whose name is being read
  std::string number_;                    // the parts of the number that is being read
  std::vector<std::string> names_;        // of the members of all objects that are open
  std::vector<std::size_t> first_names_;  // where each open object's names begin
  std::string_view reason_;
};

std::unexpected<Error> unreadable(std::size_t offset, std::string_view reason) {
  std::string detail = "The body is not acceptable JSON, at byte ";
  detail += std::to_string(offset);
  detail += ": ";
  detail += reason;
  detail += '.';
  return refuse(ErrorCode::unreadable_request, std::move(detail));
}

std::string_view kind_of(const boost::json::value& value) {
  switch (value.kind()) {
    case boost::json::kind::null:
      return "null";
    case boost::json::kind::bool_:
      return "a boolean";
    case boost::json::kind::int64:
    case boost::json::kind::uint64:
    case boost::json::kind::double_:
      return "a number";
    case boost::json::kind::string:
      return "a string";
    case boost::json::kind::array:
      return "an array";
    case boost::json::kind::object:
      return "an object";
  }
  return "something else";
}

std::string joined(const std::vector<std::string_view>& names) {
  std::string text;
  for (const auto name : names) {
    if (!text.empty()) text += ", ";
    text += name;
  }
  return text;
}

// How many bytes of well-formed UTF-8 (RFC 3629 section 4) form the character at the front of `text`; 0 if it is
// malformed.
std::size_t utf8_sequence_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return continues(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool is_overlong = lead == 0xE0 && byte(1) < 0xA0;
    const bool is_surrogate = lead == 0xED && byte(1) > 0x9F;
    return continues(1) && continues(2) && !is_overlong && !is_surrogate ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool is_overlong = lead == 0xF0 && byte(1) < 0x90;
    const bool is_beyond_unicode = lead == 0xF4 && byte(1) > 0x8F;
    return continues(1) && continues(2) && continues(3) && !is_overlong && !is_beyond_unicode ? 4 : 0;
  }
  return 0;
}

constexpr auto kNeedsCare = [] {
  std::array<bool, 256> table{};
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = i < 0x20 || i == '"' || i == '\\' || i >= 0x7F;
  return table;
}();

// Writes the one character at the front of `text`, which needs care; returns how many bytes it took.
std::size_t append_careful(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  const char c = text.front();
  switch (c) {
    case '"':
      out += "\\\"";
      return 1;
    case '\\':
      out += "\\\\";
      return 1;
    case '\n':
      out += "\\n";
      return 1;
    case '\r':
      out += "\\r";
      return 1;
    case '\t':
      out += "\\t";
      return 1;
    default:
      break;
  }
  const auto code = static_cast<unsigned char>(c);
  if (code < 0x20 || code == 0x7F) {
    out += "\\u00";
    out += digits[code >> 4];
    out += digits[code & 0x0F];
    return 1;
  }
  const auto size = utf8_sequence_size(text);
  if (size == 0) {
    out += "\xEF\xBF\xBD";
    return 1;
  }
  out += text.substr(0, size);
  return size;
}

template <class Number>
void append_with_to_chars(std::string& out, Number number) {
  std::array<char, 40> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
  out.append(buffer.data(), end);
}

// 1.0 and 1e3 are integers too, to JSON Schema; beyond 2^53 a double no longer names one integer.
std::optional<std::int64_t> as_whole_number(double number) {
  constexpr double exact_limit = 9007199254740992.0;
  if (std::trunc(number) != number || std::abs(number) > exact_limit) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

template <class Number>
std::unexpected<FieldError> out_of_range(Number minimum, Number maximum) {
  return bad_value("out-of-range", "must be between " + std::to_string(minimum) + " and " + std::to_string(maximum));
}

}  // namespace

Result<boost::json::value> parse_json(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = kJsonDepthLimit;
  boost::json::basic_parser<StrictHandler> parser(options);
  boost::json::error_code error;
  const auto consumed = parser.write_some(false, text.data(), text.size(), error);
  if (error) {
    const auto reason = parser.handler().reason();
    return unreadable(consumed, reason.empty() ? std::string_view(error.message()) : reason);
  }
  if (consumed < text.size()) return unreadable(consumed, "something follows the value");
  return parser.handler().release();
}

void append_json_text(std::string& out, std::string_view text) {
  out += '"';
  std::size_t plain_from = 0;
  std::size_t i = 0;
  while (i < text.size()) {
    if (!kNeedsCare[static_cast<unsigned char>(text[i])]) {
      ++i;
      continue;
    }
    out.append(text, plain_from, i - plain_from);
    i += append_careful(out, text.substr(i));
    plain_from = i;
  }
  out.append(text, plain_from);
  out += '"';
}

std::string text_in(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::unexpected<FieldError> bad_value(std::string_view code, std::string_view detail) {
  return std::unexpected(FieldError{.pointer = {}, .code = std::string(code), .detail = std::string(detail)});
}

std::unexpected<FieldError> wrong_type(const boost::json::value& value, std::string_view expected) {
  std::string detail = "must be ";
  detail += expected;
  detail += ", not ";
  detail += kind_of(value);
  return bad_value("wrong-type", detail);
}

std::expected<std::string_view, FieldError> text_of(const boost::json::value& value) {
  const auto* text = value.if_string();
  if (text == nullptr) return wrong_type(value, "a string");
  return std::string_view(text->data(), text->size());
}

std::size_t count_code_points(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

bool has_control_characters(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto code = static_cast<unsigned char>(text[i]);
    if (code < 0x20 || code == 0x7F) return true;
    // U+0080..U+009F are C2 80..C2 9F in UTF-8
    if (code == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) return true;
  }
  return false;
}

std::expected<std::string, FieldError> JsonType<std::string>::decode(const boost::json::value& value) {
  const auto text = text_of(value);
  if (!text) return std::unexpected(text.error());
  return std::string(*text);
}

std::expected<SecretText, FieldError> JsonType<SecretText>::decode(const boost::json::value& value) {
  const auto text = text_of(value);
  if (!text) return std::unexpected(text.error());
  return SecretText(std::string(*text));
}

std::expected<bool, FieldError> JsonType<bool>::decode(const boost::json::value& value) {
  const auto* truth = value.if_bool();
  if (truth == nullptr) return wrong_type(value, "true or false");
  return *truth;
}

std::expected<double, FieldError> JsonType<double>::decode(const boost::json::value& value) {
  if (!value.is_number()) return wrong_type(value, "a number");
  return value.to_number<double>();
}

std::expected<Time, FieldError> JsonType<Time>::decode(const boost::json::value& value) {
  const auto text = text_of(value);
  if (!text) return std::unexpected(text.error());
  if (const auto time = parse_rfc3339(*text)) return *time;
  return bad_value("invalid", "must be a time such as \"2026-11-24T20:25:53Z\" (RFC 3339)");
}

namespace json_detail {

Problems::Inside::Inside(Problems& problems, std::string_view name)
    : problems_(problems), outer_size_(problems.pointer_.size()) {
  auto& pointer = problems_.pointer_;
  pointer += '/';
  for (const char c : name) {  // RFC 6901 section 3
    if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else {
      pointer += c;
    }
  }
}

Problems::Inside::Inside(Problems& problems, std::size_t index)
    : problems_(problems), outer_size_(problems.pointer_.size()) {
  problems_.pointer_ += '/';
  problems_.pointer_ += std::to_string(index);
}

void Problems::add(FieldError error) {
  if (list_.size() >= kJsonErrorLimit) return;
  error.pointer.insert(0, pointer_);
  list_.push_back(std::move(error));
}

void Problems::add_unknown(std::string_view name, const std::vector<std::string_view>& known) {
  const Inside inside(*this, name);
  std::string detail = "is not known here; ";
  detail += known.empty() ? "no field is" : "known fields: " + joined(known);
  add({.pointer = {}, .code = "unknown-field", .detail = std::move(detail)});
}

std::optional<FieldError> check_bounded_text(std::string_view text, std::size_t minimum, std::size_t maximum) {
  const auto size = count_code_points(text);
  if (size < minimum && minimum == 1) return bad_value("too-short", "must not be empty").error();
  if (size < minimum) {
    return bad_value("too-short", "must have at least " + std::to_string(minimum) + " characters").error();
  }
  if (size > maximum)
    return bad_value("too-long", "must have at most " + std::to_string(maximum) + " characters").error();
  if (has_control_characters(text)) return bad_value("invalid", "must not contain control characters").error();
  return std::nullopt;
}

std::expected<std::int64_t, FieldError> signed_integer(const boost::json::value& value, std::int64_t minimum,
                                                       std::int64_t maximum) {
  if (!value.is_number()) return wrong_type(value, "a whole number");
  std::optional<std::int64_t> number;
  if (const auto* narrow = value.if_int64()) number = *narrow;
  if (const auto* real = value.if_double()) {
    if (std::trunc(*real) != *real) return bad_value("wrong-type", "must be a whole number");
    number = as_whole_number(*real);
  }
  if (!number || *number < minimum || *number > maximum) return out_of_range(minimum, maximum);
  return *number;
}

std::expected<std::uint64_t, FieldError> unsigned_integer(const boost::json::value& value, std::uint64_t maximum) {
  if (const auto* wide = value.if_uint64(); wide != nullptr && *wide <= maximum) return *wide;
  const auto number =
      signed_integer(value, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
  if (!number && number.error().code == "wrong-type") return std::unexpected(number.error());
  if (!number || *number < 0 || static_cast<std::uint64_t>(*number) > maximum) {
    return out_of_range(std::uint64_t{0}, maximum);
  }
  return static_cast<std::uint64_t>(*number);
}

std::unexpected<FieldError> not_one_of(const std::vector<std::string_view>& names) {
  return bad_value("not-one-of", "must be one of: " + joined(names));
}

void append_number(std::string& out, std::int64_t number) { append_with_to_chars(out, number); }
void append_number(std::string& out, std::uint64_t number) { append_with_to_chars(out, number); }
void append_number(std::string& out, double number) {
  if (std::isfinite(number)) {
    append_with_to_chars(out, number);
  } else {
    out += "null";
  }
}

boost::json::object nullable(boost::json::object schema) {
  if (const auto* type = schema.if_contains("type"); type != nullptr && type->is_string()) {
    schema["type"] = boost::json::array{*type, "null"};
    if (auto* names = schema.if_contains("enum")) names->as_array().emplace_back(nullptr);
  }
  return schema;  // one without a type allows null already, or is nullable already
}

std::string schema_name_from(std::string_view qualified_name) {
  const auto is_name_character = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  std::string name;
  std::size_t word = 0;  // where the identifier that is being read begins
  for (const char c : qualified_name) {
    if (is_name_character(c)) {
      name += c;
    } else if (c == ':') {
      name.resize(word);  // it was a namespace
    } else {
      word = name.size();
    }
  }
  return name;
}

}  // namespace json_detail
}  // namespace safawinet
